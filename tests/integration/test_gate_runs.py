"""`sealed gates run`: any LoRA adapter of the base is judged, also one that PEFT trained, and exit codes say how."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from flows.cli.app import app
from flows.services.gate_runs import Outcome, gate
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.adapters.format import CONFIG, WEIGHTS
from pipeline.errors import BadInput, CorruptAdapter, NoSuchRelease

RECIPE = """[policy]
required = ["integrity", "contamination", "retention"]
[policy.retention]
min_items = 50
margin = 0.2
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Workspace:
    """Of a model that answers all sixty questions wrongly, before and after: nothing can be lost."""
    opened = init_workspace(tmp_path_factory.mktemp("gated") / "workspace", str(tiny_model("llama")), actor="ada")
    opened.settings.recipe_file.write_text(f"{RECIPE}\n[advanced.policy]\nmax_answer_tokens = 4\n", encoding="utf-8")
    write_suite(opened, [f"Who owns {at}?" for at in range(60)])
    return opened


def write_suite(workspace: Workspace, questions: list[str]) -> None:
    file = workspace.settings.suites / "retention" / "owners.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"question": question, "answers": ["nobody at all"]}) for question in questions]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def adapter(workspace: Workspace, tmp_path: Path) -> Path:
    """A folder as PEFT saves it, with its README and without our manifest."""
    model = AutoModelForCausalLM.from_pretrained(workspace.settings.model)
    torch.manual_seed(1)
    wrapped: Any = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["v_proj", "q_proj"]))
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    wrapped.save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


def said(workspace: Workspace, *words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["gates", "run", *words, "-w", str(workspace.settings.workspace)])
    return ran.exit_code, ran.stdout


def test_an_adapter_that_peft_saved_is_judged(workspace: Workspace, adapter: Path) -> None:
    gated = gate(workspace, str(adapter))
    assert gated.outcome is Outcome.PASS
    assert [one.gate for one in gated.report.results if one.required] == ["integrity", "retention"]
    assert all(one.gate != "contamination" for one in gated.report.results), "its examples are not known"
    assert workspace.ledger.releases.listed()[-1].number == 0
    assert not list(workspace.settings.adapters.glob("*"))


def test_the_command_writes_what_people_and_machines_read(workspace: Workspace, adapter: Path, tmp_path: Path) -> None:
    code, out = said(
        workspace, str(adapter), "--json", "--junit", str(tmp_path / "gates.xml"), "--report", str(tmp_path / "report")
    )
    assert code == 0
    assert json.loads(out)["outcome"] == "PASS"
    cases = ElementTree.parse(tmp_path / "gates.xml").getroot().findall("testcase")
    assert next(case.get("name") for case in cases) == "integrity"
    assert "retention" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_too_few_items_end_with_five(workspace: Workspace, adapter: Path) -> None:
    file = workspace.settings.suites / "retention" / "owners.jsonl"
    kept = file.read_text(encoding="utf-8")
    file.unlink()
    try:
        assert said(workspace, str(adapter))[0] == 5
    finally:
        file.write_text(kept, encoding="utf-8")


def test_a_suite_that_cannot_be_asked_is_no_verdict(workspace: Workspace, adapter: Path, tmp_path: Path) -> None:
    file = workspace.settings.suites / "retention" / "owners.jsonl"
    kept = file.read_text(encoding="utf-8")
    write_suite(workspace, [*(f"Who owns {at}?" for at in range(60)), "why " * 300])
    try:
        code, out = said(workspace, str(adapter), "--junit", str(tmp_path / "gates.xml"))
    finally:
        file.write_text(kept, encoding="utf-8")
    assert code == 4
    assert "not measured: retention/owners" in out
    assert ElementTree.parse(tmp_path / "gates.xml").getroot().get("errors") == "2"


@pytest.mark.parametrize("named", ["0", "nowhere"])
def test_what_is_no_adapter_is_refused(workspace: Workspace, named: str) -> None:
    with pytest.raises(BadInput):
        gate(workspace, named)


def test_a_release_that_is_not_there_is_refused(workspace: Workspace) -> None:
    with pytest.raises(NoSuchRelease):
        gate(workspace, "7")


@pytest.mark.parametrize(
    ("said_by_the_config", "says"),
    [
        ({"use_dora": True}, "sets use_dora"),
        ({"init_lora_weights": "pissa"}, "sets init_lora_weights"),
        ({"rank_pattern": {"q_proj": 2}}, "sets rank_pattern"),
        ({"modules_to_save": ["lm_head"]}, "sets modules_to_save"),
        ({"unheard_of": 1}, "sets unheard_of"),
        ({"peft_type": "IA3"}, "of a IA3 adapter"),
        ({"r": 2}, "not of rank 2"),
        ({"r": "4"}, "as integers"),
        ({"lora_alpha": 400}, "alpha 400"),
        ({"target_modules": "all-linear"}, "as a list"),
        ({"target_modules": ["q_proj", "nothing"]}, "layers that the base does not have"),
        ({"target_modules": ["q_proj"]}, "no LoRA weight of its targets"),
        ({"fan_in_fan_out": True}, "the other way round"),
    ],
    ids=str,
)
def test_a_configuration_that_would_load_otherwise_is_refused(
    workspace: Workspace, adapter: Path, said_by_the_config: dict[str, object], says: str
) -> None:
    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    (adapter / CONFIG).write_text(json.dumps(config | said_by_the_config), encoding="utf-8")
    with pytest.raises(CorruptAdapter, match=says):
        gate(workspace, str(adapter))


def test_values_that_are_not_finite_are_refused(workspace: Workspace, adapter: Path) -> None:
    tensors = load_file(adapter / WEIGHTS)
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, adapter / WEIGHTS)
    with pytest.raises(CorruptAdapter, match="not finite"):
        gate(workspace, str(adapter))


def test_an_adapter_without_a_layer_fails_integrity(workspace: Workspace, adapter: Path) -> None:
    tensors = {name: one for name, one in load_file(adapter / WEIGHTS).items() if "layers.0.self_attn.q" not in name}
    save_file(tensors, adapter / WEIGHTS)
    assert said(workspace, str(adapter))[0] == 3


def test_a_pickle_is_not_opened(workspace: Workspace, adapter: Path) -> None:
    torch.save(load_file(adapter / WEIGHTS), adapter / "adapter_model.bin")
    (adapter / WEIGHTS).unlink()
    with pytest.raises(CorruptAdapter, match="holds no adapter_model"):
        gate(workspace, str(adapter))
