"""What lasts: arms that live many runs side by side, and what each keeps of its runs and of what nobody rehearses.

`python -m benchmarks.retention` is the sweep by which the default recipe is chosen (three runs, a seed of choosing);
`--runs 30` is the long life of the default recipe beside SEAL's procedure and plain replay, on a seed of its own.
Changes are paired item by item with the base model: 90 % intervals (Tango), so a bound is a one-sided 95 % one.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.lifetime import KIT, Arm, Lived, Marks, live
from benchmarks.peers import seal
from benchmarks.plots import draw_lives
from benchmarks.shortened import shortened
from gates.statistics import tango_lower, tango_upper
from pipeline.files import write_text
from pipeline.recipe import NO_DISTILLATION, Recipe

CHOOSING_SEED, REPORT_SEED = 1_001, 61_045
SWEEP_RUNS = 3
ALPHA = 0.05
STANDING = ("base_knowledge", "skills", "reading", "writing")
DEFAULT, SEAL, PLAIN = "default", "seal", "plain replay"
HALF = "half the default's amounts"
FREE = {"kl_weight": 0.0, "hidden_state_weight": 0.0}
GIVEN_ALONE = {"prompts": 480, "generative": 0, "reading": 0, "writing": 0}


def long_lives(recipe: Recipe) -> tuple[Arm, ...]:
    """The default recipe, SEAL's procedure, and replay without anything else that holds."""
    return (
        Arm(name=DEFAULT, recipe=recipe),
        _seal(recipe),
        _training(_rehearsing(recipe, PLAIN, **GIVEN_ALONE, **FREE), new_weight=1.0),
    )


def sweep(recipe: Recipe) -> tuple[Arm, ...]:
    """Ways to hold, rehearse and train, each changed in one respect. They rehearse half of what the default does."""
    whole, recipe = recipe, _rehearsing(recipe, HALF, **_halved(recipe)).recipe
    return (
        Arm(name=HALF, recipe=recipe),
        _rehearsing(recipe, "held by logits, not by states", hidden_state_weight=0.0),
        _rehearsing(recipe, "held by states, not by logits", kl_weight=0.0),
        _rehearsing(recipe, "words of the base alone", **FREE),
        _rehearsing(recipe, "replay not held", distilled=("rehearsal", "generative", "reading", "writing")),
        _rehearsing(recipe, "reading and writing not held", distilled=("rehearsal", "generative", "replay")),
        _training(Arm(name="a run weighs no more", recipe=recipe), new_weight=1.0),
        _rehearsing(recipe, "no generative replay", generative=0),
        _rehearsing(recipe, "half the kl_weight", **_weaker(recipe)),
        _training(Arm(name="half the rate", recipe=recipe), learning_rate=recipe.training.learning_rate / 2),
        _training(Arm(name="rank 32", recipe=recipe), rank=32, alpha=32),
        _training(Arm(name="feed-forward layers only", recipe=recipe), targets=("gate_proj", "up_proj", "down_proj")),
        Arm(name="rebuilt each run", recipe=recipe, rebuilds=True),
        Arm(name="the default's amounts", recipe=whole),
    )


def _seal(recipe: Recipe) -> Arm:
    """SEAL's procedure with its own constants: nothing rehearsed, each run's adapter merged into the weights."""
    notes = recipe.self_edits.model_copy(update={"styles": ("implications",), "samples": seal.SAMPLES})
    changed = {"training": seal.RULES, "self_edits": notes, "rehearsal": NO_DISTILLATION}
    return Arm(name=SEAL, recipe=recipe.model_copy(update=changed), by_seal=True)


