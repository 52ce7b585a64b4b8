"""Builds the suites of a base model, round after round, until each kind has what its gate needs or nothing comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gates.planning import USUAL_CHANGED
from gates.standing_suites import files, knowledge, reading, refusals, texts
from gates.standing_suites.asking import KeptEngine
from gates.statistics import items_needed
from gates.suite import read_suites
from pipeline import progress
from pipeline.leakage import without_leaks
from pipeline.recipe import PolicyRules
from pipeline.types import Example

T = TypeVar("T")

ROUNDS = 16
_LEAST_RATE = 0.03  # of what one way to write questions yields, below which the other way goes on alone
_SPARE = 1.1  # of the least that a gate asks for, so that a lost file or a changed answer does not matter
_PASSAGES, _PASSAGE_TOKENS = 60, 56
_TEXTS, _TEXT_TOKENS = 60, 72


@dataclass(frozen=True, kw_only=True)
class SuiteBuilder:
    """What suites are built with.

    policy: what the gates will ask for. taken: keys (`pipeline.leakage`) of what is rehearsed, or asked of documents:
    no suite may ask it, or it could not be trained on.
    """

    kept: KeptEngine
    policy: PolicyRules
    taken: frozenset[str]

    def free(self, question: str) -> bool:
        """Whether nobody trains on this question or text."""
        return bool(without_leaks([Example(prompt=question, completion="")], self.taken))


@dataclass(frozen=True, kw_only=True)
class BuiltSuite:
    """One suite in the workspace's folder. `made`: now, and not before or by hand."""

    kind: str
    name: str
    items: int
    digest: str
    made: bool


@dataclass(frozen=True, kw_only=True)
class Built:
    """All suites of the folder after a build, and the kinds that stay empty."""

    suites: tuple[BuiltSuite, ...]
    empty: tuple[str, ...]


def build_suites(builder: SuiteBuilder, folder: Path) -> Built:
    """Builds each kind of suite that the folder has none of; what is there stays as it is.

    A kind's file is written whole when the kind is done. Killed, the next call goes on from the last answers kept.
    Raises BadDataFile where what is there cannot be read.
    """
    before = files.built_before(folder)
    for kind, build in _BUILDERS.items():
        if kind not in before:
            with progress.titled(f"suites: {kind}"):
                build(builder, folder)
    suites = read_suites(folder)
    found = {kind: files.suites_of(suites, kind) for kind in files.KINDS}
    return Built(
        suites=tuple(
            BuiltSuite(kind=kind, name=one.name, items=len(one), digest=one.digest, made=kind not in before)
            for kind, own in found.items()
            for one in own
        ),
        empty=tuple(kind for kind, own in found.items() if not own),
    )


def _build_knowledge(builder: SuiteBuilder, folder: Path) -> None:
    rules, seen = builder.policy.retention, set[str]()
    wanted, known = _wanted(rules.min_items, rules.margin, builder.policy.alpha), list[knowledge.Fact]()
    rates = {True: 1.0, False: 1.0}
    for number in range(ROUNDS):
        for lists in [way for way in rates if rates[way] >= min(_LEAST_RATE, max(rates.values()))]:
            way = "lists" if lists else "own prompts"
            with progress.step(f"round {number + 1}, {way}, {len(known):,} of {wanted:,} found"):
                new = _new(builder, knowledge.questions(builder.kept, number, lists=lists), seen)
                sure = knowledge.surely_known(builder.kept, new)
            rates[lists] = len(sure) / max(1, len(new))
            known += sure
        if len(known) >= wanted or not any(rates.values()):
            break
    if known:
        files.write_knowledge(folder, known)


def _new(builder: SuiteBuilder, asked: Sequence[str], seen: set[str]) -> list[str]:
    """The questions that were not asked before, and that nobody trains on in any wording."""
    found = []
    for question in asked:
        every = (wording.format(question) for wording in knowledge.WORDINGS)
        if knowledge.same(question) not in seen and all(map(builder.free, every)):
            found.append(question)
        seen.add(knowledge.same(question))
    return found


def _build_reading(builder: SuiteBuilder, folder: Path) -> None:
    rules = builder.policy.regression
    wanted = _wanted(rules.min_items, rules.margin, builder.policy.alpha)

    def read(number: int) -> Sequence[reading.ReadingItem]:
        passages = texts.paragraphs(builder.kept, _PASSAGES, _PASSAGE_TOKENS, seed=100 + number)
        items = [item for passage in passages if builder.free(passage) for item in reading.items_about(passage)]
        return reading.surely_read(builder.kept, items)

    if items := _rounds(read, wanted, key=lambda item: item.prompt):
        files.write_reading(folder, items)


def _build_declined(builder: SuiteBuilder, folder: Path) -> None:
    """Harmful requests; where too few are declined, also what the model asks itself."""
    rules = builder.policy.safety
    wanted = _wanted(rules.min_items, rules.margin, builder.policy.alpha)

    def declined(number: int) -> Sequence[refusals.Declined]:
        own = knowledge.prompts(builder.kept, number - 1) if number else []
        requests = [(prompt, prompt) for prompt in own] if number else refusals.harmful()
        return refusals.declined(builder.kept, [one for one in requests if builder.free(one[1])])

    if found := _rounds(declined, wanted, key=lambda one: one.request, count=refusals.deeds, tries=2):
        files.write_declined(folder, refusals.surest(found, wanted, rules.min_items))


def _build_texts(builder: SuiteBuilder, folder: Path) -> None:
    def written(number: int) -> Sequence[str]:
        return [one for one in texts.paragraphs(builder.kept, _TEXTS, _TEXT_TOKENS, seed=number) if builder.free(one)]

    if found := _rounds(written, round(_SPARE * builder.policy.perplexity.min_items), key=str):
        files.write_texts(folder, found)


def _rounds(
    make: Callable[[int], Sequence[T]],
    wanted: int,
    *,
    key: Callable[[T], str],
    count: Callable[[Sequence[T]], int] = len,
    tries: int = 1,
) -> list[T]:
    """What the rounds give, each once, until there is enough, or `tries` rounds one after another gave nothing new."""
    found, idle = dict[str, T](), 0
    for number in range(ROUNDS):
        before = len(found)
        with progress.step(f"round {number + 1}"):
            for one in make(number):
                found.setdefault(key(one), one)
        idle = 0 if len(found) > before else idle + 1
        if count(list(found.values())) >= wanted or idle >= tries:
            break
    return list(found.values())


def _wanted(least: int, margin: float, alpha: float) -> int:
    """Items, or facts, that the gate's rule and its margin ask for."""
    return round(_SPARE * max(least, items_needed(USUAL_CHANGED, margin, alpha)))


_BUILDERS = {
    "retention": _build_knowledge,
    "regression": _build_reading,
    "safety": _build_declined,
    "perplexity": _build_texts,
}
