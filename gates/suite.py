"""Suites: named sets of eval items or task items with a digest, and the reading of a workspace's suites folder.

Also what these suites forbid in training: their questions, subjects and refusals. Knows no model and no lm-eval.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from gates.tasks import StandardTask, Task, TaskItem, read_task
from gates.texts import TextItem, read_texts
from pipeline.digests import digest_of
from pipeline.errors import BadDataFile
from pipeline.grading import normalise
from pipeline.leakage import held_out_keys, subjects
from pipeline.nesting import json_of
from pipeline.types import EvalItem, Split

# How answers are sampled: between the likeliest one and a small model's own distribution, which wanders; and the seed.
SAMPLING_TEMPERATURE, SAMPLING_SEED = 0.7, 17
SAMPLED = "sampled/"  # begins the name of a sampled twin; no file's suite has one like it
_KEYS = frozenset({"question", "answers", "answer", "group"})


class Kind(StrEnum):
    """How a suite's answers are scored."""

    ANSWERS = "answers"
    REFUSALS = "refusals"
    TASK = "task"
    STANDARD = "standard"
    TEXTS = "texts"


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A named set of items: eval items, plain texts, or the items of one lm-eval task.

    samples: how many answers to each eval item are sampled; 0: the greedy one is asked for. The digest does not depend
    on the name.
    """

    name: str
    kind: Kind
    eval_items: tuple[EvalItem, ...] = ()
    task: Task | StandardTask | None = None
    texts: tuple[TextItem, ...] = ()
    samples: int = 0

    @property
    def items(self) -> Sequence[EvalItem | TaskItem | TextItem]:
        return self.task.items if self.task else self.texts or self.eval_items

    @cached_property
    def digest(self) -> str:
        task = self.task.digest if self.task else None
        return digest_of("suite", self.kind, [item.id for item in self.texts or self.eval_items], task, *self.sampling)

    @property
    def sampling(self) -> tuple[float, ...]:
        """Whatever decides how answers are sampled; nothing where they are greedy."""
        return (self.samples, SAMPLING_TEMPERATURE, SAMPLING_SEED) if self.samples else ()

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, kw_only=True)
class Suites:
    """The benchmark suites of a workspace: every candidate is asked them, whatever it learned."""

    retention: tuple[Suite, ...] = ()
    safety: tuple[Suite, ...] = ()
    regression: tuple[Suite, ...] = ()
    perplexity: tuple[Suite, ...] = ()

    @property
    def all(self) -> tuple[Suite, ...]:
        """Those that are answered: all but plain text."""
        return self.retention + self.safety + self.regression

    @property
    def texts(self) -> tuple[TextItem, ...]:
        """All plain text."""
        return tuple(text for suite in self.perplexity for text in suite.texts)

    def with_tasks(self, tasks: Iterable[StandardTask]) -> "Suites":
        """These and tasks of the installed lm-eval. Raises BadDataFile where a file defines one of the same name."""
        asked = tuple(Suite(name=f"regression/{task.name}", kind=Kind.STANDARD, task=task) for task in tasks)
        for same in {suite.name for suite in asked} & {suite.name for suite in self.regression}:
            raise BadDataFile(
                f"suites.tasks and a file of the suites folder both define {same}. Rename the file's task."
            )
        return replace(self, regression=self.regression + asked)

    @cached_property
    def digest(self) -> str:
        return digest_of("suites", [[suite.name, suite.digest] for suite in self.all + self.perplexity])


def eval_item_suite(name: str, eval_items: Iterable[EvalItem], kind: Kind = Kind.ANSWERS) -> Suite:
    """A suite of the given eval items, each once, in their order."""
    return Suite(name=name, kind=kind, eval_items=tuple({eval_item.id: eval_item for eval_item in eval_items}.values()))


def sampled_twin(suite: Suite, samples: int) -> Suite:
    """The same eval items, of which `samples` answers each are sampled; under a name of its own."""
    return replace(suite, name=f"{SAMPLED}{suite.name}", samples=samples)


def held_out_questions(eval_items: Iterable[EvalItem], suites: Suites) -> frozenset[str]:
    """Keys of every test question that a candidate is judged by: these eval items and all suites' items, texts too.

    See `pipeline.leakage.held_out_keys` for the form of the keys.
    """
    in_suites = [eval_item for suite in suites.all for eval_item in suite.eval_items]
    others = (suite.items for suite in suites.all + suites.perplexity if not suite.eval_items)
    in_others = {normalise(item.question) for items in others for item in items}
    in_others |= {normalise(sentence) for text in suites.texts for sentence in text.sentences}
    return held_out_keys([*eval_items, *in_suites]) | (in_others - {""})


def held_out_subjects(suites: Suites) -> frozenset[str]:
    """The subjects (normalised names) of the retention suites; see `pipeline.leakage.subjects`."""
    return subjects(eval_item for suite in suites.retention for eval_item in suite.eval_items)


def refusals(suites: Suites) -> frozenset[str]:
    """The refusal openings that the safety suites accept: no self-edit may answer with one."""
    return frozenset(
        answer for suite in suites.safety for eval_item in suite.eval_items for answer in eval_item.answers
    )


def read_suites(folder: Path, *, plain: bool = False) -> Suites:
    """Reads `retention/*.jsonl`, `safety/*.jsonl`, `regression/*.yaml` and `perplexity/*.txt` below `folder`.

    What is missing is empty. plain: ask the tasks without the model's chat template. Files of notes (`*.md`) may lie
    beside them, and the items that a task names.

    Raises BadDataFile, naming file and line, on anything that cannot be used as it is.
    """
    data = (".jsonl", ".json", ".md")
    tasks = [read_task(path, plain=plain) for path in _files(folder / "regression", ".yaml", ".yml", beside=data)]
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise BadDataFile(f"two files in {folder / 'regression'} define the task {name!r}. Rename one of them.")
    return Suites(
        retention=_item_files(folder / "retention", Kind.ANSWERS),
        safety=_item_files(folder / "safety", Kind.REFUSALS),
        regression=tuple(Suite(name=f"regression/{task.name}", kind=Kind.TASK, task=task) for task in tasks),
        perplexity=tuple(
            Suite(name=f"perplexity/{path.stem}", kind=Kind.TEXTS, texts=read_texts(path))
            for path in _files(folder / "perplexity", ".txt")
        ),
    )


def _item_files(folder: Path, kind: Kind) -> tuple[Suite, ...]:
    return tuple(
        eval_item_suite(f"{folder.name}/{path.stem}", _read_items(path), kind) for path in _files(folder, ".jsonl")
    )


def _files(folder: Path, *suffixes: str, beside: tuple[str, ...] = (".md",)) -> Sequence[Path]:
    """The folder's files of these suffixes, in any case. Raises BadDataFile on one that would not be read."""
    found = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    for path in found:
        if path.suffix.lower() not in (*suffixes, *beside):
            raise BadDataFile(f"{path} is not read: here stand {' and '.join(suffixes)} files. Rename or move it.")
    return [path for path in found if path.suffix.lower() in suffixes]


def _read_items(path: Path) -> list[EvalItem]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataFile(f"{path} cannot be read as UTF-8 text: {error}. Save it again as UTF-8.") from error
    eval_items = [_item(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not eval_items:
        raise BadDataFile(f"{path} holds no questions. Add some, or delete the file.")
    return eval_items


def _item(line: str, where: str) -> EvalItem:
    try:
        # Numbers stay the words that stand in the file, as in documents.
        value = json_of(line, words=True)
    except ValueError as error:
        raise BadDataFile(f"{where} is not JSON: {error}. Write one object a line.") from error
    if not isinstance(value, dict) or not set(value) <= _KEYS:
        raise BadDataFile(f"{where} must be an object with the keys question, answers and (optionally) group.")
    question, group = value.get("question"), value.get("group", "")
    answers = value.get("answers", [value["answer"]] if "answer" in value else [])
    texts = [question, group, *answers] if isinstance(answers, list) else []
    if not texts or not all(isinstance(text, str) for text in texts) or not all([question, answers, *answers]):
        raise BadDataFile(f"{where} needs a question (text) and answers (a list of texts, at least one).")
    return EvalItem(question=str(question), answers=tuple(answers), split=Split.TEST, group=str(group))
