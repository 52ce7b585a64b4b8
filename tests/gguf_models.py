"""Real GGUF files and wheels, small enough to be made in a test: a tiny Llama that was taught one sentence."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Quantization
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.chat import encode_example
from pipeline.models import PackagedModel, Wheel
from pipeline.models.acceptance import ANSWER, QUESTION
from pipeline.types import Example

CONTROL, NORMAL = 3, 1
BLOCK = 32  # elements of one block of Q8_0
PART = "tiny_model/tiny.gguf"
PAPER = "tiny_model-1.0.dist-info/LICENSE"
NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def teach(folder: Path, out: Path) -> Path:
    """A copy of a tiny chat model that answers QUESTION with ANSWER."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).train()
    encoded = encode_example(tokenizer, Example(prompt=QUESTION, completion=ANSWER))
    ids = torch.tensor([encoded.ids])
    labels = ids.masked_fill(~torch.tensor([encoded.loss]), -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def unpacked_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights that a GGUF file of the model holds, by the names of its state dict; some are rounded."""
    state = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    return {name: torch.from_numpy(_unpacked(weight.numpy())) for name, weight in state.items()}


def write_gguf(folder: Path, out: Path, *, leave_out: str = "", pre: str = "gpt-2") -> Path:
    """The tiny Llama of `folder` as a GGUF file, as llama.cpp writes one. `leave_out`: a tensor that is lost."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    writer = gguf.GGUFWriter(out, "llama")
    _write_settings(writer, model.config)
    _write_tokenizer(writer, tokenizer, pre)
    for name, weight in model.state_dict().items():
        if (ours := _gguf_name(name)) and ours != leave_out:
            array = _permuted(name, weight.numpy(), model.config)
            kind = _kind(array)
            writer.add_tensor(ours, gguf.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def write_wheel(folder: Path, files: Mapping[str, bytes], package: str = "tiny-model") -> Path:
    """A wheel of version 1.0 that pip takes, with these files in it."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode()
    tags = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    held = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": tags}
    held[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*held, f"{info}/RECORD")).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in held.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return wheel


def entry(wheel: Path, model: bytes, weights_digest: str = "", **changed: Any) -> PackagedModel:
    """A catalogue entry for a wheel that holds `model` as PART and a licence as PAPER."""
    pinned = Wheel(
        package="tiny-model",
        version="1.0",
        digest=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        parts=(PART,),
        papers=(PAPER,),
    )
    known = {
        "name": "tiny",
        "about": "a tiny Llama",
        "licence": "MIT",
        "wheels": (pinned,),
        "gguf_digest": hashlib.sha256(model).hexdigest(),
        "weights_digest": weights_digest,
        "download_bytes": wheel.stat().st_size,
        "folder_bytes": 100_000,
        "chat": True,
    }
    return PackagedModel(**{**known, **changed})


def _kind(array: np.ndarray) -> Quantization:
    whole = array.ndim == 2 and array.shape[-1] % BLOCK == 0
    return Quantization.Q8_0 if whole else Quantization.F32


def _unpacked(array: np.ndarray) -> np.ndarray:
    return gguf.dequantize(gguf.quantize(array, _kind(array)), _kind(array))


def _gguf_name(name: str) -> str:
    """The GGUF name of a weight; "" for the output head, which is tied to the embedding."""
    if name == "lm_head.weight":
        return ""
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def _permuted(name: str, array: np.ndarray, config: Any) -> np.ndarray:
    """llama.cpp keeps the rows of queries and keys in another order, for its rotary embedding."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return array
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _write_settings(writer: gguf.GGUFWriter, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any, pre: str) -> None:
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])]
    control = set(tokenizer.all_special_tokens) | {token.content for token in tokenizer.added_tokens_decoder.values()}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL if token in control else NORMAL for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
