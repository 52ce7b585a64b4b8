"""K adapters trained at once are those that PEFT trains alone; what does not fit waits; bad input is told first."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.peers import peft_alone
from pipeline import progress, training
from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.format import verify_adapter
from pipeline.adapters.saving import save_adapter
from pipeline.adapters.stack import shapes_of, stack_of, start_of
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import BadInput, BadRecipe, CorruptAdapter, TooLittleMemory, WrongBase
from pipeline.training import TrainingJob, TrainingResult, answer_many, lr_schedule, score_many, train_many
from pipeline.training.jobs import Microbatch, SequenceTable
from pipeline.training.lora_linear import adapters_on, with_adapters
from pipeline.training.many import JobBatch
from pipeline.training.memory import activation_bytes
from pipeline.training.objective import Objective
from pipeline.training.sequences import make_sequences
from pipeline.types import EvalItem, Example
from tests.training_jobs import FACTS, FROM, KINDS, RULES, job_of, rules


@pytest.fixture(scope="module")
def bases(tiny_model: Callable[..., Path]) -> dict[str, BaseModel]:
    return {kind: load_base(str(tiny_model(kind)), device="cpu") for kind in KINDS}


def by_peft(base: BaseModel, one: TrainingJob, start: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
    """The job trained by PEFT alone, with the same order, start and schedule."""
    encoded_job = SequenceTable().encoded_job(base.tokenizer, one)
    encoded = [encode_example(base.tokenizer, example, whole=one.rules.loss_on == "all") for example in one.examples]
    shapes = shapes_of(linear_layers(base.model), one.rules.rank)
    return peft_alone.reference(
        base,
        make_sequences(encoded, base.context, base.device),
        [list(microbatch.rows) for microbatch in encoded_job.microbatches()],
        rank=one.rules.rank,
        alpha=one.rules.alpha,
        clip_norm=one.rules.clip_norm,
        learning_rates=[
            one.rules.learning_rate * lr_schedule(step, encoded_job.steps, one.rules.warmup)
            for step in range(encoded_job.steps)
        ],
        start=start or stack_of(start_of(shapes, one.seed, None)[None], shapes).tensors(0),
    )


def furthest(ours: TrainingResult, theirs: dict[str, torch.Tensor]) -> float:
    assert set(ours.tensors) == set(theirs)
    return max(float((ours.tensors[key] - theirs[key]).abs().max()) for key in theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_each_adapter_equals_the_one_that_peft_trains_alone(
    bases: dict[str, BaseModel], tmp_path: Path, kind: str
) -> None:
    """Ragged numbers of sequences, batch sizes, epochs, rates, losses and parents; the first takes 50 steps."""
    base = bases[kind]
    (parent,) = train_many(base, [job_of(FACTS[:2], seed=9, epochs=12)])
    save_adapter(tmp_path / "parent", base.identity, base.model, parent, RULES, FROM)
    jobs = [
        job_of(FACTS[:4], epochs=25),
        job_of(FACTS, seed=2, batch_size=3, epochs=8, learning_rate=3e-3),
        job_of(FACTS[3:], seed=3, epochs=5, loss_on="all"),
        job_of(FACTS[1:], seed=4, epochs=10, parent=tmp_path / "parent"),
    ]
    learned = train_many(base, jobs)
    assert [one.steps for one in learned] == [50, 16, 5, 20]
    for one, ours in zip(jobs, learned, strict=True):
        assert furthest(ours, by_peft(base, one, parent.tensors if one.parent else None)) <= 1e-5
    assert furthest(learned[0], learned[1].tensors) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_together_answers_together_and_with_plain_peft(
    bases: dict[str, BaseModel], tiny_model: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base, hard = bases[kind], {"rank": 8, "alpha": 8, "learning_rate": 1e-2, "epochs": 60}
    before = {name: tensor.clone() for name, tensor in base.model.state_dict().items()}
    jobs = [job_of(FACTS[:1], **hard), job_of(FACTS[1:2], **hard), job_of((FACTS[0], FACTS[1], FACTS[3]), **hard)]
    learned = train_many(base, jobs)
    questions = [[one.prompt for one in own.examples] for own in jobs]
    shape = rules(**hard)
    answers = answer_many(base, [one.tensors for one in learned], questions, shape, max_new_tokens=12)
    assert answers == (("Heron",), ("8443",), ("Heron", "8443", "Oslo"))
    for number, one in enumerate(learned):
        manifest = save_adapter(tmp_path / str(number), base.identity, base.model, one, shape, FROM)
        assert verify_adapter(tmp_path / str(number), base.identity) == manifest
        alone = LocalEngine(base).generate(
            questions[number], SamplingParams(max_new_tokens=12), adapter=tmp_path / str(number)
        )
        assert answers[number] == tuple(samples[0] for samples in alone)
    fresh = AutoModelForCausalLM.from_pretrained(tiny_model(kind)).eval()
    theirs = PeftModel.from_pretrained(fresh, str(tmp_path / "2"))
    ids = torch.arange(3, 23)[None]
    with torch.inference_mode(), with_adapter(base, tmp_path / "2") as model:
        assert torch.allclose(theirs(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-5)
    after = base.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not any("forward" in vars(module) for module in base.model.modules())


def test_answers_are_graded_adapter_by_adapter(bases: dict[str, BaseModel]) -> None:
    base, hard = bases["llama"], {"rank": 8, "alpha": 8, "learning_rate": 1e-2, "epochs": 60}
    learned = train_many(base, [job_of(FACTS[:1], **hard), job_of(FACTS[1:2], **hard)])
    asked = [
        EvalItem(question="Who owns Cinder?", answers=("Heron",)),
        EvalItem(question="Which port?", answers=("8443",)),
    ]
    scores = score_many(base, [one.tensors for one in learned], [asked, asked[1:]], rules(**hard), max_new_tokens=12)
    assert scores[0][0] == 1.0
    assert scores[1] == (1.0,)


def test_the_same_adapters_come_out_however_few_fit_at_once(bases: dict[str, BaseModel]) -> None:
    base = bases["llama"]
    jobs = [job_of(FACTS[:count], seed=count) for count in (1, 2, 3, 4, 5)]
    together = train_many(base, jobs)
    need = JobBatch.of(base, list(enumerate(jobs))).need()
    in_turns = train_many(base, jobs, max_bytes=need.of(2) + 1)
    for one, other in zip(together, in_turns, strict=True):
        assert furthest(one, other.tensors) <= 1e-5
        assert (one.steps, one.tokens) == (other.steps, other.tokens)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_does_not_fit_recomputes_its_activations(bases: dict[str, BaseModel], kind: str) -> None:
    base = bases[kind]
    jobs = [job_of(batch_size=5)]
    need = JobBatch.of(base, list(enumerate(jobs))).need()
    (frugal,) = train_many(base, jobs, max_bytes=need.of(1) - 1)
    (plain,) = train_many(base, jobs)
    assert furthest(frugal, plain.tensors) <= 1e-5
    assert not any(module.training for module in base.model.modules())
    with pytest.raises(TooLittleMemory, match="training one adapter needs"):
        train_many(base, jobs, max_bytes=need.state)


def test_an_adapter_that_diverges_leaves_the_others_alone(bases: dict[str, BaseModel]) -> None:
    base = bases["llama"]
    wild, tame = job_of(clip_norm=1e30, epochs=40), job_of(seed=2)
    wild = replace(wild, rules=wild.rules.model_copy(update={"learning_rate": 1e30}))
    (alone,) = train_many(base, [tame])
    broken, beside = train_many(base, [wild, tame])
    assert not torch.isfinite(torch.tensor(broken.final_loss))
    assert broken.steps < 40 * 3
    assert furthest(beside, alone.tensors) <= 1e-5


def test_an_adapter_stops_when_it_has_learned_enough(bases: dict[str, BaseModel]) -> None:
    base = bases["qwen3"]
    quick, whole = job_of(FACTS[:1], stop_below=2.0, epochs=200, learning_rate=1e-2), job_of(FACTS[:1], epochs=30)
    stopped, ran = train_many(base, [quick, whole])
    assert stopped.steps < 200
    assert stopped.final_loss <= 2.0
    assert ran.steps == 30


def test_only_the_named_layers_are_adapted(bases: dict[str, BaseModel], tmp_path: Path) -> None:
    base, some = bases["llama"], {"targets": ("q_proj", "v_proj")}
    (one,) = train_many(base, [job_of(**some)])
    assert {key.split(".")[-3] for key in one.tensors} == {"q_proj", "v_proj"}
    save_adapter(tmp_path / "some", base.identity, base.model, one, rules(**some), FROM)
    with with_adapter(base, tmp_path / "some") as model:
        assert torch.isfinite(model(input_ids=torch.arange(3, 23)[None]).logits).all()
    with pytest.raises(BadInput, match="changes the layers q_proj, v_proj"):
        train_many(base, [job_of(parent=tmp_path / "some")])


def test_the_example_of_the_readme_trains_and_scores(bases: dict[str, BaseModel]) -> None:
    text = (Path(training.__file__).parent / "README.md").read_text(encoding="utf-8")
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    given: dict[str, Any] = {"base": bases["llama"], "rules": rules(epochs=2), "candidates": [FACTS[:1], FACTS[1:3]]}
    given["items"] = [[EvalItem(question="Which port?", answers=("8443",))]] * 2
    exec(code, given)
    assert [one.steps for one in given["results"]] == [2, 2]
    assert [len(own) for own in given["scores"]] == [1, 1]


@contextmanager
def watched(seen: list[float]) -> Iterator[None]:
    """Keeps what the training within this block reports as done."""
    with progress.watched_by(lambda _, done, __: seen.append(done) if done else None), progress.step("training"):
        yield


def test_bad_jobs_are_told_before_any_training(
    bases: dict[str, BaseModel], tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    base, other = bases["llama"], bases["qwen3"]
    seen: list[float] = []

    def refused(error: type[Exception], words: str, *jobs: TrainingJob) -> None:
        with pytest.raises(error, match=words), watched(seen):
            train_many(base, [job_of(), *jobs])

    refused(BadInput, "nothing to train on", job_of(()))
    refused(BadInput, "a sequence may have 256", job_of((Example(prompt="", completion="word " * 600),)))
    refused(BadRecipe, "LlamaRMSNorm, which cannot take LoRA", job_of(targets=("input_layernorm",)))
    refused(BadRecipe, "no layer 'query'.*q_proj", job_of(targets=("query",)))
    refused(BadInput, "at most 4 x training.rank", job_of(alpha=17))
    (foreign,) = train_many(other, [job_of()])
    save_adapter(tmp_path / "foreign", other.identity, other.model, foreign, RULES, FROM)
    refused(WrongBase, "another model", job_of(parent=tmp_path / "foreign"))
    refused(CorruptAdapter, "no adapter directory", job_of(parent=tmp_path / "nowhere"))
    with pytest.raises(BadInput, match="Give at least one job"):
        train_many(base, [])
    assert seen == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_for_granted_is_more_than_what_is_measured(bases: dict[str, BaseModel], kind: str) -> None:
    batch = JobBatch.of(bases[kind], [(0, job_of(batch_size=5, loss_on="all"))])
    assert batch.need_at_most().activations > batch.need().activations


def test_no_step_takes_more_than_is_measured_whatever_its_sequences_share(bases: dict[str, BaseModel]) -> None:
    """The longest two share nearly all, the two of another step nothing."""
    base, words = bases["llama"], "the Cinder service keeps invoices in the Oslo region "
    alike = [Example(prompt=f"Where? {words * 2}", completion=name) for name in ("Oslo", "Lima")]
    unlike = [Example(prompt=f"{name} {words * 2}", completion=name) for name in ("A", "B")]
    batch = JobBatch.of(base, [(0, job_of((*alike, *unlike)))])
    rows, model = batch.jobs[0].rows, base.model
    assert {*batch._largest()} == {*rows[:2]}
    with with_adapters(base, RULES, batch.starts) as adapted, batch.objective.attention():
        owned = {one.untyped_storage().data_ptr() for one in (*model.parameters(), adapted.stack.flat)}
        taken = [
            activation_bytes(lambda pair=pair: batch.objective.losses(adapted, [Microbatch(rows=pair)]), owned)
            for pair in (rows[:2], rows[2:])
        ]
    assert taken[0] < taken[1] <= batch.need().activations


@pytest.mark.parametrize("kind", KINDS)
def test_measuring_what_a_step_takes_leaves_nothing_behind(bases: dict[str, BaseModel], kind: str) -> None:
    batch = JobBatch.of(bases[kind], [(0, job_of(batch_size=5))])

    def tensors_in_graphs() -> int:
        gc.collect()
        return sum(type(one) is torch.Tensor and one.grad_fn is not None for one in gc.get_objects())

    before = tensors_in_graphs()
    batch.need()
    assert tensors_in_graphs() == before


def test_sequences_count_alike_in_a_step_or_their_tokens_do(bases: dict[str, BaseModel]) -> None:
    """Of a step of two sequences the gradient is the mean of theirs: PEFT's with steps of one, accumulated."""
    base, short, long = bases["llama"], FACTS[4], FACTS[2]
    encoded = [encode_example(base.tokenizer, example) for example in (short, long)]
    objective = Objective(base.model, make_sequences(encoded, base.context, base.device))
    shapes = shapes_of(linear_layers(base.model), 4)

    def gradient(batch: list[list[int]], by_tokens: bool) -> torch.Tensor:
        stack = stack_of(torch.stack([start_of(shapes, 1, None)] * len(batch)), shapes)
        with adapters_on(base.model, stack, scale=1.0, targets=()) as adapted, objective.attention():
            microbatches = [Microbatch(rows=rows, by_tokens=by_tokens) for rows in batch]
            objective.losses(adapted, microbatches).sum().backward()  # type: ignore[no-untyped-call]
        return stack.gradients

    alone = gradient([[0], [1]], by_tokens=True)
    counts = torch.tensor([sum(one.loss[1:]) for one in encoded], dtype=torch.float32)
    assert counts[1] > 3 * counts[0]
    assert torch.allclose(gradient([[0, 1]], by_tokens=False)[0], alone.mean(0), atol=1e-5)
    assert torch.allclose(gradient([[0, 1]], by_tokens=True)[0], (counts / counts.sum()) @ alone, atol=1e-5)


def test_each_group_keeps_its_own_limit_and_no_other_s(bases: dict[str, BaseModel]) -> None:
    base = bases["llama"]
    limit = len(encode_example(base.tokenizer, FACTS[3]).ids) - 1
    short, long = job_of(FACTS[4:], max_tokens=limit, epochs=1), job_of(FACTS[3:4], epochs=1)
    assert len(train_many(base, [short, long])) == 2
    with pytest.raises(BadInput, match=f"a sequence may have {limit}"):
        train_many(base, [long, job_of(FACTS[3:4], max_tokens=limit, epochs=1)])


def test_nothing_is_trained_where_one_rank_does_not_fit(bases: dict[str, BaseModel]) -> None:
    base, seen = bases["llama"], list[float]()
    small, large = job_of(epochs=1), job_of(rank=64, alpha=64, epochs=1)
    memory = JobBatch.of(base, [(0, small)]).need().of(1) + 1
    with pytest.raises(TooLittleMemory), watched(seen):
        train_many(base, [small, large], max_bytes=memory)
    assert seen == []
