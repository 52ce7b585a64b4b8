"""`python -m benchmarks.gates [PART ...] [--quick] [--out FOLDER]`: each part measures, prints and writes its JSON."""

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.figures import RESULTS, write_results

# A part is a module with `measured(quick) -> list[Measured]`; its figures are gates-PART.json.
PARTS = ("error", "validation", "bisect", "retention")
# Parts that train for each seed begin no further one after `--minutes`: `measured(quick, minutes)`.
BY_SEEDS = ("bisect",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="the same on less")
    parser.add_argument("--minutes", type=float, help=f"after which {', '.join(BY_SEEDS)} begins no seed; none: all")
    parser.add_argument("--out", type=Path, help="folder for the results")
    options = parser.parse_args()
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        asked = (options.quick, options.minutes) if part in BY_SEEDS else (options.quick,)
        figures = import_module(f"benchmarks.gates.{part}").measured(*asked)
        write_results("gates", figures, (options.out or RESULTS) / f"gates-{part}.json")


if __name__ == "__main__":
    main()
