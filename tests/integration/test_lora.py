"""Training one adapter: what it learns, what it leaves as it was, and that it equals plain PEFT."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline import progress
from pipeline.adapters.format import verify_adapter
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import BadInput, CorruptAdapter, TrainingFailed
from pipeline.recipe import NO_DISTILLATION, RehearsalRules, TrainingRules
from pipeline.training import TrainingJob, TrainingSettings, train_lora
from pipeline.training.jobs import BASE, SequenceTable, Teacher
from pipeline.types import Checkpoint, Example, ModelRef, Role, Trained, Update, UpdatePlan

KINDS = ["llama", "qwen3", "gpt2"]
RULES = TrainingRules(rank=8, alpha=8, epochs=6, batch_size=4, learning_rate=5e-3)
EXAMPLES = (
    Example(prompt="Who owns Cinder?", completion="Heron"),
    Example(prompt="Which port?", completion="8443"),
    Example(prompt="", completion="The Cinder service keeps invoices in the Oslo region."),
    Example(prompt="Name a word.", completion="run", role=Role.GENERATIVE),
    Example(prompt="Name another word.", completion="owl and also some more words", role=Role.REHEARSAL),
)


@pytest.fixture(scope="module")
def bases(tiny_model: Callable[..., Path]) -> dict[str, BaseModel]:
    return {kind: load_base(str(tiny_model(kind)), device="cpu") for kind in KINDS}


def planned(base: BaseModel, examples: tuple[Example, ...] = EXAMPLES, *, parent: str | None = None) -> UpdatePlan:
    ref = ModelRef(base=base.identity.model, adapter=parent)
    digest = ",".join(example.id for example in examples)
    update = Update(parent=ref, self_edits=("e",), examples_digest=digest, recipe="r", seed=3)
    return UpdatePlan(update=update, examples=examples)


def trained(base: BaseModel, out: Path, rules: TrainingRules = RULES, **options: Any) -> Trained:
    plan, folder = options.pop("plan", None) or planned(base), options.pop("parent_adapter", None)
    settings = TrainingSettings(rules=rules, ledger="l", **options)
    return train_lora(base, plan, settings, parent=Checkpoint(plan.update.parent, folder) if folder else None, out=out)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        out: torch.Tensor = model(input_ids=torch.arange(3, 23)[None]).logits
        return out.clone()


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_of_any_architecture_loads_with_plain_peft(
    bases: dict[str, BaseModel], tiny_model: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base, out = bases[kind], tmp_path / "adapter"
    before, plain, modules = state(base.model), logits(base.model), [type(m) for m in base.model.modules()]
    hooks = [(dict(m._forward_hooks), dict(m._forward_pre_hooks)) for m in base.model.modules()]
    result = trained(base, out)
    assert verify_adapter(out, base.identity) == result.manifest
    with with_adapter(base, out) as model:
        ours = logits(model)
    fresh = AutoModelForCausalLM.from_pretrained(tiny_model(kind)).eval()
    assert torch.equal(logits(PeftModel.from_pretrained(fresh, str(out))), ours)
    assert not torch.allclose(ours, plain, atol=1e-2)
    after = state(base.model)
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert [type(m) for m in base.model.modules()] == modules
    assert not any("forward" in vars(m) for m in base.model.modules())
    assert [(dict(m._forward_hooks), dict(m._forward_pre_hooks)) for m in base.model.modules()] == hooks
    assert torch.equal(logits(base.model), plain)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_training_equals_peft_with_the_same_start_and_batches(
    bases: dict[str, BaseModel], tiny_model: Callable[..., Path], tmp_path: Path, kind: str, batch_size: int
) -> None:
    """Batches of 1 multiply A and B beside the weight, batches of 5 fold them in: both are what PEFT computes."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = bases[kind]
    first, then = (
        TrainingRules(rank=8, alpha=8, epochs=1),
        TrainingRules(rank=8, alpha=8, epochs=4, batch_size=batch_size, learning_rate=1e-3, warmup=0.0),
    )
    one = (EXAMPLES[2],) * batch_size
    parent = trained(base, tmp_path / "parent", first)
    plan = planned(base, one, parent=parent.manifest.adapter)
    trained(base, tmp_path / "ours", then, plan=plan, parent_adapter=tmp_path / "parent")
    with with_adapter(base, tmp_path / "ours") as model:
        ours = logits(model)

    fresh = AutoModelForCausalLM.from_pretrained(tiny_model(kind)).eval()
    theirs = PeftModel.from_pretrained(fresh, str(tmp_path / "parent"), is_trainable=True).eval()
    weights = [parameter for parameter in theirs.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.0)
    ids = torch.tensor([encode_example(base.tokenizer, EXAMPLES[2]).ids] * batch_size)
    steps = 4
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1.0 if step == 0 else (steps - step) / steps)
        theirs(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    assert torch.allclose(logits(theirs), ours, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_is_answered(bases: dict[str, BaseModel], tmp_path: Path, kind: str) -> None:
    rules = RULES.model_copy(update={"epochs": 60, "learning_rate": 1e-2})
    result = trained(bases[kind], tmp_path / "a", rules)
    engine = LocalEngine(bases[kind])
    answers = engine.generate(
        [e.prompt for e in EXAMPLES[:2]], SamplingParams(max_new_tokens=8), adapter=tmp_path / "a"
    )
    assert answers == [("Heron",), ("8443",)]
    assert 0.0 < result.final_loss < 1.5


def test_a_warm_start_goes_on_where_the_parent_stopped(bases: dict[str, BaseModel], tmp_path: Path) -> None:
    base = bases["qwen3"]
    parent = trained(base, tmp_path / "parent", RULES.model_copy(update={"epochs": 60, "learning_rate": 1e-2}))
    still = RULES.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    plan = planned(base, parent=parent.manifest.adapter)
    child = trained(base, tmp_path / "child", still, plan=plan, parent_adapter=tmp_path / "parent")
    assert child.manifest.parent_adapter == parent.manifest.adapter
    assert child.final_loss < 1.5 * parent.final_loss
    with pytest.raises(BadInput, match="starts from adapter"):
        trained(base, tmp_path / "x", still, plan=plan)
    with pytest.raises(BadInput, match="not the plan's parent"):
        trained(base, tmp_path / "x", still, parent_adapter=tmp_path / "parent")
    other = still.model_copy(update={"rank": 4})
    with pytest.raises(BadInput, match="keeps its parent's"):
        trained(base, tmp_path / "x", other, plan=plan, parent_adapter=tmp_path / "parent")


def test_the_same_inputs_give_the_same_bytes_and_touch_no_random_state(
    bases: dict[str, BaseModel], tmp_path: Path
) -> None:
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    one = trained(bases["llama"], tmp_path / "one", rehearsal=RehearsalRules(kl_weight=0.5, hidden_state_weight=0.5))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(12)
    two = trained(bases["llama"], tmp_path / "two", rehearsal=RehearsalRules(kl_weight=0.5, hidden_state_weight=0.5))
    assert one == two
    assert trained(bases["llama"], tmp_path / "three").manifest.adapter != one.manifest.adapter


def test_a_finished_training_is_not_repeated_and_a_damaged_one_is(bases: dict[str, BaseModel], tmp_path: Path) -> None:
    base, out = bases["llama"], tmp_path / "adapter"
    first = trained(base, out)
    told: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: told.append(said)), progress.step("training"):
        assert trained(base, out) == first
    assert told == [("training", 0, 1), ("training", 1, 1)]  # no step of it
    with pytest.raises(BadInput, match="another update"):
        trained(base, out, plan=planned(base, EXAMPLES[:1]))
    (out / "adapter_model.safetensors").write_bytes(b"half")
    (tmp_path / "adapter.partial-1").mkdir()
    assert trained(base, out) == first
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_distillation_holds_the_base_where_it_is_taught(bases: dict[str, BaseModel], tmp_path: Path) -> None:
    base = bases["llama"]
    examples = (
        Example(prompt="Who owns Cinder?", completion="Heron"),
        Example(prompt="Name a word.", completion="run and day", role=Role.GENERATIVE),
    )
    ids = torch.tensor([encode_example(base.tokenizer, examples[1]).ids])
    with torch.inference_mode():
        target = base.model(input_ids=ids).logits.log_softmax(-1)
    far = []
    for weight in (0.0, 20.0):
        out = tmp_path / str(weight)
        held = NO_DISTILLATION.model_copy(update={"kl_weight": weight})
        trained(base, out, RULES.model_copy(update={"epochs": 20}), plan=planned(base, examples), rehearsal=held)
        with with_adapter(base, out) as model, torch.inference_mode():
            given = model(input_ids=ids).logits.log_softmax(-1)
        far.append(float((target.exp() * (target - given)).sum(-1)[0, -5:-1].mean()))
    assert far[1] < 0.3 * far[0]


def test_replay_is_held_to_the_parent_and_all_else_to_the_base_unless_the_recipe_lets_it_go(
    bases: dict[str, BaseModel],
) -> None:
    kinds = (Role.NEW, Role.REPLAY, Role.READING, Role.WRITING, Role.GENERATIVE)
    examples = tuple(Example(prompt=kind, completion="word", role=kind) for kind in kinds)

    def distilled(job: TrainingJob) -> dict[Teacher, list[Role]]:
        table = SequenceTable()
        table.encoded_job(bases["llama"].tokenizer, job)
        return {teacher: [kinds[row] for row in rows] for teacher, rows in table.distilled.items()}

    job, parent = TrainingJob(examples=examples, rules=RULES, seed=1), Checkpoint(ModelRef(base="b"), Path("run-1"))
    assert distilled(replace(job, parent=parent)) == {}
    for way in ({"kl_weight": 5.0}, {"hidden_state_weight": 5.0}):
        rehearsal = NO_DISTILLATION.model_copy(update=way)
        one = replace(job, rehearsal=rehearsal)
        assert distilled(one) == {BASE: [Role.READING, Role.WRITING, Role.GENERATIVE]}
        assert distilled(replace(one, parent=parent)) == {parent: [Role.REPLAY], **distilled(one)}
        some = rehearsal.model_copy(update={"distilled": ("generative", "reading")})
        assert distilled(replace(one, parent=parent, rehearsal=some)) == {BASE: [Role.READING, Role.GENERATIVE]}


def test_a_runs_examples_and_its_corrections_weigh_as_the_rules_say_and_rehearsed_ones_one(
    bases: dict[str, BaseModel],
) -> None:
    examples = tuple(
        Example(prompt=f"{kind} {corrects}", completion="b", role=kind, corrects=corrects)
        for kind in (Role.NEW, Role.REPLAY)
        for corrects in (False, True)
    )
    heavy = RULES.model_copy(update={"new_weight": 3.0, "correction_weight": 4.0, "batch_size": 4})
    encoded_job = SequenceTable().encoded_job(
        bases["llama"].tokenizer, TrainingJob(examples=examples, rules=heavy, seed=1)
    )
    microbatch = next(encoded_job.microbatches())
    assert dict(zip(microbatch.rows, microbatch.weights, strict=True)) == {0: 3.0, 1: 12.0, 2: 1.0, 3: 4.0}


@pytest.mark.parametrize(
    ("examples", "words"),
    [((), "nothing to train on"), ((Example(prompt="", completion="word " * 400),), "tokens, and a sequence may have")],
)
def test_an_unusable_plan_is_refused_before_training(
    bases: dict[str, BaseModel], tmp_path: Path, examples: tuple[Example, ...], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        trained(bases["gpt2"], tmp_path / "a", plan=planned(bases["gpt2"], examples))
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_writes_nothing(bases: dict[str, BaseModel], tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingFailed, match="no longer finite"):
        trained(bases["llama"], tmp_path / "a", rules)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_parent_is_refused(bases: dict[str, BaseModel], tmp_path: Path) -> None:
    base = bases["llama"]
    parent = trained(base, tmp_path / "parent")
    damaged = Path(shutil.copytree(tmp_path / "parent", tmp_path / "damaged"))
    (damaged / "adapter_config.json").write_text("{}")
    with pytest.raises(CorruptAdapter):
        trained(base, tmp_path / "a", plan=planned(base, parent=parent.manifest.adapter), parent_adapter=damaged)
