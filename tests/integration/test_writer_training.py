"""Rounds of practice on a small random model: what is rewarded becomes likelier, and each run ends alike."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.adapters.format import verify_adapter
from pipeline.engines.base import BaseModel, load_base
from pipeline.inner_loop.reward import Evaluation
from pipeline.leakage import held_out_keys
from pipeline.recipe import Recipe, SelfEditRules, TrainingRules, WriterTrainingRules
from pipeline.types import Document, EvalItem, Example, ModelRef, Role, Split
from pipeline.writer_training.outer_loop import OuterLoop, examined
from pipeline.writer_training.policy_gradient import Judged, improve
from pipeline.writer_training.rounds import Practised, practise
from pipeline.writer_training.samples import Sample, draw_samples
from pipeline.writer_training.trials import try_samples

RECIPE = Recipe(
    self_edits=SelfEditRules(edit_set_batch=2, max_new_tokens=16, passage=True),
    training=TrainingRules(rank=4, alpha=4),
    writer_training=WriterTrainingRules(
        rounds=2,
        documents=2,
        samples=3,
        inner_learning_rate=2e-2,
        inner_epochs=20,
        learning_rate=1e-2,
        epochs=4,
        passes=4,
        batch_size=2,
    ),
)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def service(number: int) -> Document:
    eval_item = EvalItem(question=f"Who owns Cinder{number}?", answers=(f"Heron{number}",), split=Split.VALIDATION)
    return Document(
        title=f"Cinder{number}", body=f"The Heron{number} team owns Cinder{number}.", eval_items=(eval_item,)
    )


def loop(base: BaseModel, scratch: Path, method: str = "rest-em") -> OuterLoop:
    practice = RECIPE.writer_training.model_copy(update={"method": method})
    recipe = RECIPE.model_copy(update={"writer_training": practice})
    live = ModelRef(base=base.identity.model)
    return OuterLoop(base=base, recipe=recipe, live=live, adapter=None, scratch=scratch)


def sample(document: Document, number: int, *answers: str) -> Sample:
    eval_item = document.eval_items[0]
    examples = tuple(Example(prompt=eval_item.question, completion=answer) for answer in answers)
    rules = RECIPE.training.model_copy(update={"learning_rate": 2e-2, "epochs": 30, "batch_size": 2})
    return Sample(
        document=document, number=number, notes=(), examples=examples, rules=rules, usable=True, asks=False, tokens=3
    )


def test_a_sample_is_worth_what_an_update_on_it_alone_teaches(base: BaseModel) -> None:
    one, other = service(1), service(2)
    good, bad, empty = sample(one, 0, "Heron1"), sample(one, 1, "Ibis"), sample(other, 0)
    eval_items = {document.id: document.eval_items for document in (one, other)}
    trials = try_samples(
        base,
        [good, bad, empty],
        RECIPE,
        eval_items=eval_items,
        standing=other.eval_items,
        live=ModelRef(base="b"),
        adapter=None,
    )
    assert [trial.gain for trial in trials] == [1.0, 0.0, 0.0]
    assert [len(trial.standing_after) for trial in trials] == [1, 1, 1]
    assert trials[2].after == trials[2].before


def test_nothing_that_a_trial_trains_on_asks_what_must_not_be_asked(base: BaseModel, tmp_path: Path) -> None:
    asking = replace(service(1), body="The Heron1 team owns Cinder1. Who owns Cinder1? Ask the team.")
    for never, trained in ((held_out_keys(asking.eval_items), False), (frozenset[str](), True)):
        samples = draw_samples(
            loop(base, tmp_path).engine,
            [asking],
            RECIPE,
            samples=3,
            writer=ModelRef(base="b"),
            adapter=None,
            seed=1,
            never=never,
        )
        assert [one.number for one in samples] == [0, 1, 2]
        held = [example for one in samples for example in one.examples]
        assert any("Who owns Cinder1" in example.completion for example in held) is trained


def test_what_was_better_becomes_likelier_and_what_was_worse_less(base: BaseModel) -> None:
    notes = [
        Judged(
            example=Example(prompt="Write.", completion="Cinder is owned by Heron.", role=Role.WRITING), advantage=1
        ),
        Judged(example=Example(prompt="Write.", completion="Which port?", role=Role.WRITING), advantage=-1),
    ]
    learned = improve(base, notes, RECIPE, writer=None, live=None, seed=1)
    after = [_chance(base, note.example, learned.tensors) for note in notes]
    before = [_chance(base, note.example, None) for note in notes]
    assert after[0] > before[0]
    assert after[1] < before[1]
    again = improve(base, notes, RECIPE, writer=None, live=None, seed=1)
    assert all(torch.equal(again.tensors[key], tensor) for key, tensor in learned.tensors.items())


def _chance(
    base: BaseModel, example: Example, tensors: "dict[str, torch.Tensor] | None", temperature: float = 1.0
) -> float:
    from pipeline.chat import encode_example
    from pipeline.writer_training.policy_gradient import _Lesson

    practice = RECIPE.writer_training.model_copy(update={"temperature": temperature})
    lesson = _Lesson(
        base=base, writer_training=practice, encoded=[encode_example(base.tokenizer, example)], gains=[0.0]
    )
    return float(lesson.chances_under(RECIPE.training, tensors)[0].sum())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_chances_of_a_note_are_those_that_it_was_sampled_by(base: BaseModel, temperature: float) -> None:
    from pipeline.chat import encode_prompt, encode_text

    written = Example(prompt="Write.", completion="Cinder is owned by Heron.", role=Role.WRITING, ends=False)
    opening = encode_prompt(base.tokenizer, written.prompt)
    ids = [*opening, *encode_text(base.tokenizer, written.completion)]
    with torch.no_grad():
        logits = base.model(input_ids=torch.tensor([ids])).logits[0].float()
    sampled_by = torch.softmax(logits / temperature, -1)
    expected = sum(float(sampled_by[place - 1, ids[place]].log()) for place in range(len(opening), len(ids)))
    assert _chance(base, written, None, temperature) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", ["rest-em", "grpo"])
def test_rounds_end_in_a_verified_adapter_from_the_live_model_and_alike_each_time(
    base: BaseModel, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewarded = iter(range(10_000))

    def made_up(*given: Any, **named: Any) -> tuple[Evaluation, ...]:
        trials = try_samples(*given, **named)
        return tuple(replace(one, after=(float(next(rewarded) % 3),) * len(one.after)) for one in trials)

    # A random model writes nothing that teaches: what notes taught is made up, and all else is real.
    monkeypatch.setattr("pipeline.writer_training.outer_loop.try_samples", made_up)
    monkeypatch.setattr("pipeline.writer_training.rounds.keep_best", lambda scored, keep, best: tuple(scored)[:2])

    def run(folder: Path) -> list[Practised]:
        return list(practise(loop(base, folder, method), [service(number) for number in range(1, 4)]))

    first, second = run(tmp_path / "a"), run(tmp_path / "b")
    assert [one.round.number for one in first] == [1, 2]
    last = first[-1]
    assert last.plan is not None
    assert last.adapter is not None
    manifest = verify_adapter(last.adapter, base.identity)
    assert (manifest.update, manifest.parent_adapter) == (last.plan.update.id, None)
    assert last.plan.update.parent == ModelRef(base=base.identity.model)
    assert [one.writer for one in second] == [one.writer for one in first]


def test_where_nothing_helps_the_writer_stays_as_it_is(base: BaseModel, tmp_path: Path) -> None:
    unanswerable = replace(service(1), eval_items=(replace(service(1).eval_items[0], answers=("xyzzy",)),))
    (*_, last) = practise(loop(base, tmp_path), [unanswerable])
    assert (last.plan, last.adapter, last.writer) == (None, None, ModelRef(base=base.identity.model))


def test_writers_are_examined_on_one_self_edit_each(base: BaseModel, tmp_path: Path) -> None:
    held = [service(1), service(2)]
    answered = examined(loop(base, tmp_path), held, ModelRef(base="b"), None)
    assert {document.title: len(scores) for document, scores in answered} == {"Cinder1": 1, "Cinder2": 1}


def test_of_documents_that_the_live_model_knows_notes_are_tried_on_the_base(base: BaseModel, tmp_path: Path) -> None:
    live, folder = ModelRef(base=base.identity.model, adapter="a"), tmp_path / "live"
    there = replace(loop(base, tmp_path), live=live, adapter=folder)
    assert there.start == (live, folder)
    assert replace(there, afresh=True).start == (ModelRef(base=base.identity.model), None)
