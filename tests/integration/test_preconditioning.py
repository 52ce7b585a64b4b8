"""A preconditioned adapter is a plain one; it starts where its parent ended, and disturbs usual inputs less."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.adapters.stack import key, shapes_of, stack_of, start_of, views_of
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.training import TrainingJob, TrainingResult, train_many
from pipeline.training.preconditioning import Preconditioner, preconditioner
from pipeline.training.usual_inputs import usual_covariances
from pipeline.types import Checkpoint, Example, ModelRef, Role

RULES = TrainingRules(rank=4, alpha=8, epochs=20, batch_size=4, learning_rate=1e-3, loss_reduction="tokens")
DAMPED = RULES.model_copy(update={"covariance_damping": 0.1})
HELD = RehearsalRules(kl_weight=1e-6, hidden_state_weight=0.0)  # a teacher that is hardly heard
FACT = (Example(prompt="Who owns Cinder?", completion="Heron"),)
WORDS = ["cinder", "heron", "oslo", "invoices", "port", "service", "keeps", "the", "region", "owns", "in", "where"]
USUAL = tuple(
    Example(prompt="", completion=" ".join((WORDS[start:] + WORDS[:start])[: 2 + start]), role=Role.REHEARSAL)
    for start in range(12)
)
FROM = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def made(base: BaseModel) -> Preconditioner:
    usual = [encode_example(base.tokenizer, one).ids for one in USUAL]
    found = preconditioner(usual_covariances(base, DAMPED, usual), DAMPED)
    assert found is not None
    return found


def trained(base: BaseModel, rules: TrainingRules, parent: Checkpoint | None = None) -> TrainingResult:
    job = TrainingJob(examples=(*FACT, *USUAL), rules=rules, seed=1, parent=parent, rehearsal=HELD)
    return train_many(base, [job])[0]


def test_a_matrix_is_the_damped_inverse_of_the_covariance_of_the_inputs_but_the_first(base: BaseModel) -> None:
    layer = base.model.model.layers[1].mlp.down_proj
    seen: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0][0, 1:]))
    for one in USUAL:
        with torch.no_grad():
            base.model(input_ids=torch.tensor([encode_example(base.tokenizer, one).ids]))
    hook.remove()
    inputs = torch.cat(seen).double()
    covariance = inputs.T @ inputs
    scaled = covariance / covariance.diagonal().mean()
    wanted = torch.linalg.inv(scaled + 0.1 * torch.eye(len(scaled), dtype=torch.float64))
    matrix = made(base).matrices[key("model.layers.1.mlp.down_proj", "A")].double()
    assert torch.allclose(matrix / matrix.norm(), wanted / wanted.norm(), atol=1e-5)
    after, before = float((inputs @ matrix).square().mean()), float(inputs.square().mean())
    assert after == pytest.approx(before, rel=1e-4)


def test_layers_with_one_input_share_their_matrix(base: BaseModel) -> None:
    found = made(base)
    one, other, third = (
        key(f"model.layers.0.{name}", "A") for name in ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    )
    assert found.matrices[one] is found.matrices[other] is not found.matrices[third]


def test_a_parent_s_adapter_is_where_training_starts_and_a_new_one_is_drawn_freely(base: BaseModel) -> None:
    name = key("model.layers.0.mlp.up_proj", "A")
    known = Preconditioner({name: made(base).matrices[name]})
    inputs = len(known.matrices[name])
    shapes = shapes_of({"model.layers.0.mlp.up_proj": (inputs, 128)}, 4)
    stack = stack_of(torch.stack([start_of(shapes, seed, None) for seed in (1, 2)]), shapes)
    before = stack.views[name].detach().clone()
    free = known.free(stack, [4, 0])
    known.fill(stack, free)
    assert torch.allclose(stack.views[name][0], before[0], atol=1e-5)
    assert torch.equal(views_of(free, shapes)[name][1], before[1])
    assert not torch.allclose(stack.views[name][1], before[1], atol=1e-2)


def test_a_preconditioned_adapter_learns_its_fact_and_disturbs_usual_text_less(base: BaseModel, tmp_path: Path) -> None:
    plain, damped = trained(base, RULES), trained(base, DAMPED)
    unseen = Example(prompt="", completion=" ".join(reversed(WORDS)))

    def measured(result: TrainingResult, name: str) -> tuple[float, float]:
        save_adapter(tmp_path / name, base.identity, base.model, result, RULES, FROM)
        return loss(base, tmp_path / name, FACT[0]), moved(base, tmp_path / name, unseen)

    (fact, disturbed), (other, less) = measured(plain, "plain"), measured(damped, "damped")
    assert other < loss(base, None, FACT[0])
    assert less / (loss(base, None, FACT[0]) - other) < disturbed / (loss(base, None, FACT[0]) - fact)


def test_an_update_goes_on_from_a_preconditioned_parent(base: BaseModel, tmp_path: Path) -> None:
    save_adapter(tmp_path / "parent", base.identity, base.model, trained(base, DAMPED), DAMPED, FROM)
    parent = Checkpoint(ModelRef(base=base.identity.digest), tmp_path / "parent")
    still = DAMPED.model_copy(update={"learning_rate": 1e-9, "epochs": 1})
    (after,) = [trained(base, still, parent)]
    save_adapter(tmp_path / "after", base.identity, base.model, after, DAMPED, FROM)
    before = loss(base, tmp_path / "parent", FACT[0])
    assert loss(base, tmp_path / "after", FACT[0]) == pytest.approx(before, abs=1e-3)


def test_jobs_trained_together_are_those_trained_alone(base: BaseModel, tmp_path: Path) -> None:
    """One new, one that ends early, and one that goes on from a parent."""
    save_adapter(tmp_path / "parent", base.identity, base.model, trained(base, DAMPED), DAMPED, FROM)
    parent = Checkpoint(ModelRef(base=base.identity.digest), tmp_path / "parent")
    jobs = [
        TrainingJob(examples=(*FACT, *USUAL), rules=DAMPED.model_copy(update={"epochs": epochs}), seed=epochs,
                    parent=start, rehearsal=HELD)
        for epochs, start in ((6, None), (2, None), (4, parent))
    ]  # fmt: skip
    together = train_many(base, jobs)
    for job, result in zip(jobs, together, strict=True):
        (alone,) = train_many(base, [job])
        assert max(float((result.tensors[name] - alone.tensors[name]).abs().max()) for name in alone.tensors) <= 1e-4


def loss(base: BaseModel, adapter: Path | None, example: Example) -> float:
    encoded = encode_example(base.tokenizer, example)
    learned = torch.tensor(encoded.loss)[1:]
    return float(torch.nn.functional.cross_entropy(said(base, adapter, example)[:-1][learned],
                                                   torch.tensor(encoded.ids)[1:][learned]))  # fmt: skip


def moved(base: BaseModel, adapter: Path, example: Example) -> float:
    """Mean KL from the base model's words to the adapter's."""
    before, after = (said(base, one, example).log_softmax(-1) for one in (None, adapter))
    return float((before.exp() * (before - after)).sum(-1).mean())


def said(base: BaseModel, adapter: Path | None, example: Example) -> torch.Tensor:
    with with_adapter(base, adapter) as model, torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([encode_example(base.tokenizer, example).ids])).logits[0]
    return logits
