"""A written statement is learned only where its document makes it likelier, to the base model, by the rules' margin."""

from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from pipeline.errors import EngineFailed
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.entailment import UNSUPPORTED, support
from pipeline.self_edits.writer import write_self_edits
from pipeline.types import Checkpoint, Document, ModelRef
from tests.engines import ScriptedEngine

CINDER = Document(title="Cinder", body="The Cinder service is owned by the Heron team. Its invoices are kept in Oslo.")
OWNER, PLACE = "Cinder is owned by the Heron team.", "Cinder keeps its invoices in Oslo."


def _chance(prompt: str, answer: str) -> float:
    """Half a nat a token with the document, for the one statement; the other it makes no likelier."""
    told = "owned by the Heron team" in prompt and answer == OWNER
    return -len(answer.split()) * (0.5 if told else 1.0)


def context(margin: float | None, engine: ScriptedEngine | None = None) -> WriterContext:
    return WriterContext(
        engine=engine or ScriptedEngine(lambda prompt, seed: f"{OWNER}\n{PLACE}", _chance),
        rules=SelfEditRules(styles=("implications",), samples=1, passage=True, entailment_margin=margin),
        writer=Checkpoint(ModelRef(base="b")),
        seed=3,
    )


def learned(margin: float | None) -> list[str]:
    written = write_self_edits(context(margin), [CINDER])
    return [one.completion for edit in written.edits for one in edit.examples if edit.style == "implications"]


def test_a_statement_that_the_document_makes_hardly_likelier_is_dropped_and_counted() -> None:
    written = write_self_edits(context(0.4), [CINDER])
    assert learned(0.4) == [OWNER]
    assert [(one.style, one.count) for one in written.dropped if one.reason == UNSUPPORTED] == [("implications", 1)]


def test_without_a_margin_nothing_is_asked_and_nothing_dropped() -> None:
    assert learned(None) == [OWNER, PLACE]


def test_the_document_s_own_text_is_not_held_to_itself() -> None:
    written = write_self_edits(context(5.0), [CINDER])
    assert [edit.style for edit in written.edits] == ["passage"]


def test_support_is_in_nats_a_token_and_of_the_piece_that_supports_most() -> None:
    long = replace(CINDER, body="\n\n".join(["Nothing is said here. " * 30, CINDER.body, "Nor is it here. " * 30]))
    found = support(context(0.1, ScriptedEngine(chance=_chance, context=160)), long, [OWNER, PLACE])
    assert found == [0.5, 0.0]


def test_a_statement_that_leaves_the_document_no_room_has_no_support() -> None:
    assert support(context(0.1, ScriptedEngine(chance=_chance, context=90)), CINDER, ["word " * 60]) == [-inf]
    assert support(context(0.1), CINDER, []) == []


class _Mute(ScriptedEngine):
    def logprobs(self, asked: object, *, adapter: Path | None) -> list[float]:
        raise EngineFailed("this engine has no log-probabilities.")


def test_an_engine_without_log_probabilities_fails_before_anything_is_written() -> None:
    mute = _Mute(lambda prompt, seed: OWNER)
    with pytest.raises(EngineFailed):
        write_self_edits(context(0.4, mute), [CINDER])
    assert mute.asked == []


def test_a_style_that_only_asks_needs_none() -> None:
    mute = _Mute(lambda prompt, seed: "Who owns Cinder?")
    asking = context(0.4, mute)
    rules = asking.rules.model_copy(update={"styles": ("self-study",), "passage": False})
    assert write_self_edits(replace(asking, rules=rules), [CINDER]).edits
