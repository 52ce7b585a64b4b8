"""Checks the commands that the pages show: that each exists, and knows the options it is given."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import typer
import typer.main

from flows.cli.app import app
from tests.docs.pages import ROOT

SHELL = frozenset({"cd", "cp", "curl", "export", "git", "mkdir", "source"})
# Their options are held by tests/story/test_compose.py, where their own command lines are asked; vLLM's by
# tests/integration/serving, which starts it with them.
OTHERS = frozenset({"prefect", "mlflow", "docker", "pre-commit", "vllm"})
ASSIGNMENT = re.compile(r"[A-Z][A-Z_]*=\S*")
ROOT_COMMAND = typer.main.get_command(app)
# Typer brings its own click, whose base class of usage errors it does not hand on by name.
USAGE_ERROR = typer.BadParameter.__mro__[1]


def problem(command: str) -> str:
    """What is wrong with a shell command, or "" if nothing is. Commands joined by && are checked one by one."""
    for part in re.split(r"&&|\|\|", command):
        words = shlex.split(part, comments=True)
        while words and ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        if found := _problem(words):
            return f"{part.strip()}: {found}"
    return ""


def _problem(words: list[str]) -> str:
    match words:
        case []:
            return ""
        case ["sealed", *rest]:
            return _unknown_to_sealed(rest)
        case ["make", *targets]:
            return _unknown_targets(targets)
        case ["python" | ".venv/bin/python", "-m", module, *rest]:
            return _unknown_to_module(module, rest)
        case [tool, *_] if tool in SHELL | OTHERS or (ROOT / tool).is_file():
            return ""
    return "no command that the documentation may show"


def _unknown_to_sealed(words: list[str]) -> str:
    """Lets click parse the words: an unknown command or option and a missing argument are usage errors."""
    command, context, rest = _deepest(words)
    if unknown := _unknown_command(command, rest):
        return unknown
    try:
        command.make_context(str(context.info_name), rest, parent=context.parent)
    except typer.Exit:
        return ""
    except USAGE_ERROR as error:
        return str(error)
    return ""


def unknown_names(span: str) -> str:
    """What inline code such as `sealed approve N --note` names that the command line does not know; "" if nothing.

    Arguments may be left out in prose, so only names are checked.
    """
    words = span.split()[1:]
    command, context, rest = _deepest(words)
    if unknown := _unknown_command(command, rest):
        return f"{span}: {unknown}"
    known = {name for parameter in command.get_params(context) for name in parameter.opts}
    unknown = [word for word in rest if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]
    return f"{span}: no option {', '.join(unknown)}" if unknown else ""


def _unknown_command(command: Any, rest: list[str]) -> str:
    """Of a group, a next word that is neither a command of it nor an option."""
    named = hasattr(command, "get_command") and rest and not rest[0].startswith("-")
    return f"there is no command {rest[0]!r}" if named else ""


def _deepest(words: list[str]) -> tuple[Any, Any, list[str]]:
    """The command that the words name, its context, and the words that are left for it."""
    command: Any = ROOT_COMMAND
    context = command.context_class(command, info_name="sealed")
    rest = list(words)
    while hasattr(command, "get_command") and rest and (found := command.get_command(context, rest[0])):
        command, context = found, found.context_class(found, info_name=rest[0], parent=context)
        rest = rest[1:]
    return command, context, rest


def _unknown_targets(words: list[str]) -> str:
    known = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    return ", ".join(f"there is no target {word!r}" for word in words if word not in known)


def _unknown_to_module(module: str, words: list[str]) -> str:
    if module.partition(".")[0] in ("pytest", "venv"):
        return ""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return f"there is no module {module}"
    origin = Path(spec.origin)
    files = origin.parent.glob("*.py") if origin.name == "__init__.py" else [origin]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return ", ".join(
        f"{module} knows no {word}" for word in words if word.startswith("--") and f'"{word}"' not in source
    )
