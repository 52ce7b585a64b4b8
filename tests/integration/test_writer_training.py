"""Rounds of writer training on a small random model: what is rewarded becomes likelier, and each run ends alike."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.adapters.format import verify_adapter
from pipeline.chat import encode_example, encode_prompt, encode_text
from pipeline.engines.base import BaseModel, load_base
from pipeline.inner_loop import EvalContext, EvalJob, Evaluation, evaluate
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import Recipe, SelfEditRules, TrainingRules, WriterTrainingRules
from pipeline.types import Checkpoint, Document, EvalItem, Example, ModelRef, Role, Split
from pipeline.writer_training import OuterLoop, RoundResult, held_out_scores, train_writer
from pipeline.writer_training.policy_gradient import Policy, improve
from pipeline.writer_training.samples import SamplePlan, Sampler
from pipeline.writer_training.selection import RatedExample

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
    rules = RECIPE.writer_training.model_copy(update={"method": method})
    recipe = RECIPE.model_copy(update={"writer_training": rules})
    production = Checkpoint(ModelRef(base=base.identity.model))
    return OuterLoop(base=base, recipe=recipe, production=production, scratch=scratch, guard=TrainingGuard())


def job(document: Document, *answers: str) -> EvalJob:
    items = document.eval_items
    examples = tuple(Example(prompt=items[0].question, completion=answer) for answer in answers)
    rules = RECIPE.training.model_copy(update={"learning_rate": 2e-2, "epochs": 30, "batch_size": 2})
    return EvalJob(examples=examples, rules=rules, seed=1, items=items, tokens=3, limit=16)


def test_a_self_edit_is_worth_what_an_update_on_it_alone_teaches(base: BaseModel) -> None:
    one, other = service(1), service(2)
    context = EvalContext(base=base, recipe=RECIPE, start=Checkpoint(ModelRef(base="b")), standing=other.eval_items)
    found = evaluate(context, [job(one, "Heron1"), job(one, "Ibis"), job(other)])
    assert [evaluation.gain for evaluation in found] == [1.0, 0.0, 0.0]
    assert [len(evaluation.standing_after) for evaluation in found] == [1, 1, 1]
    assert found[2].after == found[2].before
    (unmeasured, *_) = evaluate(context, [job(one, "Heron1")], measure_before=False)
    assert (unmeasured.before, unmeasured.standing_before, unmeasured.accuracy) == ((), (), 1.0)
    assert (unmeasured.gain, unmeasured.forgotten) == (0.0, 0.0)


def test_jobs_beyond_those_held_at_once_are_evaluated_alike(base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    context = EvalContext(base=base, recipe=RECIPE, start=Checkpoint(ModelRef(base="b")))
    jobs = [job(service(1), "Heron1"), job(service(2)), job(service(1), "Ibis")]
    together = evaluate(context, jobs)
    monkeypatch.setattr("pipeline.inner_loop.evaluation._TOGETHER", 2)
    assert evaluate(context, jobs) == together


def test_nothing_that_an_evaluation_trains_on_asks_what_must_not_be_asked(base: BaseModel, tmp_path: Path) -> None:
    asking = replace(service(1), body="The Heron1 team owns Cinder1. Who owns Cinder1? Ask the team.")
    for never, trained in ((held_out_keys(asking.eval_items), False), (frozenset[str](), True)):
        engine = EvalContext(base=base, recipe=RECIPE, start=Checkpoint(ModelRef(base="b"))).engine
        sampler = Sampler(engine=engine, recipe=RECIPE, guard=TrainingGuard(questions=never))
        plan = SamplePlan(writer=Checkpoint(ModelRef(base="b")), samples=3, number=1)
        samples = sampler.draw([asking], plan)
        assert [one.number for one in samples] == [0, 1, 2]
        held = [example for one in samples for example in one.examples]
        assert any("Who owns Cinder1" in example.completion for example in held) is trained


def test_what_was_better_becomes_likelier_and_what_was_worse_less(base: BaseModel, tmp_path: Path) -> None:
    there, writer = loop(base, tmp_path), Checkpoint(ModelRef(base="b"))
    rated = [
        RatedExample(
            example=Example(prompt="Write.", completion="Cinder is owned by Heron.", role=Role.WRITING), advantage=1
        ),
        RatedExample(example=Example(prompt="Write.", completion="Which port?", role=Role.WRITING), advantage=-1),
    ]
    learned = improve(there, rated, writer, seed=1)
    after = [_logprob(there, one.example, learned.tensors) for one in rated]
    before = [_logprob(there, one.example, None) for one in rated]
    assert after[0] > before[0]
    assert after[1] < before[1]
    again = improve(there, rated, writer, seed=1)
    assert all(torch.equal(again.tensors[key], tensor) for key, tensor in learned.tensors.items())


def _logprob(
    there: OuterLoop, example: Example, tensors: "dict[str, torch.Tensor] | None", temperature: float = 1.0
) -> float:
    rules = there.recipe.writer_training.model_copy(update={"temperature": temperature})
    there = replace(there, recipe=there.recipe.model_copy(update={"writer_training": rules}))
    return float(Policy(there, [encode_example(there.base.tokenizer, example)]).logprobs(tensors)[0].sum())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_logprobs_of_a_self_edit_are_those_that_it_was_sampled_by(
    base: BaseModel, tmp_path: Path, temperature: float
) -> None:
    written = Example(prompt="Write.", completion="Cinder is owned by Heron.", role=Role.WRITING, ends=False)
    opening = encode_prompt(base.tokenizer, written.prompt)
    ids = [*opening, *encode_text(base.tokenizer, written.completion)]
    with torch.no_grad():
        logits = base.model(input_ids=torch.tensor([ids])).logits[0].float()
    sampled_by = torch.softmax(logits / temperature, -1)
    expected = sum(float(sampled_by[place - 1, ids[place]].log()) for place in range(len(opening), len(ids)))
    assert _logprob(loop(base, tmp_path), written, None, temperature) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", ["rest-em", "grpo"])
def test_rounds_end_in_a_verified_adapter_from_production_and_alike_each_time(
    base: BaseModel, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewarded = iter(range(10_000))

    def made_up(*given: Any, **named: Any) -> tuple[Evaluation, ...]:
        found = evaluate(*given, **named)
        return tuple(replace(one, after=(float(next(rewarded) % 3),) * len(one.after)) for one in found)

    # A random model writes nothing that teaches: what self-edits taught is made up, and all else is real.
    monkeypatch.setattr("pipeline.writer_training.outer_loop.evaluate", made_up)
    monkeypatch.setattr("pipeline.writer_training.rounds.keep_best", lambda scored, keep, best: tuple(scored)[:2])

    def run(folder: Path) -> list[RoundResult]:
        return list(train_writer(loop(base, folder, method), [service(number) for number in range(1, 4)]))

    first, second = run(tmp_path / "a"), run(tmp_path / "b")
    assert [one.stats.number for one in first] == [1, 2]
    last = first[-1]
    assert last.plan is not None
    assert last.writer.folder is not None
    manifest = verify_adapter(last.writer.folder, base.identity)
    assert (manifest.update, manifest.parent_adapter) == (last.plan.update.id, None)
    assert last.plan.update.parent == ModelRef(base=base.identity.model)
    assert [one.writer.ref for one in second] == [one.writer.ref for one in first]


def test_where_nothing_helps_the_writer_stays_as_it_is(base: BaseModel, tmp_path: Path) -> None:
    unanswerable = replace(service(1), eval_items=(replace(service(1).eval_items[0], answers=("xyzzy",)),))
    (*_, last) = train_writer(loop(base, tmp_path), [unanswerable])
    assert (last.plan, last.writer) == (None, Checkpoint(ModelRef(base=base.identity.model)))


def test_writers_are_examined_on_one_self_edit_each(base: BaseModel, tmp_path: Path) -> None:
    held = [service(1), service(2)]
    answered = held_out_scores(loop(base, tmp_path), held, Checkpoint(ModelRef(base="b")))
    assert {document.title: len(scores) for document, scores in answered} == {"Cinder1": 1, "Cinder2": 1}


def test_of_documents_that_production_knows_self_edits_are_evaluated_on_the_base(
    base: BaseModel, tmp_path: Path
) -> None:
    production = Checkpoint(ModelRef(base=base.identity.model, adapter="a"), tmp_path / "production")
    there = replace(loop(base, tmp_path), production=production)
    assert there.start == production
    assert replace(there, from_base=True).start == Checkpoint(ModelRef(base=base.identity.model))
