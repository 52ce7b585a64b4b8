"""The command line answers before anything heavy is loaded."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

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


def test_the_version_is_said() -> None:
    run = subprocess.run([sys.executable, "-m", "flows.cli", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"sealed {version('sealed')}\n"


@pytest.mark.parametrize("service", ["review", "status", "documents", "releases"])
def test_deciding_and_looking_need_no_scheduler_and_no_model(service: str) -> None:
    code = f"import sys, flows.services.{service}; "
    code += "print([n for n in ('torch', 'mlflow', 'prefect', 'lm_eval', 'scipy', 'matplotlib') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_rollback_checks_bytes_and_waits_for_no_model_library() -> None:
    code = "import sys, flows.services.review, flows.wiring, pipeline.adapters.format; "
    code += "print([name for name in ('torch', 'safetensors', 'mlflow', 'prefect') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Path:
    from flows.services.initialisation import init_workspace

    opened = init_workspace(tmp_path_factory.mktemp("light") / "workspace", str(tiny_model("llama")), actor="ada")
    opened.ledger.close()
    return opened.settings.workspace


@pytest.mark.parametrize("words", [["--help"], ["models", "list"], ["status"], ["gates", "plan"]], ids=" ".join)
def test_commands_that_only_look_load_no_model_library(words: list[str], workspace: Path) -> None:
    code = "import sys; from flows.cli.app import app; app(sys.argv[1:], standalone_mode=False); "
    code += "print([name for name in ('torch', 'transformers', 'gguf', 'mlflow', 'prefect') if name in sys.modules])"
    place = ["--workspace", str(workspace)] if words[0] in {"status", "gates"} else []
    run = subprocess.run([sys.executable, "-c", code, *words, *place], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert len(run.stdout.splitlines()) > 3
