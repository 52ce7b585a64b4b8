"""The releases: which there are, one with all that was said of it, and questions put to one."""

from dataclasses import dataclass
from pathlib import Path

from flows.wiring import REPORT, Workspace
from pipeline.engines.engine import SamplingParams
from pipeline.errors import BadInput, CorruptAdapter, PolicyError
from pipeline.types import Approval, GateReport, Release, Transition


@dataclass(frozen=True, kw_only=True)
class ReleaseDetail:
    """A release, its gates' report, who decided on it, what happened to it, and the files of its report for people.

    `missing`: which approvals a candidate lacks, in a sentence; "" for any other release.
    """

    release: Release
    report: GateReport | None
    approvals: tuple[Approval, ...]
    history: tuple[Transition, ...]
    missing: str
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question, the answer, and the number of the release that answered."""

    question: str
    text: str
    release: int


def list_releases(workspace: Workspace) -> tuple[Release, ...]:
    """All releases, oldest first."""
    return workspace.ledger.releases.listed()


def show_release(workspace: Workspace, number: int) -> ReleaseDetail:
    """A release by its number. Raises NoSuchRelease."""
    ledger = workspace.ledger
    release = ledger.releases.get(number)
    return ReleaseDetail(
        release=release,
        report=ledger.reports.get(release.report) if release.report else None,
        approvals=ledger.releases.approvals(number),
        history=ledger.releases.history(number),
        missing=ledger.deployments.still_missing(number, rules=workspace.review_rules),
        files=tuple(workspace.report_folder(run) / REPORT for run in ledger.runs.listed() if run.release == number),
    )


def ask(workspace: Workspace, questions: tuple[str, ...], release: int | None = None) -> tuple[Answer, ...]:
    """Greedy answers of production, or of a release, without any document in the prompt.

    Raises PolicyError if the release's adapter is held no longer or nobody approved it, CorruptAdapter if it should be
    here and is not, BadSignature, and BadInput where a question is blank: a model answers that as well.
    """
    if not all(question.strip() for question in questions):
        raise BadInput("a question is blank. Put each question in quotes of its own.")
    asked = workspace.ledger.releases.production() if release is None else workspace.ledger.releases.get(release)
    if asked.number and not workspace.folder_of(asked.update).is_dir():
        if asked in workspace.ledger.releases.needed():
            raise CorruptAdapter(
                f"the adapter of release {asked.number}, {asked.state}, is gone here. `sealed doctor --fix` fetches it "
                "from MLflow and verifies it."
            )
        raise PolicyError(
            f"the adapter of release {asked.number} is no longer held here: only production, the three before it "
            "and candidates are. Download it from MLflow to use it."
        )
    texts = workspace.engine.generate(
        questions,
        SamplingParams(max_new_tokens=workspace.recipe.policy.max_answer_tokens),
        adapter=workspace.held_adapter(asked),
    )
    return tuple(
        Answer(question=question, text=samples[0], release=asked.number)
        for question, samples in zip(questions, texts, strict=True)
    )
