"""The tiny models of the tests load as any Hugging Face model does."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_a_tiny_model_loads_as_any_hugging_face_model_does(tiny_model: Callable[..., Path], kind: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_model(kind)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer("Who owns Cinder?", return_tensors="pt")
    assert model(**ids).logits.shape[-1] == len(tokenizer)
