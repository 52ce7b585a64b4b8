"""What lasts: arms that live many nights side by side, and what each keeps of its nights and of what nobody rehearses.

`python -m benchmarks.retention` is the sweep by which the default recipe is chosen (three nights, a seed of choosing);
`--nights 30` is the long life of the default recipe beside SEAL's procedure and plain replay, on a seed of its own.
Changes are paired item by item with the untouched base: 90 % intervals (Tango), so a bound is a one-sided 95 % one.
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
from pipeline.recipe import UNHELD, Recipe

CHOOSING_SEED, REPORT_SEED = 1_001, 61_045
SWEEP_NIGHTS = 3
ALPHA = 0.05
STANDING = ("old_world", "skills", "reading", "writing")
DEFAULT, SEAL, PLAIN = "default", "seal", "plain replay"
HALF = "half the default's amounts"
FREE = {"distill": 0.0, "distill_states": 0.0}
GIVEN_ALONE = {"anchors": 480, "generative": 0, "reading": 0, "writing": 0}


def long_lives(recipe: Recipe) -> tuple[Arm, ...]:
    """The default recipe, SEAL's procedure, and replay without anything else that holds."""
    return (
        Arm(name=DEFAULT, recipe=recipe),
        _seal(recipe),
        _training(_rehearsing(recipe, PLAIN, **GIVEN_ALONE, **FREE), night_weight=1.0),
    )


def sweep(recipe: Recipe) -> tuple[Arm, ...]:
    """Ways to hold, rehearse and train, each changed in one respect. They rehearse half of what the default does."""
    whole, recipe = recipe, _rehearsing(recipe, HALF, **_halved(recipe)).recipe
    return (
        Arm(name=HALF, recipe=recipe),
        _rehearsing(recipe, "held by logits, not by states", distill_states=0.0),
        _rehearsing(recipe, "held by states, not by logits", distill=0.0),
        _rehearsing(recipe, "words of the base alone", **FREE),
        _rehearsing(recipe, "replay not held", distill_on=("anchor", "generative", "reading", "writing")),
        _rehearsing(recipe, "reading and writing not held", distill_on=("anchor", "generative", "replay")),
        _training(Arm(name="a night weighs no more", recipe=recipe), night_weight=1.0),
        _rehearsing(recipe, "no generative replay", generative=0),
        _rehearsing(recipe, "half the pull", **_weaker(recipe)),
        _rehearsing(recipe, "projection", projection=0.1),
        _training(Arm(name="half the rate", recipe=recipe), learning_rate=recipe.training.learning_rate / 2),
        _training(Arm(name="rank 32", recipe=recipe), rank=32, alpha=32),
        _training(Arm(name="feed-forward layers only", recipe=recipe), targets=("gate_proj", "up_proj", "down_proj")),
        Arm(name="rebuilt each night", recipe=recipe, rebuilds=True),
        Arm(name="the default's amounts", recipe=whole),
    )


def _seal(recipe: Recipe) -> Arm:
    """SEAL's procedure with its own constants: nothing rehearsed, each night's adapter merged into the weights."""
    notes = recipe.self_edits.model_copy(update={"styles": ("implications",), "samples": seal.SAMPLES})
    changed = {"training": seal.RULES, "self_edits": notes, "rehearsal": UNHELD}
    return Arm(name=SEAL, recipe=recipe.model_copy(update=changed), by_seal=True)


