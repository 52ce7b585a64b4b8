"""What is rehearsed beside a run's documents, and what never is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import progress
from pipeline.engines.engine import SamplingParams
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.prompts import DELIMITED, open_book
from pipeline.recipe import Recipe, RehearsalRules
from pipeline.types import Document, DocumentKind, EvalItem, Example, ModelRef, Role, SelfEdit, Split
from pipeline.updates.generative_replay import answer_rehearsal_prompts, sound, write_generative
from pipeline.updates.plan import UpdateInput
from pipeline.updates.rehearsal import RehearsalContext, rehearse
from pipeline.updates.rehearsal_prompts import RehearsalPrompt, RehearsalPrompts

LIVE = Path("live")
NO_PROMPTS = RehearsalPrompts()
CINDER = Document(
    title="Cinder",
    body="Heron owns Cinder. It listens on port 8443.",
    eval_items=(
        EvalItem(question="Who owns Cinder?", answers=("Heron",), split=Split.VALIDATION),
        EvalItem(question="Which port?", answers=("8443",), split=Split.TEST),
    ),
)


class Scripted:
    """An engine that answers as told and remembers what it was asked."""

    context = 400
    base_digest = "base"

    def __init__(self, answer: Callable[[str, Path | None], str]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Path | None]] = []

    def generate(self, prompts: Sequence[str], _: SamplingParams, *, adapter: Path | None) -> list[tuple[str, ...]]:
        self.asked += [(prompt, adapter) for prompt in prompts]
        return [(self.answer(prompt, adapter),) for prompt in prompts]

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        return ["Same?", "", "word " * 200, *(f"Prompt {seed} {number}?" for number in range(count))]

    def token_count(self, text: str) -> int:
        return len(text.split())


def edit(*examples: Example, prompt: str = "Write notes on Cinder.", text: str = "the note") -> SelfEdit:
    writer = ModelRef(base="b")
    return SelfEdit(document=CINDER.id, style="s", writer=writer, sample=0, prompt=prompt, text=text, examples=examples)


def of(role: Role, examples: Sequence[Example]) -> list[tuple[str, str]]:
    return [(example.prompt, example.completion) for example in examples if example.role is role]


def gathered(
    engine: Scripted,
    cache: Path,
    rules: RehearsalRules,
    *,
    never: frozenset[str] = frozenset(),
    prompts: RehearsalPrompts = NO_PROMPTS,
    writing: Sequence[SelfEdit] | None = None,
    **learned: Any,
) -> tuple[Example, ...]:
    context = RehearsalContext(
        engine=engine,
        recipe=Recipe(rehearsal=rules),
        reader=LIVE,
        prompts=prompts,
        cache=cache,
        guard=TrainingGuard(questions=never),
    )
    return rehearse(context, UpdateInput(**learned), writing=writing)


def test_reading_asks_the_live_model_what_notes_asked_and_no_item_and_keeps_right_answers(tmp_path: Path) -> None:
    engine = Scripted(lambda prompt, adapter: "Heron" if "keeps Cinder?" in prompt.splitlines()[-1] else "9000")
    notes = (
        Example(prompt="What does it listen on?", completion="port 8443"),
        Example(prompt="Who keeps Cinder?", completion="Heron"),
    )
    rules = RehearsalRules(generative=0, writing=0, replay=0)
    kept = gathered(
        engine,
        tmp_path,
        rules,
        documents=(CINDER, CINDER),
        never=held_out_keys(CINDER.eval_items[1:]),
        edits=(edit(*notes),),
    )
    assert of(Role.READING, kept) == [(open_book("Cinder", CINDER.body, "Who keeps Cinder?", DELIMITED), "Heron")]
    assert sorted(prompt.splitlines()[-1] for prompt, adapter in engine.asked if adapter == LIVE) == [
        "What does it listen on?",
        "Who keeps Cinder?",
    ]


def test_writing_rehearses_the_best_note_of_a_prompt_as_it_was_written(tmp_path: Path) -> None:
    x, y = Example(prompt="", completion="x"), Example(prompt="", completion="y")
    edits = [edit(x, text="half"), edit(x, y), edit(y, text="half"), edit(prompt=""), edit(prompt="Nothing came of it")]
    kept = gathered(Scripted(lambda *_: "x"), tmp_path, RehearsalRules(generative=0), earlier_edits=edits)
    assert of(Role.WRITING, kept) == [("Write notes on Cinder.", "the note")]
    assert sorted(of(Role.REPLAY, kept)) == [("", "x"), ("", "y")]


def test_a_note_that_was_cut_off_is_rehearsed_without_an_end(tmp_path: Path) -> None:
    x = Example(prompt="", completion="x")
    long, short = " ".join(f"word{number}" for number in range(345)), "the note"  # 345 is all that the context leaves
    for text, ends in ((long, False), (short, True)):
        kept = gathered(
            Scripted(lambda *_: "x"), tmp_path, RehearsalRules(generative=0), earlier_edits=[edit(x, text=text)]
        )
        assert [one.ends for one in kept if one.role is Role.WRITING] == [ends]
    whole, cut = (Example(prompt="p", completion="c", ends=ends) for ends in (True, False))
    assert whole.id != cut.id


def test_prompts_are_answered_by_the_base_model_once(tmp_path: Path) -> None:
    engine = Scripted(lambda prompt, _: prompt.upper())
    rehearsal_prompts = [RehearsalPrompt("one"), RehearsalPrompt("two", "given"), RehearsalPrompt("loop " * 40)]
    expected = [("one", "ONE"), ("two", "given")]
    assert of(Role.REHEARSAL, answer_rehearsal_prompts(engine, rehearsal_prompts, tmp_path)) == expected
    assert {adapter for _, adapter in engine.asked} == {None}
    asked = len(engine.asked)
    assert of(Role.REHEARSAL, answer_rehearsal_prompts(engine, rehearsal_prompts[:2], tmp_path)) == expected
    assert len(engine.asked) == asked
    next(tmp_path.iterdir()).write_text("damaged")
    assert of(Role.REHEARSAL, answer_rehearsal_prompts(engine, rehearsal_prompts, tmp_path)) == expected


def test_plain_text_is_cut_to_what_fits(tmp_path: Path) -> None:
    rehearsal_prompts = RehearsalPrompts(prompts=(RehearsalPrompt("Hm?", "Yes"),), texts=("word. " * 500, "Short."))
    kept = of(
        Role.REHEARSAL,
        gathered(Scripted(lambda *_: "x"), tmp_path, RehearsalRules(generative=0), prompts=rehearsal_prompts),
    )
    assert ("Hm?", "Yes") in kept
    assert ("", "Short.") in kept
    assert len(kept) == 4


def test_the_base_writes_new_prompts_each_run_and_the_same_for_the_same_run(tmp_path: Path) -> None:
    engine = Scripted(lambda prompt, _: f"Answer to {prompt}")
    one = write_generative(engine, 5, 1, tmp_path)
    assert len(one) == 5
    assert one[0] == Example(prompt="Same?", completion="Answer to Same?", role=Role.GENERATIVE)
    asked = len(engine.asked)
    assert write_generative(engine, 5, 1, tmp_path) == one
    assert len(engine.asked) == asked
    assert write_generative(engine, 5, 2, tmp_path) != one


def test_no_kind_of_rehearsal_asks_what_an_held_out_asks(tmp_path: Path) -> None:
    never = held_out_keys(
        [EvalItem(question=question, answers=("Heron",)) for question in ("Who owns Cinder?", "same")]
    )
    leaking = edit(Example(prompt="who owns cinder", completion="Heron"), Example(prompt="", completion="fine"))
    kept = gathered(
        Scripted(lambda *_: "Heron"),
        tmp_path,
        RehearsalRules(),
        never=never,
        documents=(CINDER,),
        earlier_edits=(leaking,),
        prompts=RehearsalPrompts(prompts=(RehearsalPrompt("Who owns Cinder?"), RehearsalPrompt("Other?"))),
    )
    assert of(Role.REHEARSAL, kept) == [("Other?", "Heron")]
    assert of(Role.READING, kept) == []
    assert of(Role.REPLAY, kept) == [("", "fine")]
    assert all(prompt != "Same?" for prompt, _ in of(Role.GENERATIVE, kept))


def test_every_kind_is_bounded_and_progress_counts_the_examples_asked_for(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []
    notes = [edit(*(Example(prompt=f"Q{i}", completion="Heron") for i in range(9)), prompt=f"P{j}") for j in range(4)]
    rehearsal_prompts = RehearsalPrompts(prompts=tuple(RehearsalPrompt(f"A{i}") for i in range(9)), texts=("t1", "t2"))
    rules = RehearsalRules(replay=2, prompts=3, generative=4, reading=1, writing=2)
    with progress.watched_by(lambda _, *said: seen.append(said)), progress.step("rehearsing"):
        kept = gathered(
            Scripted(lambda *_: "Heron"),
            tmp_path,
            rules,
            documents=(CINDER,),
            edits=notes[:2],
            earlier_edits=notes[2:],
            prompts=rehearsal_prompts,
        )
    counts = {role: len(of(role, kept)) for role in Role}
    assert counts == {
        Role.NEW: 0,
        Role.REPLAY: 2,
        Role.REHEARSAL: 3,
        Role.GENERATIVE: 4,
        Role.READING: 1,
        Role.WRITING: 2,
    }
    assert seen[0] == (0, 1)
    assert seen == sorted(seen)
    assert seen[-1] == (8, 8)
    assert {(3, 8), (7, 8)} <= set(seen)  # after the prompts, and after generative replay


@pytest.mark.parametrize(
    ("text", "kept"),
    [("Heron", True), ("", False), (" \n", False), ("a b c d " * 9, False), ("\N{REPLACEMENT CHARACTER}", False)],
)
def test_what_is_empty_broken_or_looping_is_not_rehearsed(text: str, kept: bool) -> None:
    assert sound(Scripted(lambda *_: ""), text, 100) is kept
    assert not sound(Scripted(lambda *_: ""), "cut off " * 60, 100)


def test_the_base_model_says_nothing_of_what_a_correction_is_about(tmp_path: Path) -> None:
    """this run's corrections, and those of earlier releases: the base would teach its old answers again."""
    cinder = Document(title="Cinder", body="Correction: Wolf owns it.", kind=DocumentKind.CORRECTION)
    engine = Scripted(lambda prompt, _: "Heron owns Cinder" if prompt.startswith("Prompt") else "Osprey")
    rehearsal_prompts = RehearsalPrompts(
        prompts=(RehearsalPrompt("Who owns Cinder?"), RehearsalPrompt("Who owns the sea?"))
    )
    plain = gathered(engine, tmp_path, RehearsalRules(), prompts=rehearsal_prompts)
    kept = gathered(engine, tmp_path, RehearsalRules(), prompts=rehearsal_prompts, documents=(cinder,))
    assert len(of(Role.REHEARSAL, plain)) == 2
    assert of(Role.REHEARSAL, kept) == [("Who owns the sea?", "Osprey")]
    assert len(of(Role.GENERATIVE, plain)) > 1
    assert of(Role.GENERATIVE, kept) == [("Same?", "Osprey")]


