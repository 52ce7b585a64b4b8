"""`python -m benchmarks.learning [PART ...]`: each part measures, prints, and writes its JSON and its plot."""

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from benchmarks.figures import RESULTS
from benchmarks.learning.task import Task

# A part is a module with `run(task)`; its figures are learning-PART.json.
PARTS = ("one_run", "corrections")
# Or another benchmark, by its module, what it is asked for, and its figures.
ELSEWHERE = {
    "writer-training": ("benchmarks.writer_training", (), "writer-training.json"),
    "many-runs": ("benchmarks.retention", ("--runs", "30"), "lifetime.json"),
    "sweep": ("benchmarks.retention", (), "retention.json"),
    "withdrawal": ("benchmarks.withdrawal", (), "withdrawal.json"),
}
EVERY = (*PARTS, *ELSEWHERE)


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    if unknown := sorted(set(options.parts) - set(EVERY)):
        _parser().error(f"no part {unknown[0]!r}: there are {', '.join(EVERY)}")
    if bool(options.data) != bool(options.model):
        _parser().error("--model and --data go together: a base, and passages with questions for it")
    if options.data and options.parts not in ([], ["one_run"]):
        _parser().error("--model and --data are for the part one_run")
    if unknown := sorted(set(options.arms) - set(_arms() if options.arms else ())):
        _parser().error(f"no arm {unknown[0]!r}: there are {', '.join(_arms())}")
    if bool(options.arms) != bool(options.name) or (options.arms and options.parts != ["one_run"]):
        _parser().error(
            "--arms and --name go together, and with the part one_run: some arms, and a name for the results"
        )
    task = Task(
        quick=options.quick,
        out=options.out,
        model=options.model,
        data=options.data,
        count=options.count,
        arms=tuple(options.arms),
        name=options.name,
    )
    for part in options.parts or (["one_run"] if options.data else EVERY):
        _part(part)(task)


def _part(name: str) -> Callable[[Task], None]:
    if name in ELSEWHERE:
        return partial(_elsewhere, name)
    run: Callable[[Task], None] = import_module(f"benchmarks.learning.{name}").run
    return run


def _elsewhere(name: str, task: Task) -> None:
    module, asked, file = ELSEWHERE[name]
    quick = ("--quick",) if task.quick else ()
    import_module(module).main([*asked, *quick, "--out", str(task.out / file)])


def _arms() -> tuple[str, ...]:
    from benchmarks.learning.arms import EVERY

    return EVERY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(EVERY)}; all")
    parser.add_argument("--quick", action="store_true", help="one seed and fewer documents")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON files and plots")
    parser.add_argument("--model", help="another base, by folder or hub name")
    parser.add_argument("--data", type=Path, help="its passages: JSON list of {title, context, questions}")
    parser.add_argument("--count", type=int, default=6, help="passages of --data")
    parser.add_argument("--arms", nargs="+", default=[], metavar="ARM", help="of the run's arms; all")
    parser.add_argument("--name", help="of the results of --arms: learning-NAME.json")
    return parser


if __name__ == "__main__":
    main()
