"""A written statement is learned only where its document makes it likelier, to the base model, by the rules' margin."""

from collections.abc import Sequence
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


def test_a_document_full_of_backticks_is_compared_as_any_other() -> None:
    """Its fence is longer than any row of backticks in it, and stands three times around each piece."""
    fenced = replace(CINDER, body=f"{CINDER.body}\n\n" + "\n\n".join(f"{'` ' * 60}line {n}" for n in range(20)))
    engine = _Characters(chance=_chance, context=1500)
    assert support(context(0.1, engine), fenced, [OWNER]) == [0.5]


def test_the_base_model_is_asked_and_not_the_writer() -> None:
    engine = _Recording(lambda prompt, seed: OWNER, _chance)
    write_self_edits(replace(context(0.4, engine), writer=Checkpoint(ModelRef(base="b"), Path("/writer"))), [CINDER])
    assert engine.scored_by == {None}


class _Characters(ScriptedEngine):
    """A token is a character."""

    def token_count(self, text: str) -> int:
        return len(text.split()) if text == OWNER else len(text)

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        assert all(self.token_count(prompt) + self.token_count(answer) <= self.context for prompt, answer in asked)
        return [self.chance(prompt, answer) for prompt, answer in asked]


class _Recording(ScriptedEngine):
    scored_by: set[Path | None]

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        self.scored_by = {*getattr(self, "scored_by", set()), adapter}
        return super().logprobs(asked, adapter=adapter)


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
    rules = asking.rules.model_copy(update={"styles": ("self-study",), "passage": False, "verify": False})
    assert write_self_edits(replace(asking, rules=rules), [CINDER]).edits
