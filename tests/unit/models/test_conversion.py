"""A GGUF file becomes the model that it holds: the same weights, the same tokenizer, the same bytes each time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from pipeline.adapters.identity import identify_base
from pipeline.digests import digest_file
from pipeline.engines.base import load_base
from pipeline.errors import ModelMissing
from pipeline.models.conversion import convert
from pipeline.progress import step, watched_by
from tests.gguf_models import unpacked_weights, write_gguf

TEXT = "In 1889, 300  5 workers: Who owns the Cinder service? <user>Zoë\n\t 東京"


@pytest.fixture(scope="module")
def converted(gguf_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("converted")
    convert(gguf_file, out)
    return out


def test_the_weights_are_those_of_the_file(converted: Path, taught: Path) -> None:
    state = load_base(str(converted), device="cpu", dtype="bfloat16").model.state_dict()
    expected = unpacked_weights(taught)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name].bfloat16()) for name in expected)
    assert all(weight.dtype is torch.bfloat16 for weight in load_file(converted / "model.safetensors").values())


def test_the_model_computes_what_the_original_does_with_these_weights(converted: Path, taught: Path) -> None:
    ours, original = (load_base(str(folder), device="cpu", dtype="float32").model for folder in (converted, taught))
    original.load_state_dict({name: weight.bfloat16() for name, weight in unpacked_weights(taught).items()})
    ids = torch.arange(5, 25)[None]
    with torch.inference_mode():
        assert torch.allclose(ours(ids).logits, original(ids).logits, atol=1e-5)


def test_the_tokenizer_and_its_template_are_those_of_the_model(converted: Path, taught: Path) -> None:
    ours, original = (AutoTokenizer.from_pretrained(folder) for folder in (converted, taught))
    assert ours.encode(TEXT, add_special_tokens=False) == original.encode(TEXT, add_special_tokens=False)
    assert ours.decode(ours.encode(TEXT)) == TEXT
    assert len(ours) == len(original)
    assert ours.chat_template == original.chat_template
    assert (ours.eos_token_id, ours.pad_token_id) == (original.eos_token_id, original.pad_token_id)


def test_what_is_written_depends_on_the_file_alone(converted: Path, gguf_file: Path, tmp_path: Path) -> None:
    """Not on its place, nor on what lies beside it."""
    copy = Path(shutil.copy(gguf_file, tmp_path / "other name.gguf"))
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<user>"}', encoding="utf-8")
    convert(copy, tmp_path / "out")
    digests = [{file.name: digest_file(file) for file in folder.iterdir()} for folder in (converted, tmp_path / "out")]
    assert digests[0] == digests[1]
    assert identify_base(converted) == identify_base(tmp_path / "out")


def test_all_may_read_what_is_written(converted: Path) -> None:
    assert (converted / "model.safetensors").stat().st_mode == (converted / "config.json").stat().st_mode


def test_the_library_shows_no_bar_and_the_tensors_are_reported(
    gguf_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, int, int]] = []
    with watched_by(lambda *report: seen.append(report)), step("converting"):
        convert(gguf_file, tmp_path / "out")
    assert seen[-1] == ("converting", 20, 20)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.parametrize(("pre", "pieces"), [("gpt-2", ["Ġ55"]), ("smollm", ["Ġ", "5", "5"])])
def test_digits_are_split_as_the_file_says(pre: str, pieces: list[str], taught: Path, tmp_path: Path) -> None:
    convert(write_gguf(taught, tmp_path / "tiny.gguf", pre=pre), tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(" 55")
    assert [piece for piece, _ in split] == pieces


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"\0" * 100, lambda data: data[:200], lambda data: b""],
    ids=["half", "zeros", "head", "empty"],
)
def test_a_damaged_file_is_a_typed_error_that_names_it(
    damage: Callable[[bytes], bytes], gguf_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(damage(gguf_file.read_bytes()))
    with pytest.raises(ModelMissing, match=r"broken\.gguf cannot be read as a GGUF model"):
        convert(broken, tmp_path / "out")


def test_a_lost_weight_is_not_made_up(taught: Path, tmp_path: Path) -> None:
    broken = write_gguf(taught, tmp_path / "broken.gguf", leave_out="blk.1.ffn_up.weight")
    with pytest.raises(ModelMissing, match=r"lacks model\.layers\.1\.mlp\.up_proj\.weight \(1 in all\)"):
        convert(broken, tmp_path / "out")
