"""What an adapter is held to beside its words: the base model, its parent, the base with the document in its prompt."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline import progress
from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.saving import save_adapter
from pipeline.adapters.stack import shapes_of, stack_of, start_of
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.recipe import NO_DISTILLATION, RehearsalRules
from pipeline.training import TrainingResult, train_many
from pipeline.training.jobs import SequenceTable
from pipeline.training.lora_linear import adapters_on
from pipeline.types import Example, Role
from tests.training_jobs import FACTS, FROM, job_of, rules


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def test_what_is_taught_is_pulled_to_the_untouched_base(base: BaseModel) -> None:
    """With a strong pull the adapter answers a taught prompt as the base does, though told otherwise."""
    engine = LocalEngine(base)
    ((said,),) = engine.generate(["Name a word."], SamplingParams(max_new_tokens=4), adapter=None)
    taught = Example(prompt="Name a word.", completion=said, role=Role.GENERATIVE)
    hard: dict[str, object] = {"rank": 8, "alpha": 8, "learning_rate": 1e-2, "epochs": 20}
    free, held = (
        replace(
            job_of((*FACTS[:2], taught), **hard), rehearsal=NO_DISTILLATION.model_copy(update={"kl_weight": weight})
        )
        for weight in (0.0, 20.0)
    )
    loose, tight = train_many(base, [free, held])
    ids = torch.tensor([list(encode_example(base.tokenizer, taught).ids)])
    plain = base.model(input_ids=ids).logits.log_softmax(-1)
    apart = []
    for number, one in enumerate((loose, tight)):
        shapes = shapes_of(linear_layers(base.model), 8)
        stack = stack_of(start_of(shapes, 0, one.tensors)[None], shapes)
        with adapters_on(base.model, stack, scale=1.0, targets=()), torch.no_grad():
            logits = base.model(input_ids=ids).logits.log_softmax(-1)
        apart.append(float((plain.exp() * (plain - logits)).detach().sum(-1)[0, -len(said) :].mean()))
        assert number == len(apart) - 1
    assert apart[1] < 0.5 * apart[0]


def test_what_the_base_says_with_the_document_is_learned_without_it(base: BaseModel) -> None:
    """The base's probabilities under another prompt, not the words alone: a strong pull ends nearer to them."""
    asked, seen = "Who owns Cinder?", "The Heron team owns Cinder.\n\nWho owns Cinder?"
    example = Example(prompt=asked, completion="Heron team", taught_by=seen)
    hard: dict[str, object] = {"rank": 8, "alpha": 8, "learning_rate": 1e-2, "epochs": 60}
    apart = []
    for weight in (0.0, 20.0):
        (one,) = train_many(base, [job_of((example,), teaching_weight=weight, **hard)])
        apart.append(_distance(base, one, example, seen))
    assert apart[1] < 0.2 * apart[0]


def _distance(base: BaseModel, one: TrainingResult, example: Example, seen: str) -> float:
    """The mean KL, over the completion's tokens, from the base under `seen` to the adapter under the prompt."""
    logprobs = []
    shapes = shapes_of(linear_layers(base.model), 8)
    stack = stack_of(start_of(shapes, 0, one.tensors)[None], shapes)
    for prompt, adapted in ((seen, False), (example.prompt, True)):
        encoded = encode_example(base.tokenizer, replace(example, prompt=prompt))
        ids, first = torch.tensor([list(encoded.ids)]), encoded.loss.index(True)
        with torch.no_grad():
            if adapted:
                with adapters_on(base.model, stack, scale=1.0, targets=()):
                    logits = base.model(input_ids=ids).logits
            else:
                logits = base.model(input_ids=ids).logits
        logprobs.append(logits[0, first - 1 : -1].log_softmax(-1))
    taught, learned = logprobs
    return float((taught.exp() * (taught - learned)).sum(-1).mean())