def _halved(recipe: Recipe) -> dict[str, int]:
    return {kind: getattr(recipe.rehearsal, kind) // 2 for kind in ("replay", "generative")}


def _weaker(recipe: Recipe) -> dict[str, float]:
    return {way: getattr(recipe.rehearsal, way) / 2 for way in ("distill", "distill_states")}


def _rehearsing(recipe: Recipe, name: str, **changed: object) -> Arm:
    return Arm(name=name, recipe=recipe.model_copy(update={"rehearsal": recipe.rehearsal.model_copy(update=changed)}))


def _training(arm: Arm, **changed: object) -> Arm:
    training = arm.recipe.training.model_copy(update=changed)
    return replace(arm, recipe=arm.recipe.model_copy(update={"training": training}))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=SWEEP_NIGHTS)
    parser.add_argument(
        "--arms", nargs="*", help="names of arms; none: the sweep's, or beyond 3 nights those of a long life"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--every", type=int, help="look at everything after each such number of nights")
    parser.add_argument("--quick", action="store_true", help="the default recipe alone, two nights of little rehearsal")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    nights = 2 if options.quick else options.nights
    long = nights > SWEEP_NIGHTS
    seed = options.seed or (REPORT_SEED if long else CHOOSING_SEED)
    recipe = Recipe.read(KIT / "recipe.toml")
    if options.quick:
        recipe = shortened(recipe)
    lasting, swept = ({arm.name: arm for arm in made(recipe)} for made in (long_lives, sweep))
    known = {**lasting, **swept}
    names = options.arms or ([DEFAULT] if options.quick else list(lasting if long else swept))
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"no arm {unknown[0]!r}: there are {', '.join(known)}")
    every = options.every or (max(1, nights // 6) if long else nights)
    looked_at = [*([1] if long else []), *range(every, nights + 1, every), nights]
    name = "lifetime" if long else "retention"
    lives: dict[str, list[Lived]] = {}
    for arm in names:
        lives[arm] = []
        untouched = next((life[0] for life in lives.values() if life), None)
        for night in live(known[arm], seed, nights, looked_at, untouched=untouched):
            lives[arm].append(night)
            print(f"{arm}, seed {seed}: {_told(night, lives[arm][0])}", flush=True)
    out = options.out or RESULTS / f"{name}.json"
    _write_matrices(out.with_suffix(".matrix.json"), lives)
    draw_lives(out.with_suffix(".matrix.json"), out.with_suffix(".png"))
    write_results("retention", [figure for arm in names for figure in _figures(arm, lives[arm])], out)


def _told(night: Lived, base: Lived) -> str:
    if not night.night:
        return ", ".join(f"{kind} {fmean(getattr(night.asked, kind)):.1%}" for kind in STANDING)
    words = [f"night {night.night} learned {night.recall(night.night):.1%} in {night.seconds:.0f} s"]
    if night.asked.old_world:
        words += [f"earlier nights {_earlier(night):.1%}"] if night.night > 1 else []
        words += [f"{kind} {_change(base, night, kind)[0]:+.1f}" for kind in STANDING]
        words += [f"surprise {night.asked.surprise:.4f} (base {base.asked.surprise:.4f})"]
    return ", ".join(words)


def _earlier(night: Lived) -> float:
    return fmean(night.recall(number) for number in range(1, night.night))


def _change(base: Lived, night: Lived, kind: str) -> tuple[float, float, float]:
    """The change in points with its interval, paired by item."""
    before, after = _marks(base, kind), _marks(night, kind)
    gained = sum(now and not then for then, now in zip(before, after, strict=True))
    lost = sum(then and not now for then, now in zip(before, after, strict=True))
    low, high = (bound(gained, lost, len(after), ALPHA) for bound in (tango_lower, tango_upper))
    return 100 * (gained - lost) / len(after), 100 * low, 100 * high


def _marks(night: Lived, kind: str) -> Marks:
    marks: Marks = getattr(night.asked, kind)
    return marks


def _figures(arm: str, life: Sequence[Lived]) -> Iterator[Measured]:
    base, *nights = life
    last = nights[-1]
    learned = [night.recall(night.night) for night in nights]
    yield Measured(name=f"{arm}: a night's recall right after it", value=fmean(learned), unit="share", n=len(nights),
                   interval=(min(learned), max(learned)))  # fmt: skip
    if last.night > 1:
        kept = _earlier(last) / max(fmean(learned[:-1]), 1e-9)
        yield Measured(name=f"{arm}: earlier nights kept after night {last.night}", value=kept, unit="share",
                       n=last.night - 1, goal=">= 0.95", met=kept >= 0.95)  # fmt: skip
        each = [last.recall(night.night) / max(night.recall(night.night), 1e-9) for night in nights[:-1]]
        yield Measured(name=f"{arm}: the earlier night that was kept least", value=min(each), unit="share", n=len(each))
        yield Measured(name=f"{arm}: earlier nights kept below 0.95", value=sum(one < 0.95 for one in each),
                       unit="nights", n=len(each))  # fmt: skip
    for kind in STANDING:
        change, low, high = _change(base, last, kind)
        yield Measured(
            name=f"{arm}: {kind.replace('_', ' ')} after night {last.night}, change (90 %)", value=change,
            unit="points", n=len(_marks(last, kind)), interval=(low, high), goal=">= -1", met=change >= -1.0,
        )  # fmt: skip
    yield Measured(name=f"{arm}: an answer of the old world after night {last.night} (base "
                   f"{base.asked.surprise:.4f})", value=last.asked.surprise, unit="nats",
                   n=len(last.asked.old_world))  # fmt: skip
    yield Measured(name=f"{arm}: seconds of night 1", value=nights[0].seconds, unit="s")
    if last.night > 1:
        ratio = last.seconds / nights[0].seconds
        yield Measured(name=f"{arm}: night {last.night} costs, times night 1", value=ratio, unit="x", goal="<= 1.5",
                       met=ratio <= 1.5)  # fmt: skip
    more = last.examples / nights[0].examples
    yield Measured(name=f"{arm}: examples of night {last.night}, times those of night 1 ({nights[0].examples})",
                   value=more, unit="x", goal="<= 1.5", met=more <= 1.5)  # fmt: skip


def _write_matrices(path: Path, lives: Mapping[str, Sequence[Lived]]) -> None:
    """Each arm's retention matrix: after which night how much of each earlier one is known; and all else, by night."""
    document = {
        arm: [
            {
                "night": night.night, "examples": night.examples, "seconds": round(night.seconds, 2),
                "recall": [round(fmean(marks), 4) if marks else None for marks in night.asked.nights],
                **{kind: round(fmean(_marks(night, kind)), 4) for kind in STANDING if _marks(night, kind)},
                **({"surprise": round(night.asked.surprise, 5)} if night.asked.old_world else {}),
            }
            for night in life
        ]
        for arm, life in lives.items()
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
