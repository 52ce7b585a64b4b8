"""What adapters of a real pretrained model keep of what it surely knows, by greedy and by sampled answers.

Usage: python -m benchmarks.real.kept NAME=ADAPTER ... [--model smollm2]

Both are judged as the gate `retention` judges them, against the base model.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.figures import Measured, write_results
from benchmarks.real.setting import Setting, read_setting
from gates.evidence import join
from gates.judging import Comparison, compare
from gates.measure import measure
from gates.suite import eval_item_suite, sampled_twin
from pipeline.adapters.format import read_manifest
from pipeline.types import Checkpoint, ModelRef, Verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapters", nargs="+", type=_named, help="a name and an adapter's folder, as NAME=FOLDER")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    setting = read_setting(options.model)
    with tempfile.TemporaryDirectory(prefix="sealed-kept-") as cache:
        found = compared(setting, dict(options.adapters), Path(cache))
        write_results("real.kept", [one for name, both in found for one in _figures(setting, name, both)], options.out)


def compared(
    setting: Setting, adapters: Mapping[str, Path], cache: Path
) -> Iterator[tuple[str, tuple[Comparison, Comparison]]]:
    """For each adapter what it keeps against the base: by greedy answers, then by sampled ones."""
    policy, greedy = setting.recipe.policy, eval_item_suite("retention/known", setting.known)
    suites = (greedy, sampled_twin(greedy, policy.retention.samples))
    base = ModelRef(base=setting.base.identity.model)
    before = measure(setting.base, Checkpoint(base), suites, policy, cache)
    for name, folder in adapters.items():
        candidate = Checkpoint(ModelRef(base=base.base, adapter=read_manifest(folder).adapter), folder)
        after = measure(setting.base, candidate, suites, policy, cache)
        of_greedy, of_samples = (
            compare(join(one, other), policy.alpha, seed=1) for one, other in zip(before, after, strict=True)
        )
        yield name, (of_greedy, of_samples)


def _figures(setting: Setting, name: str, both: tuple[Comparison, Comparison]) -> Iterator[Measured]:
    rules = setting.recipe.policy.retention
    for how, found in zip(("greedy", f"{rules.samples} samples"), both, strict=True):
        passes = found.not_worse(rules.margin, rules.min_items) is Verdict.PASS
        yield Measured(name=f"{name}, {how}: the base", value=100 * found.before, unit="%", n=found.n)
        yield Measured(
            name=f"{name}, {how}: change", value=100 * found.difference, unit="points", n=found.n,
            interval=(100 * found.lower, 100 * found.upper), goal=f"bound >= {-100 * rules.margin:g}", met=passes,
        )  # fmt: skip
    yield Measured(name=f"{name}: right to wrong", value=both[0].lost, unit="questions", n=both[0].n)
    yield Measured(name=f"{name}: wrong to right", value=both[0].gained, unit="questions", n=both[0].n)


def _named(text: str) -> tuple[str, Path]:
    name, found, folder = text.partition("=")
    if not (name and found and Path(folder).is_dir()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER of an adapter that is there")
    return name, Path(folder)


if __name__ == "__main__":
    main()