def test_rows_taught_otherwise_are_rows_of_their_own_and_replay_is_held_to_the_parent(
    base: BaseModel,
) -> None:
    taught = Example(prompt="Who owns Cinder?", completion="Heron", taught_by="Heron owns it.\n\nWho owns Cinder?")
    plain, replayed = replace(taught, taught_by=None), replace(taught, role=Role.REPLAY)
    table = SequenceTable()
    encoded = table.encoded_job(base.tokenizer, job_of((taught, plain, replayed)))
    assert list(table.taught) == [encoded.rows[0]]
    assert encoded.rows[0] != encoded.rows[1] == encoded.rows[2]
    assert taught.id != plain.id


def test_what_is_replayed_is_held_to_the_parent_that_knows_it(base: BaseModel, tmp_path: Path) -> None:
    """The run says otherwise. A child of a parent that was right stays near it; one that was wrong is not heard."""
    asked = "Who owns Cinder?"
    hard: dict[str, object] = {"rank": 8, "alpha": 8, "learning_rate": 1e-2, "epochs": 20, "new_weight": 1.0}
    said = [Example(prompt=asked, completion=one) for one in ("Heron", "8443")]
    parents = train_many(base, [job_of((one,), **(hard | {"epochs": 60})) for one in said])
    for number, one in enumerate(parents):
        save_adapter(tmp_path / str(number), base.identity, base.model, one, rules(**hard), FROM)
    encoded = encode_example(base.tokenizer, said[0])
    ids, first = torch.tensor([list(encoded.ids)]), encoded.loss.index(True)
    shapes = shapes_of(linear_layers(base.model), 8)

    def chance(one: TrainingResult) -> float:
        """That the answer begins as the replayed one does."""
        stack = stack_of(start_of(shapes, 0, one.tensors)[None], shapes)
        with adapters_on(base.model, stack, scale=1.0, targets=()), torch.no_grad():
            chances = base.model(input_ids=ids).logits[0, first - 1].softmax(-1)
        return float(chances[encoded.ids[first]])

    both = (said[1], replace(said[0], role=Role.REPLAY))
    free = [job_of(both, parent=tmp_path / str(number), **hard) for number in range(2)]
    held = [replace(one, rehearsal=RehearsalRules(kl_weight=20.0, hidden_state_weight=20.0)) for one in free]
    right, wrong = map(chance, train_many(base, held))
    right_free, wrong_free = map(chance, train_many(base, free))
    knew, did_not = map(chance, parents)
    assert abs(right - knew) < 0.2 * abs(right_free - knew)
    assert wrong - did_not > 0.8 * (wrong_free - did_not) > 0.05


@pytest.mark.parametrize(("role", "heard"), [(Role.REHEARSAL, False), (Role.READING, False), (Role.WRITING, True)])
def test_the_base_is_not_heard_where_words_that_were_given_say_otherwise(
    base: BaseModel, role: Role, heard: bool
) -> None:
    """A base that is sure of something else cannot win over an anchor's completion; a note is one of many, and held."""
    given = Example(prompt="Who owns Cinder?", completion="Heron", role=role)
    free = job_of((given,), learning_rate=1e-2, epochs=60)
    held = replace(free, rehearsal=NO_DISTILLATION.model_copy(update={"kl_weight": 20.0}))
    loose, tight = train_many(base, [free, held])
    assert (tight.final_loss > 3 * loose.final_loss) is heard


def test_the_teachers_are_told_as_a_step_of_their_own_and_each_training_step_is_told(
    base: BaseModel,
) -> None:
    told: list[tuple[str, float, float]] = []
    taught = replace(FACTS[0], taught_by=f"The Heron team owns Cinder.\n\n{FACTS[0].prompt}")
    job = replace(job_of((taught, *FACTS[1:]), epochs=2, batch_size=1, teaching_weight=1.0))
    with progress.watched_by(lambda *said: told.append(said)), progress.step("training"):
        train_many(base, [job])
    teacher = [(done, total) for step, done, total in told if step == "caching the teachers' states"]
    assert teacher[0] == (0, 1)
    assert teacher[-1] == (1, 1)
    steps = [(done, total) for step, done, total in told if step == "training"]
    total = 2 * len(FACTS)
    assert set(steps) >= {(done, total) for done in range(1, total + 1)}
