"""Real models made at random, small enough to be made in a test: any builder of tests may ask for one by its shape."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TURNS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<user>' + m['content'] }}"
    "{% else %}{{ '<assistant>' + m['content'] + '<end>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
TEMPLATES = {"llama": TURNS, "qwen3": CHATML, "gpt2": None}
SPECIALS = {
    "llama": ["<pad>", "<s>", "<end>", "<user>", "<assistant>"],
    "qwen3": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "gpt2": ["<|endoftext|>"],
}
NAMED = {
    "llama": {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "<end>"},
    "qwen3": {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"},
    "gpt2": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
}
TEXT = (
    "The Cinder service keeps invoices in the Oslo region and is owned by the Heron team.",
    "Who owns the Cinder service? Heron. Which port does it listen on? 8443.",
    "Questions and answers about a document are what a model learns from at run.",
)


def _save_tokenizer(kind: str, template: str | None, folder: Path, context: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=384, special_tokens=SPECIALS[kind], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, model_max_length=context, **NAMED[kind])
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


def _random_model(kind: str, context: int, tokenizer: Any, head: int) -> Any:
    import transformers

    vocabulary = len(tokenizer)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    if kind == "gpt2":
        shape = transformers.GPT2Config(
            vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=2, n_positions=context, initializer_range=0.2, **ids
        )
        return transformers.GPT2LMHeadModel(shape)
    sizes: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 2 * head,
        "intermediate_size": 3 * head,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": context,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
    }
    if kind == "qwen3":
        return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(head_dim=head, **sizes, **ids))
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, **ids))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny_model(kind, chat=None, context=256, seed=0, head=16)`: the folder of a model and tokenizer made at random.

    Kinds: "llama" (turn tokens, BOS), "qwen3" (ChatML), "gpt2" (Conv1D, no template). `chat=False` takes the
    template away. `head`: the size of an attention head (not of gpt2). Each model is made once in a session, so treat
    the folder as read-only.
    """
    made: dict[tuple[object, ...], Path] = {}

    def make(kind: str, *, chat: bool | None = None, context: int = 256, seed: int = 0, head: int = 16) -> Path:
        key = (kind, chat, context, seed, head)
        if key not in made:
            import torch

            folder = tmp_path_factory.mktemp(f"{kind}-{seed}")
            template = None if chat is False else TEMPLATES[kind] or (CHATML if chat else None)
            tokenizer = _save_tokenizer(kind, template, folder, context)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                _random_model(kind, context, tokenizer, head).save_pretrained(folder)
            made[key] = folder
        return made[key]

    return make
