"""How long one candidate takes at the gate regression, beside the lm-eval command on both models over the same tasks.

Usage: python -m benchmarks.gates_speed [--model NAME] [--data DIR] [--quick] [--out FILE]. Both are commands, from a
process that starts from nothing, in alternation. The lm-eval command keeps no scores, so it is run on production (the
base here) and on the candidate. `sealed gates run` finds production's kept, as it does in every run but the first. The
tasks are local files, asked by both in plain text: those of the sandbox, or with --data short items of public
benchmarks (`DIR/*.jsonl`).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from benchmarks.data.public_suites import write_regression
from benchmarks.figures import Measured, write_results
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.files import write_text
from pipeline.sandbox import model_path

GOAL = 0.55
_RECIPE = """[policy]
required = ["integrity", "regression"]
[policy.regression]
min_items = 20
margin = 0.5
[advanced.suites]
plain = true
"""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
_VERDICTS = (0, 3, 5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates_speed", description=__doc__)
    parser.add_argument("--model", default=str(model_path()))
    parser.add_argument("--data", type=Path, help="folder of public benchmarks; default: the sandbox's own tasks")
    parser.add_argument("--quick", action="store_true", help="one pair of commands instead of three")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gates-speed-") as scratch:
        figures = _measured(Path(scratch), options.model, options.data, 1 if options.quick else 3)
    write_results("gates_speed", figures, options.out)


def _measured(scratch: Path, model: str, data: Path | None, pairs: int) -> list[Measured]:
    workspace = _workspace(scratch, model, data)
    folder = workspace.settings.suites / "regression"
    items = sum(map(len, workspace.suites.regression))
    ours, theirs = list[float](), list[float]()
    _gated(workspace, random_adapter(workspace, scratch / "first", seed=0))  # keeps production's scores
    for seed in range(1, pairs + 1):
        adapter = random_adapter(workspace, scratch / f"adapter-{seed}", seed=seed)
        theirs.append(sum(_asked_by_lm_eval(workspace, folder, peft) for peft in ("", f",peft={adapter}")))
        ours.append(_gated(workspace, adapter))
    shares = sorted(own / other for own, other in zip(ours, theirs, strict=True))
    return [
        Measured(name="lm-eval command, both models", value=median(theirs), unit="s", n=pairs),
        Measured(name="sealed gates run, production's scores kept", value=median(ours), unit="s", n=pairs),
        Measured(
            name=f"share of lm-eval's time, {items} items",
            value=median(shares),
            unit="",
            goal=f"<= {GOAL}",
            n=pairs,
            interval=(shares[0], shares[-1]),
            met=median(shares) <= GOAL,
        ),
    ]


def _workspace(scratch: Path, model: str, data: Path | None) -> Workspace:
    """Of the model, with the tasks alone as suites."""
    workspace = init_workspace(scratch / "workspace", model, actor="benchmark")
    settings = workspace.settings
    for kind in ("retention", "safety", "perplexity", *(("regression",) if data else ())):
        shutil.rmtree(settings.suites / kind, ignore_errors=True)
    if data:
        write_regression(data, settings.suites / "regression")
    write_text(settings.recipe_file, _RECIPE)
    return workspace


def random_adapter(workspace: Workspace, folder: Path, seed: int) -> Path:
    """A LoRA adapter as PEFT saves it, made at random: how long it takes does not depend on what it learned."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(workspace.settings.model, dtype=torch.float32)
    wrapped: Any = get_peft_model(model, LoraConfig(r=8, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    wrapped.save_pretrained(folder)
    return folder


def _gated(workspace: Workspace, adapter: Path) -> float:
    words = ["-m", "flows.cli", "gates", "run", str(adapter), "-w", str(workspace.settings.workspace), "--json"]
    return _seconds(words, Path.cwd(), _VERDICTS)


def _asked_by_lm_eval(workspace: Workspace, folder: Path, peft: str) -> float:
    names = ",".join(suite.name.partition("/")[2] for suite in workspace.suites.regression)
    model = f"pretrained={workspace.settings.model},dtype=float32{peft}"
    words = ["-m", "lm_eval", "--model", "hf", "--model_args", model, "--tasks", names, "--include_path", str(folder)]
    return _seconds([*words, "--batch_size", "16", "--device", "cpu"], folder, (0,))


def _seconds(words: Sequence[str], where: Path, expected: Sequence[int]) -> float:
    env = {**os.environ, **_OFFLINE, "SEALED_DTYPE": "float32", "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    started = time.monotonic()
    ended = subprocess.run([sys.executable, *words], env=env, cwd=where, capture_output=True, text=True, check=False)
    if ended.returncode not in expected:
        raise RuntimeError(f"{json.dumps(words)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return time.monotonic() - started


if __name__ == "__main__":
    main()
