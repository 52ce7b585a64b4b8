"""Random directives in place of missing ones, written as a writer would write them. Pure.

A writer that never chooses legal directives earns no reward for any; the best of the random ones give it a start.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.digests import seed_from
from pipeline.recipe import DirectiveRules
from pipeline.self_edits.styles import directives
from pipeline.types import Directives, SelfEdit

_RATES = tuple(float(f"{digit}e{power}") for power in range(-5, 0) for digit in (1, 2))
_EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128)
_MOST_TOOLS = 3


def explored(edits: Sequence[SelfEdit], rules: DirectiveRules, seed: int) -> tuple[SelfEdit, ...]:
    """The self-edits, where those of style "directives" without legal directives hold random ones within the bounds."""
    if not rules.enabled:
        return tuple(edits)
    return tuple(_random(edit, rules, seed) if _lacks_directives(edit) else edit for edit in edits)


def _lacks_directives(edit: SelfEdit) -> bool:
    return edit.style == directives.NAME and bool(edit.prompt) and edit.directives is None


def _random(edit: SelfEdit, rules: DirectiveRules, seed: int) -> SelfEdit:
    chosen = draw(rules, Random(seed_from("explore", seed, edit.document, edit.sample)))
    return replace(edit, text=as_text(chosen), directives=chosen)


def draw(rules: DirectiveRules, rng: Random) -> Directives:
    """Directives of round numbers within the bounds, with up to three of the tools that are allowed."""
    rates = [rate for rate in _RATES if rules.min_learning_rate <= rate <= rules.max_learning_rate]
    epochs = [count for count in _EPOCHS if rules.min_epochs <= count <= rules.max_epochs]
    tools = [name for name in directives.TOOLS if name in rules.tools]
    return Directives(
        learning_rate=rng.choice(rates or [rules.max_learning_rate]),
        epochs=rng.choice(epochs or [rules.max_epochs]),
        loss_on=rng.choice(directives.LOSS_ON),
        tools=tuple(sorted(rng.sample(tools, rng.randint(0, min(_MOST_TOOLS, len(tools)))))),
    )


def as_text(chosen: Directives) -> str:
    """The directives as the JSON that the style asks for."""
    keys = ("learning_rate", "epochs", "loss_on", "tools")
    return json.dumps({key: getattr(chosen, key) for key in keys})
