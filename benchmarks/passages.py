"""A whole run on passages that nobody here wrote: a JSON list of {title, context, questions: [{question, answer}]}.

The embedded model is far too small to learn them: the right outcome is a refused run, in words and with figures,
that releases nothing and loses no document. `--model` takes any other base.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.figures import Measured, write_results
from flows.cli.runs import run_nightly, show_outcome
from flows.outcome import RunOutcome
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.sandbox import model_path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--model", default=str(model_path()))
    parser.add_argument("--quick", action="store_true", help="ten passages")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    count = 10 if options.quick else options.count
    with tempfile.TemporaryDirectory(prefix="sealed-passages-") as folder:
        workspace = init_workspace(Path(folder) / "workspace", options.model, actor="benchmark")
        write_passages(options.data, count, workspace.settings.incoming)
        outcome = run_nightly(workspace.settings.workspace, None)
        show_outcome(outcome)
        write_results("passages", list(_figures(outcome, workspace, count)), options.out)
        workspace.ledger.close()


def write_passages(data: Path, count: int, folder: Path) -> None:
    """Writes the first `count` passages as Markdown files with front matter: every question is a test question."""
    for number, passage in enumerate(json.loads(data.read_text(encoding="utf-8"))[:count]):
        front = {
            "title": passage["title"],
            "questions": [{"question": one["question"], "answers": [one["answer"]]} for one in passage["questions"]],
        }
        text = f"---\n{yaml.safe_dump(front, allow_unicode=True)}---\n{passage['context']}\n"
        (folder / f"passage-{number:03}.md").write_text(text, encoding="utf-8")


def _figures(outcome: RunOutcome, workspace: Workspace, count: int) -> Iterator[Measured]:
    for figure in outcome.figures:
        # Only the run's own questions are as many; the standing suites' sizes are in the report.
        asked = outcome.eval_items if figure.name.startswith("recall") else 0
        yield Measured(name=figure.name, value=figure.value, unit="share", n=asked)
    for stage in outcome.seconds:
        yield Measured(name=f"seconds: {stage.stage}", value=stage.seconds, unit="s")
    made = len(workspace.ledger.releases.listed()) - 1
    yield Measured(name="releases made", value=made, unit="releases", goal="0", met=made == 0)
    records = workspace.ledger.documents.listed()
    for state, found_there in Counter(record.state for record in records).items():
        yield Measured(name=f"documents {state}", value=found_there, unit="documents")
    yield Measured(
        name="documents in the ledger", value=len(records), unit="documents", goal=str(count), met=len(records) == count
    )


if __name__ == "__main__":
    main()
