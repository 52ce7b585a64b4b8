"""Another draw of the items keeps groups together and models paired."""

from dataclasses import replace
from pathlib import Path

from gates.evidence import Case, Evidence
from gates.suite import Suites
from gates.validation.resampling import resampled
from pipeline.types import AdapterManifest, Checkpoint, ItemScore, ModelRef, Scores

BASE = ModelRef(base="b")
MANIFEST = AdapterManifest(
    base="b",
    tokenizer="t",
    chat_template="c",
    files=(),
    rank=1,
    alpha=1,
    target_modules=(),
    parameters=0,
    update="u",
    recipe="r",
    ledger="l",
    parent_adapter=None,
)
CASE = Case(
    update="u",
    manifest=MANIFEST,
    candidate=Checkpoint(BASE, Path("a")),
    production=Checkpoint(BASE),
    examples=(),
    suites=Suites(),
)


def scores(*values: float) -> Scores:
    """Items in groups of two, but for the last ten, which stand alone."""
    items = [
        ItemScore(item=f"i{at}", score=value, answer="", group=f"g{at // 2}" if at < len(values) - 10 else "")
        for at, value in enumerate(values)
    ]
    return Scores(model=BASE, suite="s", items=tuple(items))


def evidence(candidate: Scores, production: Scores) -> Evidence:
    return Evidence(case=CASE, candidate_scores=(candidate,), production_scores=(production,))


WHOLE = evidence(scores(*[at % 3 == 0 for at in range(50)]), scores(*[at % 2 == 0 for at in range(50)]))


def test_models_stay_paired() -> None:
    before = {(pair.item, pair.before, pair.after) for pair in WHOLE.pairs("s")}
    drawn = resampled(WHOLE, seed=1).pairs("s")
    assert {(pair.item.partition("#")[0], pair.before, pair.after) for pair in drawn} < before
    assert len({pair.item for pair in drawn}) == len(drawn)


def test_groups_are_drawn_whole() -> None:
    drawn = resampled(WHOLE, seed=1).pairs("s")
    sizes: dict[str, int] = {}
    for pair in drawn:
        sizes[pair.group] = sizes.get(pair.group, 0) + bool(pair.group)
    assert {size for group, size in sizes.items() if group} == {2}


def test_the_seed_alone_decides() -> None:
    assert resampled(WHOLE, 1) == resampled(WHOLE, 1)
    assert resampled(WHOLE, 1) != resampled(WHOLE, 2)


def test_nothing_measured_stays_nothing() -> None:
    empty = replace(WHOLE, candidate_scores=(scores(),), production_scores=(scores(),))
    assert resampled(empty, 1).pairs("s") == ()
