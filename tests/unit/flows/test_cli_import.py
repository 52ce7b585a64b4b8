"""The command line answers before anything heavy is loaded."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "mlflow",
    "prefect",
    "lm_eval",
    "sqlalchemy",
    "datasets",
    "matplotlib",
    "scipy",
    "pydantic",
    "tomlkit",
    "tenacity",
)


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, flows.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("service", ["review", "status", "documents", "releases"])
def test_deciding_and_looking_need_no_scheduler_and_no_model(service: str) -> None:
    code = f"import sys, flows.services.{service}; "
    code += "print([n for n in ('torch', 'mlflow', 'prefect', 'lm_eval', 'scipy', 'matplotlib') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
