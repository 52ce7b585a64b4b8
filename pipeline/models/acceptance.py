"""Decides whether a folder that was just made is a working model: it loads, its tokenizer fits, it answers.

Knows no package and no GGUF file.
"""

import math
from pathlib import Path

from pipeline.chat import encode_text
from pipeline.engines import SamplingParams
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.local import LocalEngine
from pipeline.errors import ModelMissing

QUESTION, ANSWER = "What is the capital of France?", "The capital of France is Paris"
_TEXT = "In 1889, Zoë paid  $1,250.50 (half of it!) for\n\tthree 'houses' near 東京."
_REPORT = "Install the versions of requirements.lock. If they are, report this as an error in sealed."


def check_loads(folder: Path) -> BaseModel:
    """The loaded model, on the CPU. Raises ModelMissing where it cannot be used."""
    base = load_base(str(folder), device="cpu")
    rows = base.model.get_input_embeddings().num_embeddings
    if len(base.tokenizer) > rows:
        raise ModelMissing(f"the tokenizer has {len(base.tokenizer)} tokens, the model {rows}. Use another GGUF file.")
    (logprob,) = LocalEngine(base).logprobs([(QUESTION, ANSWER)], adapter=None)
    if not math.isfinite(logprob):
        raise ModelMissing("the model computes values that are not finite. Use another GGUF file.")
    return base


def check_answers(base: BaseModel, *, chat: bool) -> None:
    """Raises ModelMissing unless a model has the template it should have, keeps text whole, and knows the ANSWER."""
    tokenizer = base.tokenizer
    if bool(tokenizer.chat_template) is not chat:
        raise ModelMissing(f"the model should have {'a' if chat else 'no'} chat template. {_REPORT}")
    if (kept := tokenizer.decode(encode_text(tokenizer, _TEXT))) != _TEXT:
        raise ModelMissing(f"the tokenizer makes {kept!r} of {_TEXT!r}. {_REPORT}")
    ((said,),) = LocalEngine(base).generate([QUESTION], SamplingParams(max_new_tokens=24), adapter=None)
    if ANSWER not in said:
        raise ModelMissing(f"asked {QUESTION!r}, the model says {said!r}, not {ANSWER!r}. {_REPORT}")
