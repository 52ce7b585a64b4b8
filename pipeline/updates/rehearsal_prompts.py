"""Reads the folder of rehearsal prompts: prompts and plain text that are rehearsed so that they are not forgotten."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import BadDataFile
from pipeline.nesting import json_of

_BLANK = re.compile(r"\n[ \t]*\n")
_KEYS = {"prompt", "completion", "ends"}


@dataclass(frozen=True)
class RehearsalPrompt:
    """A prompt with the completion to keep (None: whatever the base model answers).

    `ends`: whether the completion is whole; one that was cut off is rehearsed without an end.
    """

    prompt: str
    completion: str | None = None
    ends: bool = True


@dataclass(frozen=True)
class RehearsalPrompts:
    """What a folder of rehearsal prompts holds, in the order of its files' names."""

    prompts: tuple[RehearsalPrompt, ...] = ()
    texts: tuple[str, ...] = ()


def read_rehearsal_prompts(folder: Path) -> RehearsalPrompts:
    """`*.jsonl`: an object {"prompt", "completion"?, "ends"?} a line; `*.txt`: paragraphs. A missing folder holds none.

    Raises BadDataFile, which names the file and the line.
    """
    prompts = [prompt for path in _files(folder, "*.jsonl") for prompt in _prompts(path)]
    texts = [text.strip() for path in _files(folder, "*.txt") for text in _BLANK.split(_text(path)) if text.strip()]
    return RehearsalPrompts(prompts=tuple(dict.fromkeys(prompts)), texts=tuple(dict.fromkeys(texts)))


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def _prompts(path: Path) -> list[RehearsalPrompt]:
    lines = enumerate(_text(path).split("\n"), start=1)
    return [_prompt(line, f"{path}, line {number}") for number, line in lines if line.strip()]


def _prompt(line: str, where: str) -> RehearsalPrompt:
    try:
        found = json_of(line)
    except ValueError as error:
        raise BadDataFile(f'{where} is not JSON: {error}. Write {{"prompt": "…"}}, one object a line.') from error
    if not isinstance(found, dict) or not isinstance(found.get("prompt"), str) or not found["prompt"].strip():
        raise BadDataFile(f'{where} has no "prompt" with text. Write {{"prompt": "…"}}, one object a line.')
    if odd := sorted(set(found) - _KEYS):
        raise BadDataFile(f"{where} has an unknown key {odd[0]!r}. Use prompt and, if you like, completion and ends.")
    completion = found.get("completion")
    if completion is not None and (not isinstance(completion, str) or not completion.strip()):
        raise BadDataFile(f'{where} has an empty "completion". Leave it out to keep what the base answers.')
    ends = found.get("ends", True)
    if not isinstance(ends, bool) or (completion is None and not ends):
        raise BadDataFile(
            f'{where} has an odd "ends". It says whether a given "completion" is whole: true or false; or omit it.'
        )
    return RehearsalPrompt(prompt=found["prompt"], completion=completion, ends=ends)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadDataFile(f"cannot read {path}: {error.strerror}. Check its permissions, or remove it.") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise BadDataFile(f"{path}, line {line} is not UTF-8. Save the file as UTF-8.") from error
