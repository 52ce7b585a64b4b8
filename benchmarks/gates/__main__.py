"""`python -m benchmarks.gates [PART ...]`: each part measures, prints, and writes its JSON."""

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.figures import RESULTS
from benchmarks.gates.task import Task

# A part is a module with `run(task)`; its figures are gates-PART.json.
PARTS = ("error", "validation", "bisect")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--quick", action="store_true", help="the same on less")
    parser.add_argument("--seeds", type=int, help="how many seeds, from the first; all")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON files")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    task = Task(quick=options.quick, seeds=options.seeds, out=options.out)
    for part in options.parts or PARTS:
        import_module(f"benchmarks.gates.{part}").run(task)


if __name__ == "__main__":
    main()
