"""What an adapter adds to its layers' usual outputs is penalised: exactly, for each adapter, and only what it adds."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.adapters.stack import Stack, key, shapes_of, stack_of
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.training import TrainingJob, TrainingResult, train_many
from pipeline.training.output_penalty import OutputPenalty, output_penalty
from pipeline.training.usual_inputs import bytes_at_most, usual_covariances
from pipeline.types import Checkpoint, Example, ModelRef, Role

RULES = TrainingRules(rank=4, alpha=8, epochs=20, batch_size=4, learning_rate=1e-3, loss_reduction="tokens")
PENALISED = RULES.model_copy(update={"output_penalty": 100.0})
HELD = RehearsalRules(kl_weight=1e-6, hidden_state_weight=0.0)  # a teacher that is hardly heard
FACT = Example(prompt="Who owns Cinder?", completion="Heron")
WORDS = ["cinder", "heron", "oslo", "invoices", "port", "service", "keeps", "the", "region", "owns", "in", "where"]
USUAL = tuple(
    Example(prompt="", completion=" ".join((WORDS[start:] + WORDS[:start])[: 2 + start]), role=Role.REHEARSAL)
    for start in range(12)
)
LAYER = "up"
SCALE = 2.0


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def random_stack(adapters: int) -> tuple[Stack, OutputPenalty]:
    draw = torch.Generator().manual_seed(1)
    shapes = shapes_of({LAYER: (6, 5)}, 4)
    stack = stack_of(torch.randn(adapters, 4 * 6 + 5 * 4, generator=draw), shapes)
    inputs = torch.randn(20, 6, generator=draw)
    return stack, OutputPenalty(3.0, {key(LAYER, "A"): inputs.T @ inputs})


def penalty_of(stack: Stack, penalty: OutputPenalty, held: Sequence[int]) -> torch.Tensor:
    a, b = stack.views[key(LAYER, "A")], stack.views[key(LAYER, "B")]
    (covariance,) = penalty.covariances.values()
    changes = [SCALE * b[one][:, count:] @ a[one][count:] for one, count in enumerate(held)]
    return penalty.weight * torch.stack([(change @ covariance * change).sum() for change in changes]).sum()


@pytest.mark.parametrize("held", [(0, 0), (2, 0), (2, 3)])
def test_the_gradient_is_that_of_the_penalty_on_what_an_adapter_adds(held: tuple[int, ...]) -> None:
    stack, penalty = random_stack(2)
    penalty.add_gradients(stack, SCALE, held)
    wanted = torch.autograd.grad(penalty_of(stack, penalty, held), list(stack.views.values()))
    for found, gradient in zip(stack.grads.values(), wanted, strict=True):
        assert torch.allclose(found, gradient, rtol=1e-4, atol=1e-3)


def test_a_layer_counts_by_the_share_of_its_own_usual_output(base: BaseModel) -> None:
    usual = [encode_example(base.tokenizer, one).ids for one in USUAL]
    covariances = usual_covariances(base, PENALISED, usual)
    found = output_penalty(base, covariances, PENALISED)
    assert found is not None
    weight = base.model.model.layers[1].mlp.down_proj.weight.float()
    relative = found.covariances[key("model.layers.1.mlp.down_proj", "A")]
    assert float((weight @ relative * weight).sum()) == pytest.approx(1.0, rel=1e-4)


def test_a_penalised_adapter_learns_and_adds_less_to_usual_outputs(base: BaseModel) -> None:
    plain, penalised = trained(base, RULES), trained(base, PENALISED)
    begun = trained(base, RULES.model_copy(update={"epochs": 1})).final_loss
    assert added(base, penalised) < 0.5 * added(base, plain)
    assert begun - penalised.final_loss > 0.5 * (begun - plain.final_loss)


def test_jobs_trained_together_are_those_trained_alone(base: BaseModel, tmp_path: Path) -> None:
    """One of two epochs, and one beside a parent's adapter, which stays as it is."""
    beside = PENALISED.model_copy(update={"beside_parent": True})
    parent_tensors = trained(base, PENALISED)
    provenance = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    save_adapter(tmp_path / "parent", base.identity, base.model, parent_tensors, PENALISED, provenance)
    parent = Checkpoint(ModelRef(base=base.identity.digest), tmp_path / "parent")
    jobs = [
        TrainingJob(examples=(FACT, *USUAL), rules=rules, seed=2, parent=start, rehearsal=HELD)
        for rules, start in (
            (PENALISED.model_copy(update={"epochs": 2}), None),
            (PENALISED, None),
            (beside.model_copy(update={"epochs": 3}), parent),
        )
    ]
    for job, result in zip(jobs, train_many(base, jobs), strict=True):
        (alone,) = train_many(base, [job])
        assert max(float((result.tensors[name] - alone.tensors[name]).abs().max()) for name in alone.tensors) <= 1e-4


def test_its_matrices_count_in_the_memory_that_is_planned(base: BaseModel) -> None:
    damped = RULES.model_copy(update={"covariance_damping": 0.1})
    both = damped.model_copy(update={"output_penalty": 1.0})
    assert bytes_at_most(base, RULES) == 0
    assert bytes_at_most(base, both) == 2 * bytes_at_most(base, damped) == 2 * bytes_at_most(base, PENALISED)


def trained(base: BaseModel, rules: TrainingRules) -> TrainingResult:
    return train_many(base, [TrainingJob(examples=(FACT, *USUAL), rules=rules, seed=1, rehearsal=HELD)])[0]


def added(base: BaseModel, result: TrainingResult) -> float:
    """Mean over the layers of the share of their usual outputs that the adapter adds."""
    covariances = usual_covariances(base, PENALISED, [encode_example(base.tokenizer, one).ids for one in USUAL])
    penalty = output_penalty(base, covariances, PENALISED)
    assert penalty is not None
    shares = []
    for name, covariance in penalty.covariances.items():
        change = 2.0 * result.tensors[name.replace("lora_A", "lora_B")] @ result.tensors[name]
        shares.append(float((change @ covariance * change).sum()))
    return sum(shares) / len(shares)