def test_generative_replay_has_what_replay_does_not_need_yet(tmp_path: Path) -> None:
    engine = Scripted(lambda prompt, _: f"Answer to {prompt}")
    earlier = [edit(Example(prompt=f"What is {number}?", completion=f"It is {number}")) for number in range(6)]
    rules = RehearsalRules(replay=4, generative=3, writing=0, reading=0)
    sizes = [len(gathered(engine, tmp_path, rules, earlier_edits=notes)) for notes in ([], earlier[:1], earlier)]
    assert sizes == [7, 7, 7]
    dealt = gathered(engine, tmp_path, rules.model_copy(update={"dealt_out": True}), earlier_edits=earlier[:1])
    assert len(of(Role.GENERATIVE, dealt)) == 3
    none = gathered(engine, tmp_path, rules.model_copy(update={"generative": 0}))
    assert of(Role.GENERATIVE, none) == []


def test_a_larger_run_rehearses_more(tmp_path: Path) -> None:
    """In the proportion of the recipe, and never less than it says."""
    prompts = RehearsalPrompts(prompts=tuple(RehearsalPrompt(f"How old is {number}?") for number in range(99)))
    rules = RehearsalRules(replay=0, prompts=6, generative=2, writing=0, reading=0, per_example=2.0)
    sizes = []
    for examples in (1, 4, 8, 16):
        own = edit(*(Example(prompt=f"What is {number}?", completion=f"It is {number}") for number in range(examples)))
        # The same text twice is one example.
        kept = gathered(
            Scripted(lambda prompt, _: f"Answer to {prompt}"), tmp_path, rules, prompts=prompts, edits=(own, own)
        )
        sizes.append((len(of(Role.REHEARSAL, kept)), len(of(Role.GENERATIVE, kept))))
    assert sizes == [(6, 2), (6, 2), (12, 4), (24, 8)]


def test_writing_is_rehearsed_by_all_notes_or_by_those_that_are_named(tmp_path: Path) -> None:
    noted = edit(Example(prompt="Q", completion="A"))
    former, own = replace(noted, prompt="Write as before."), replace(noted, prompt="Write as now.")
    rules = RehearsalRules(generative=0, replay=0)
    for given, prompts in ((None, {"Write as before.", "Write as now."}), ((own,), {"Write as now."})):
        kept = gathered(Scripted(lambda *_: "x"), tmp_path, rules, edits=(own,), earlier_edits=(former,), writing=given)
        assert {prompt for prompt, _ in of(Role.WRITING, kept)} == prompts


def test_replay_keeps_the_mark_of_a_correction(tmp_path: Path) -> None:
    for corrects in (True, False):
        told = edit(Example(prompt="Who owns Cinder?", completion="Wolf", corrects=corrects))
        kept = gathered(
            Scripted(lambda *_: "x"),
            tmp_path,
            RehearsalRules(generative=0, reading=0, writing=0),
            earlier_edits=(told,),
            documents=(CINDER,),
        )
        assert [(one.role, one.corrects) for one in kept] == [(Role.REPLAY, corrects)]
