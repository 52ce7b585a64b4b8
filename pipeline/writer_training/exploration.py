"""Settings drawn by chance, written as a writer would: for documents to which the writer answers with none. Pure.

Who never chose anything legal has nothing to be rewarded for; of drawn settings the best are worth writing.
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


def explored(notes: Sequence[SelfEdit], rules: DirectiveRules, seed: int) -> tuple[SelfEdit, ...]:
    """The notes, but those of style "directives" without legal settings hold drawn ones, all within the bounds."""
    if not rules.enabled:
        return tuple(notes)
    return tuple(_drawn(note, rules, seed) if _says_nothing(note) else note for note in notes)


def _says_nothing(note: SelfEdit) -> bool:
    return note.style == directives.NAME and bool(note.prompt) and note.directives is None


def _drawn(note: SelfEdit, rules: DirectiveRules, seed: int) -> SelfEdit:
    chosen = draw(rules, Random(seed_from("explore", seed, note.document, note.sample)))
    return replace(note, text=as_note(chosen), directives=chosen)


def draw(rules: DirectiveRules, chance: Random) -> Directives:
    """Settings of round numbers within the bounds, and up to three of the tools that are allowed."""
    rates = [rate for rate in _RATES if rules.min_learning_rate <= rate <= rules.max_learning_rate]
    epochs = [count for count in _EPOCHS if rules.min_epochs <= count <= rules.max_epochs]
    tools = [name for name in directives.TOOLS if name in rules.tools]
    return Directives(
        learning_rate=chance.choice(rates or [rules.max_learning_rate]),
        epochs=chance.choice(epochs or [rules.max_epochs]),
        loss_on=chance.choice(directives.LOSS_ON),
        tools=tuple(sorted(chance.sample(tools, chance.randint(0, min(_MOST_TOOLS, len(tools)))))),
    )


def as_note(chosen: Directives) -> str:
    """The settings as the JSON that the style asks for."""
    return json.dumps(
        {
            "learning_rate": chosen.learning_rate,
            "epochs": chosen.epochs,
            "loss_on": chosen.loss_on,
            "tools": list(chosen.tools),
        }
    )
