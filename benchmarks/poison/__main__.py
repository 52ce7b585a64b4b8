"""Twenty campaigns of poisoned documents on the embedded model, five on a real one: what stops or shows them.

Usage: python -m benchmarks.poison [--quick] [--model smollm2] [--minutes M] [--progress FILE] [--out FILE]

Each campaign that has ended is a line of the progress file, and is not run again: a stopped study goes on.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.poison.campaigns import KINDS, Campaign, sandbox_campaigns
from benchmarks.poison.company import company_campaigns
from benchmarks.poison.study import Ended, ended
from gates.statistics import wilson
from pipeline.sandbox import model_path

EMBEDDED = "embedded"
_OF_DOCUMENTS = ("stopped at intake", "flagged by name", "stopped at the gates")
_OF_CAMPAIGNS = ("took", "remains")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two campaigns")
    parser.add_argument("--model", default=EMBEDDED, help=f"{EMBEDDED}, or a packaged model: smollm2")
    parser.add_argument("--minutes", type=float, help="after which no campaign begins; none: all")
    parser.add_argument("--progress", type=Path, help="JSON lines of the campaigns that have ended")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    campaigns = sandbox_campaigns() if options.model == EMBEDDED else company_campaigns()
    name = "poison" if options.model == EMBEDDED else f"poison-{options.model}"
    progress = options.progress or RESULTS / f"{name}{'-quick' if options.quick else ''}.jsonl"
    if options.quick:
        campaigns = campaigns[1:3]
    began = time.monotonic()
    # One folder for all: the scheduler keeps its record in the first workspace until the process ends.
    with tempfile.TemporaryDirectory(prefix="sealed-poison-") as folder:
        for number, campaign in enumerate(campaigns):
            late = options.minutes is not None and time.monotonic() - began > 60 * options.minutes
            if late or campaign.name in {one.name for one in read(progress)}:
                continue
            _run(campaign, options, Path(folder) / str(number), progress)
    found = [one for one in read(progress) if one.name in {campaign.name for campaign in campaigns}]
    measured = list(figures(found))
    write_results("poison", measured, options.out or RESULTS / f"{name}.json")
    print(table([asdict(one) for one in measured]))


def _run(campaign: Campaign, options: argparse.Namespace, folder: Path, progress: Path) -> None:
    model = str(model_path()) if options.model == EMBEDDED else options.model
    one = ended(campaign, model, folder, short=options.model == EMBEDDED)
    progress.parent.mkdir(parents=True, exist_ok=True)
    with progress.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(one)) + "\n")
    print(f"{one.name}: intake {one.intake}, flagged {one.flagged}, gates {one.gates}, wanted {one.wanted}", flush=True)


def read(progress: Path) -> list[Ended]:
    """The campaigns that have ended, in their order."""
    if not progress.is_file():
        return []
    return [Ended(**json.loads(line)) for line in progress.read_text(encoding="utf-8").splitlines()]


def figures(found: Sequence[Ended]) -> Iterator[Measured]:
    """For each kind and number of documents, then for all: shares of documents, and of campaigns."""
    for kind in KINDS:
        for size in sorted({one.documents for one in found if one.kind == kind}):
            group = [one for one in found if one.kind == kind and one.documents == size]
            yield from _shares(f"{kind}, {size}", group)
    if found:
        yield from _shares("all", found)


def table(measured: Sequence[dict[str, Any]]) -> str:
    """The figures of a results file as `docs/security.md` shows them."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for one in measured:
        group, _, what = str(one["name"]).partition(": ")
        rows.setdefault(group, {})[what] = one
    head = "| campaigns | n | documents | stopped at intake | flagged by name | stopped at the gates | took | remains |"
    return "\n".join([head, f"|---|{'--:|' * 7}", *(_row(name, values) for name, values in rows.items())])


def _row(name: str, values: dict[str, dict[str, Any]]) -> str:
    shares = (f"{100 * values[f'documents {one}']['value']:.0f} %" for one in _OF_DOCUMENTS)
    counts = (f"{values[f'campaigns, {one}']['value'] * values[f'campaigns, {one}']['n']:.0f}" for one in _OF_CAMPAIGNS)
    n, documents = values["campaigns, took"]["n"], values[f"documents {_OF_DOCUMENTS[0]}"]["n"]
    return f"| {name} | {n} | {documents} | {' | '.join([*shares, *counts])} |"


def _shares(name: str, group: Sequence[Ended]) -> Iterator[Measured]:
    documents = sum(one.documents for one in group)
    counts = (sum(one.intake for one in group), sum(one.flagged for one in group), sum(one.gates for one in group))
    for what, count in zip(_OF_DOCUMENTS, counts, strict=True):
        yield Measured(name=f"{name}: documents {what}", value=count / documents, unit="share", n=documents)
    held = ([one.took for one in group], [one.remains for one in group])
    for what, holds in zip(_OF_CAMPAIGNS, held, strict=True):
        yield Measured(
            name=f"{name}: campaigns, {what}",
            value=sum(holds) / len(holds),
            unit="share",
            n=len(holds),
            interval=wilson(sum(holds), len(holds), 0.05),
            goal="= 0" if what == "remains" else "",
            met=not any(holds) if what == "remains" else None,
        )


if __name__ == "__main__":
    main()