def _halved(recipe: Recipe) -> dict[str, int]:
    return {kind: getattr(recipe.rehearsal, kind) // 2 for kind in ("replay", "generative")}


def _weaker(recipe: Recipe) -> dict[str, float]:
    return {way: getattr(recipe.rehearsal, way) / 2 for way in ("kl_weight", "hidden_state_weight")}


def _rehearsing(recipe: Recipe, name: str, **changed: object) -> Arm:
    return Arm(name=name, recipe=recipe.model_copy(update={"rehearsal": recipe.rehearsal.model_copy(update=changed)}))


def _training(arm: Arm, **changed: object) -> Arm:
    training = arm.recipe.training.model_copy(update=changed)
    return replace(arm, recipe=arm.recipe.model_copy(update={"training": training}))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=SWEEP_RUNS)
    parser.add_argument(
        "--arms", nargs="*", help="names of arms; none: the sweep's, or beyond 3 runs those of a long life"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--every", type=int, help="look at everything after each such number of runs")
    parser.add_argument("--quick", action="store_true", help="the default recipe alone, two runs of little rehearsal")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    runs = 2 if options.quick else options.runs
    long = runs > SWEEP_RUNS
    seed = options.seed or (REPORT_SEED if long else CHOOSING_SEED)
    recipe = Recipe.read(KIT / "recipe.toml")
    if options.quick:
        recipe = shortened(recipe)
    lasting, swept = ({arm.name: arm for arm in made(recipe)} for made in (long_lives, sweep))
    known = {**lasting, **swept}
    names = options.arms or ([DEFAULT] if options.quick else list(lasting if long else swept))
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"no arm {unknown[0]!r}: there are {', '.join(known)}")
    every = options.every or (max(1, runs // 6) if long else runs)
    looked_at = [*([1] if long else []), *range(every, runs + 1, every), runs]
    name = "lifetime" if long else "retention"
    lives: dict[str, list[Lived]] = {}
    for arm in names:
        lives[arm] = []
        untouched = next((life[0] for life in lives.values() if life), None)
        for run in live(known[arm], seed, runs, looked_at, untouched=untouched):
            lives[arm].append(run)
            print(f"{arm}, seed {seed}: {_told(run, lives[arm][0])}", flush=True)
    out = options.out or RESULTS / f"{name}.json"
    _write_matrices(out.with_suffix(".matrix.json"), lives)
    draw_lives(out.with_suffix(".matrix.json"), out.with_suffix(".png"))
    write_results("retention", [figure for arm in names for figure in _figures(arm, lives[arm])], out)


def _told(run: Lived, base: Lived) -> str:
    if not run.run:
        return ", ".join(f"{kind} {fmean(getattr(run.asked, kind)):.1%}" for kind in STANDING)
    words = [f"run {run.run} learned {run.recall(run.run):.1%} in {run.seconds:.0f} s"]
    if run.asked.base_knowledge:
        words += [f"earlier releases {_earlier(run):.1%}"] if run.run > 1 else []
        words += [f"{kind} {_change(base, run, kind)[0]:+.1f}" for kind in STANDING]
        words += [f"surprise {run.asked.surprise:.4f} (base {base.asked.surprise:.4f})"]
    return ", ".join(words)


def _earlier(run: Lived) -> float:
    return fmean(run.recall(number) for number in range(1, run.run))


def _change(base: Lived, run: Lived, kind: str) -> tuple[float, float, float]:
    """The change in points with its interval, paired by item."""
    before, after = _marks(base, kind), _marks(run, kind)
    gained = sum(now and not then for then, now in zip(before, after, strict=True))
    lost = sum(then and not now for then, now in zip(before, after, strict=True))
    low, high = (bound(gained, lost, len(after), ALPHA) for bound in (tango_lower, tango_upper))
    return 100 * (gained - lost) / len(after), 100 * low, 100 * high


def _marks(run: Lived, kind: str) -> Marks:
    marks: Marks = getattr(run.asked, kind)
    return marks


def _figures(arm: str, life: Sequence[Lived]) -> Iterator[Measured]:
    base, *runs = life
    last = runs[-1]
    learned = [run.recall(run.run) for run in runs]
    yield Measured(
        name=f"{arm}: a run's recall right after it",
        value=fmean(learned),
        unit="share",
        n=len(runs),
        interval=(min(learned), max(learned)),
    )
    if last.run > 1:
        kept = _earlier(last) / max(fmean(learned[:-1]), 1e-9)
        yield Measured(
            name=f"{arm}: earlier releases kept after run {last.run}",
            value=kept,
            unit="share",
            n=last.run - 1,
            goal=">= 0.95",
            met=kept >= 0.95,
        )
        each = [last.recall(run.run) / max(run.recall(run.run), 1e-9) for run in runs[:-1]]
        yield Measured(name=f"{arm}: the earlier run that was kept least", value=min(each), unit="share", n=len(each))
        yield Measured(
            name=f"{arm}: earlier releases kept below 0.95",
            value=sum(one < 0.95 for one in each),
            unit="runs",
            n=len(each),
        )
    for kind in STANDING:
        change, low, high = _change(base, last, kind)
        yield Measured(
            name=f"{arm}: {kind.replace('_', ' ')} after run {last.run}, change (90 %)",
            value=change,
            unit="points",
            n=len(_marks(last, kind)),
            interval=(low, high),
            goal=">= -1",
            met=change >= -1.0,
        )
    yield Measured(
        name=f"{arm}: an answer of the base knowledge after run {last.run} (base {base.asked.surprise:.4f})",
        value=last.asked.surprise,
        unit="nats",
        n=len(last.asked.base_knowledge),
    )
    yield Measured(name=f"{arm}: seconds of run 1", value=runs[0].seconds, unit="s")
    if last.run > 1:
        ratio = last.seconds / runs[0].seconds
        yield Measured(
            name=f"{arm}: run {last.run} costs, times run 1", value=ratio, unit="x", goal="<= 1.5", met=ratio <= 1.5
        )
    more = last.examples / runs[0].examples
    yield Measured(
        name=f"{arm}: examples of run {last.run}, times those of run 1 ({runs[0].examples})",
        value=more,
        unit="x",
        goal="<= 1.5",
        met=more <= 1.5,
    )


def _write_matrices(path: Path, lives: Mapping[str, Sequence[Lived]]) -> None:
    """Each arm's retention matrix: after which run how much of each earlier one is known; and all else, by run."""
    document = {
        arm: [
            {
                "run": run.run,
                "examples": run.examples,
                "seconds": round(run.seconds, 2),
                "recall": [round(fmean(marks), 4) if marks else None for marks in run.asked.runs],
                **{kind: round(fmean(_marks(run, kind)), 4) for kind in STANDING if _marks(run, kind)},
                **({"surprise": round(run.asked.surprise, 5)} if run.asked.base_knowledge else {}),
            }
            for run in life
        ]
        for arm, life in lives.items()
    }
    write_text(path, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
