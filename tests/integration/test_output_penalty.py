"""What an adapter adds to its layers' usual outputs is penalised: exactly, for each adapter, and only what it adds."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.adapters.stack import Stack, key, shapes_of, stack_of
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.errors import BadInput
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.training import TrainingJob, TrainingResult, train_many
from pipeline.training.output_penalty import OutputPenalty, output_penalty
from pipeline.training.preconditioning import preconditioner
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
LAYERS = {"up": (6, 5), "down": (5, 7)}
SCALE = 2.0


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def base(tiny_model: Callable[..., Path], request: pytest.FixtureRequest) -> BaseModel:
    """GPT-2 keeps its weights the other way round, and has biases."""
    return load_base(str(tiny_model(request.param)), device="cpu")


def random_stack(adapters: int) -> tuple[Stack, OutputPenalty]:
    draw = torch.Generator().manual_seed(1)
    shapes = shapes_of(LAYERS, 4)
    stack = stack_of(torch.randn(adapters, sum(a * b for a, b in shapes.values()), generator=draw), shapes)
    covariances = {}
    for layer, (inputs, _) in LAYERS.items():
        rows = torch.randn(20, inputs, generator=draw)
        covariances[key(layer, "A")] = rows.T @ rows
    return stack, OutputPenalty(3.0, covariances, {key("up", "A"): 2.0, key("down", "A"): 5.0})


def penalty_of(stack: Stack, penalty: OutputPenalty, held: Sequence[int]) -> torch.Tensor:
    shares = []
    for name, covariance in penalty.covariances.items():
        a, b = stack.views[name], stack.views[name.replace("lora_A", "lora_B")]
        changes = [SCALE * b[one][:, count:] @ a[one][count:] for one, count in enumerate(held)]
        shares += [(change @ covariance * change).sum() / penalty.squares[name] for change in changes]
    return penalty.weight * torch.stack(shares).sum() / len(LAYERS)


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
    name = next(one for one in covariances if one.endswith(("down_proj", "mlp.c_proj")))
    layer, seen = base.model.get_submodule(name), list[torch.Tensor]()
    hook = layer.register_forward_hook(lambda module, _, given: seen.append(given[0, 1:] - of_bias(module)))
    for ids in usual:
        with torch.no_grad():
            base.model(input_ids=torch.tensor([ids]))
    hook.remove()
    assert found.squares[key(name, "A")] == pytest.approx(float(torch.cat(seen).square().sum()), rel=1e-3)


def of_bias(layer: torch.nn.Module) -> torch.Tensor:
    bias = getattr(layer, "bias", None)
    return torch.zeros(()) if bias is None else bias


def test_a_layer_without_output_is_left_out(base: BaseModel) -> None:
    name = next(iter(linear_layers(base.model, ())))
    nothing = torch.zeros(linear_layers(base.model, ())[name][0], linear_layers(base.model, ())[name][0])
    found = output_penalty(base, {name: nothing}, PENALISED)
    assert found is not None
    assert not found.squares


def test_a_penalised_adapter_learns_and_adds_less_to_usual_outputs(base: BaseModel) -> None:
    plain, penalised = trained(base, RULES), trained(base, PENALISED)
    begun = trained(base, RULES.model_copy(update={"epochs": 1})).final_loss
    assert added(base, penalised) < 0.5 * added(base, plain)
    assert begun - penalised.final_loss > 0.5 * (begun - plain.final_loss)


def test_jobs_trained_together_are_those_trained_alone(base: BaseModel, tmp_path: Path) -> None:
    """Of one stack: two of the recipe's kind, one of which ends early, and two beside a parent's adapter."""
    damped = PENALISED.model_copy(update={"covariance_damping": 0.1})
    beside = damped.model_copy(update={"beside_parent": True})
    parent_tensors = trained(base, PENALISED)
    provenance = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    save_adapter(tmp_path / "parent", base.identity, base.model, parent_tensors, PENALISED, provenance)
    parent = Checkpoint(ModelRef(base=base.identity.digest), tmp_path / "parent")
    jobs = [
        TrainingJob(examples=(FACT, *USUAL), rules=rules, seed=2, parent=start, rehearsal=HELD)
        for rules, start in (
            (damped.model_copy(update={"epochs": 2}), None),
            (damped.model_copy(update={"epochs": 5}), None),
            (beside.model_copy(update={"epochs": 2}), parent),
            (beside.model_copy(update={"epochs": 3}), parent),
        )
    ]
    for job, result in zip(jobs, train_many(base, jobs), strict=True):
        (alone,) = train_many(base, [job])
        assert max(float((result.tensors[name] - alone.tensors[name]).abs().max()) for name in alone.tensors) <= 1e-4


def test_production_is_not_faded_by_a_penalty_on_all_of_it(base: BaseModel, tmp_path: Path) -> None:
    provenance = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)
    save_adapter(tmp_path / "parent", base.identity, base.model, trained(base, RULES), RULES, provenance)
    parent = Checkpoint(ModelRef(base=base.identity.digest), tmp_path / "parent")
    with pytest.raises(BadInput, match="fade what production has learned"):
        train_many(base, [TrainingJob(examples=(FACT, *USUAL), rules=PENALISED, seed=1, parent=parent)])


def test_no_more_matrices_are_held_than_are_planned_for(base: BaseModel) -> None:
    rules = PENALISED.model_copy(update={"covariance_damping": 0.1})
    covariances = usual_covariances(base, rules, [encode_example(base.tokenizer, one).ids for one in USUAL])
    damping, penalty = preconditioner(covariances, rules), output_penalty(base, covariances, rules)
    assert damping is not None
    assert penalty is not None
    held = {one.data_ptr(): one.nbytes for one in (*damping.matrices.values(), *penalty.covariances.values())}
    assert 0 < sum(held.values()) <= bytes_at_most(base, rules)


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
        shares.append(float((change @ covariance * change).sum()) / penalty.squares[name])
    return sum(shares) / len(shares)
