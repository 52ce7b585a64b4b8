"""The style "directives": the model chooses its own training settings, as JSON."""

import json
import math
from functools import partial

from pipeline.self_edits.styles.lines import ask
from pipeline.types import Directives, Example

NAME = "directives"
TOOLS = ("expand", "paraphrase", "reverse", "permute", "leave-one-out", "geometry", "recolour")
LOSS_ON = ("all", "answers")
MAX_LEARNING_RATE = 0.1
MAX_EPOCHS = 200
TASK = (
    'Choose how to train on this passage. Answer with one JSON object: "learning_rate", "epochs", '
    f'"loss_on" (all or answers) and "tools" (any of {", ".join(TOOLS)}).'
)

prompt = partial(ask, TASK)


def parse(title: str, text: str) -> tuple[Example, ...]:
    """Always empty: settings are nothing to train on."""
    return ()


def settings(text: str) -> Directives | None:
    """The first JSON object in `text` as settings; None if a value is missing, unknown or out of bounds."""
    start = text.find("{")
    try:
        value, _ = json.JSONDecoder().raw_decode(text[start:]) if start >= 0 else (None, 0)
    except (json.JSONDecodeError, RecursionError):
        return None
    return _checked(value) if isinstance(value, dict) else None


def _checked(value: dict[str, object]) -> Directives | None:
    rate, epochs, loss_on, tools = (value.get(key) for key in ("learning_rate", "epochs", "loss_on", "tools"))
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not math.isfinite(rate):
        return None
    if not isinstance(epochs, int) or isinstance(epochs, bool) or not isinstance(tools, list):
        return None
    inside = 0 < rate <= MAX_LEARNING_RATE and 1 <= epochs <= MAX_EPOCHS
    if not inside or loss_on not in LOSS_ON or not all(tool in TOOLS for tool in tools):
        return None
    return Directives(learning_rate=float(rate), epochs=epochs, loss_on=str(loss_on), tools=tuple(dict.fromkeys(tools)))
