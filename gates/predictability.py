"""How well a model predicts plain text. Texts are read as in training, without a prompt; one too long is an error."""

from collections.abc import Sequence
from math import exp
from pathlib import Path

from gates.texts import TextItem
from pipeline import progress
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.engines.likelihood import likelihoods
from pipeline.errors import MeasurementFailed
from pipeline.types import Example, ItemScore


def predictability(base: BaseModel, adapter: Path | None, texts: Sequence[TextItem]) -> tuple[ItemScore, ...]:
    """The score of a text is the geometric mean of its tokens' probabilities, in (0, 1]: one over its perplexity.

    The first token counts only after a BOS. Reports progress in tokens. Raises MeasurementFailed on a text of one token
    or longer than the context, and where the model computes no finite value.
    """
    rows = [text_row(base, item.text) for item in texts]
    with progress.step("plain text, tokens"), with_adapter(base, adapter) as model:
        scored = likelihoods(model, rows)
    shares = [exp(logprob / len(rest)) for (logprob, _), (_, rest) in zip(scored, rows, strict=True)]
    for share, item in zip(shares, texts, strict=True):
        if not 0.0 < share <= 1.0:
            raise MeasurementFailed(f"the model gives no finite probability to “{item.text[:80]}”. Train it again.")
    return tuple(
        ItemScore(item=item.id, score=share, answer="", group=item.group)
        for item, share in zip(texts, shares, strict=True)
    )


def expect_scorable(base: BaseModel, texts: Sequence[TextItem]) -> None:
    """Raises MeasurementFailed on a text of one token or longer than the context: better before training than after."""
    for item in texts:
        text_row(base, item.text)


def text_row(base: BaseModel, text: str) -> tuple[list[int], list[int]]:
    """The text's first token, and the rest. Raises MeasurementFailed as `expect_scorable` does."""
    ids = list(encode_example(base.tokenizer, Example(prompt="", completion=text, ends=False)).ids)
    if not 1 < len(ids) <= base.context:
        raise MeasurementFailed(
            f"a text has {len(ids)} tokens, and 2 to {base.context} can be scored: “{text[:80]}”. Split it or drop it."
        )
    return ids[:1], ids[1:]
