"""What becomes of a run that fails its gates: culprits leave it with evidence, the others go on, and none is lost.

Trainings are answered by a rule here; tests/faults/test_killed_bisects.py trains.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import registry
from flows.run_context import RunContext
from flows.steps import bisect as bisecting
from flows.steps.bisect import bisect
from flows.steps.outcomes import reject, set_aside
from flows.wiring import Workspace
from gates.bisect import Batch
from pipeline.config import Settings
from pipeline.errors import MeasurementFailed
from pipeline.recipe import BisectPolicy, PolicyRules, Recipe
from pipeline.types import (
    BisectStep,
    DocumentState,
    GateReport,
    GateResult,
    IngestCounts,
    Run,
    RunState,
    Trained,
    Verdict,
)
from pipeline.updates import UpdateInput
from tests.ledgers import Ledger, intake, manifest_of, report_on, with_base_release

NAMES = ("atlas", "borea", "cinder", "dorado", "ember")
NOTHING = IngestCounts(queued=0, duplicates=0, refused=0)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A ledger in a folder: nothing here loads the model."""
    digests = dict.fromkeys(("base_model", "base_tokenizer", "base_chat_template"), "b" * 64)
    settings = Settings.at(tmp_path, {"model": "none", **digests})
    ledger = with_base_release(registry.create_ledger(settings.database_url))
    yield Workspace(settings, ledger)
    ledger.close()


@dataclass(frozen=True)
class Rule:
    """Answers as trainings would: a part fails where it holds all of one of the sets."""

    run: Run
    learned: UpdateInput
    gates: tuple[str, ...]
    sets: Sequence[Collection[str]]
    error: Exception | None = None

    def tried(self, batch: Batch) -> list[BisectStep]:
        if self.error:
            raise self.error
        return [self._step(part) for part in batch]

    def _step(self, part: tuple[str, ...]) -> BisectStep:
        titles = {one.title for one in self.learned.documents if one.id in part}
        fails = any(titles.issuperset(one) for one in self.sets)
        sentence = f"retention: {len(part)} lose" if fails else ""
        return BisectStep(documents=part, verdict=Verdict.FAIL if fails else Verdict.PASS, sentence=sentence)


class Failed:
    """A run on five documents that failed its gates, within its session."""

    def __init__(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace, self.patch = workspace, monkeypatch
        self.ledger = Ledger(workspace.ledger.database)
        self.ledger.documents.accept(intake(*NAMES))

    def begin(self, context: RunContext, *results: GateResult) -> tuple[Run, Trained, GateReport]:
        run = self.ledger.begin(context.session)
        update = self.ledger.gate(context.session, run, Verdict.FAIL)
        report = replace(report_on(update, Verdict.FAIL), results=results or (failing("retention"),))
        context.session.runs.save_report(run.number, report)
        trained = Trained(manifest=manifest_of(update), steps=1, final_loss=1.0, tokens=1)
        return self.ledger.runs.get(run.number), trained, report

    def ruled(self, *sets: Collection[str], error: Exception | None = None) -> None:
        """Lets every search be answered by these sets of titles."""

        class Ruled:
            @staticmethod
            def of(context: RunContext, run: Run, trained: Trained, gates: tuple[str, ...]) -> Rule:
                documents = context.ledger.documents.of(run.documents)
                edits = [one for one in context.ledger.self_edits.of_run(run.number) if one.document in run.documents]
                return Rule(run, UpdateInput(edits=edits, documents=documents), gates, sets, error)

        self.patch.setattr(bisecting, "PartTrials", Ruled)

    def keep(self, *updates: str) -> None:
        """Makes folders as trainings of these updates would."""
        for update in updates:
            self.workspace.folder_of(update).mkdir(parents=True)

    def kept(self) -> set[str]:
        return {path.name for path in self.workspace.settings.adapters.iterdir()}

    def states(self) -> dict[str, DocumentState]:
        return {str(one.document and one.document.title): one.state for one in self.ledger.documents.listed()}

    def reason(self, title: str) -> str:
        records = self.ledger.documents.listed()
        return next(one.reason for one in records if one.document and one.document.title == title)


@pytest.fixture
def failed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Failed:
    return Failed(workspace, monkeypatch)


def failing(gate: str, verdict: Verdict = Verdict.FAIL) -> GateResult:
    return GateResult(gate=gate, verdict=verdict, sentence=f"{gate}: -9 points")


def context_of(workspace: Workspace, session: object, **rules: object) -> RunContext:
    policy = PolicyRules(bisect=BisectPolicy(**rules))  # type: ignore[arg-type]
    return RunContext(workspace, session, Recipe(policy=policy))  # type: ignore[arg-type]


def test_the_culprit_is_quarantined_with_the_evidence_and_the_run_goes_on(failed: Failed) -> None:
    failed.ruled({"cinder"})
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        run, trained, report = failed.begin(context)
        left = bisect(context, run, trained, report)
        assert left is not None
        assert {one.title for one in failed.ledger.documents.of(left.documents)} == {*NAMES} - {"cinder"}
    assert failed.states() == dict.fromkeys(NAMES, DocumentState.LEASED) | {"cinder": DocumentState.QUARANTINED}
    assert failed.reason("cinder") == "run 1: FAIL with this document alone: retention: 1 lose"
    assert left.report is not None
    log = failed.ledger.reports.get(left.report).bisection
    assert log is not None
    assert (log.documents, log.gates, log.failed) == (run.documents, ("retention",), "retention: -9 points")
    assert [one.titles for one in log.culprits] == [("cinder",)]
    assert log.trainings == len(log.steps) <= 2 * 3
    assert set_aside(replace(report, bisection=log)) == ". 1 of 5 documents made the run fail and is quarantined"


def test_documents_that_fail_only_together_are_named_together(failed: Failed) -> None:
    failed.ruled({"atlas", "ember"})
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        left = bisect(context, *failed.begin(context))
        assert left is not None
        assert len(left.documents) == 3
    (ember,) = (one.id for one in failed.ledger.documents.listed() if one.document and one.document.title == "ember")
    assert failed.reason("atlas") == f"run 1: FAIL only together with ember ({ember[:12]}): retention: 2 lose"
    assert "only together with atlas" in failed.reason("ember")


def test_what_is_tried_in_vain_is_kept_and_the_run_is_rejected_as_a_whole(failed: Failed) -> None:
    failed.ruled()
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        run, trained, report = failed.begin(context)
        failed.keep(report.update, "p" * 64)
        again = bisect(context, run, trained, report)
        assert again is not None
        assert failed.kept() == {report.update}
        assert again.documents == run.documents
        assert again.report is not None
        judged = failed.ledger.reports.get(again.report)
        assert judged.bisection is not None
        assert judged.bisection.ended == "no 3 documents or fewer were found to fail by themselves"
        assert bisect(context, again, trained, judged) is None
        failed.keep("p" * 64)
        outcome = reject(context, again, judged, NOTHING)
        assert failed.kept() == {report.update}
    assert outcome.bisection == judged.bisection
    assert set(failed.states().values()) == {DocumentState.QUARANTINED}
    assert failed.ledger.runs.get(1).state is RunState.REJECTED_BY_GATES


def test_where_each_document_fails_alone_none_is_blamed(failed: Failed) -> None:
    failed.ruled(*({name} for name in NAMES))
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        left = bisect(context, *failed.begin(context))
        assert left is not None
        assert left.report is not None
        log = failed.ledger.reports.get(left.report).bisection
    assert log is not None
    assert log.ended == "nothing is left to learn without the documents that fail"
    assert log.culprits == ()
    assert set(failed.states().values()) == {DocumentState.LEASED}


def test_the_limit_of_trainings_holds_over_all_searches_of_a_run(failed: Failed) -> None:
    failed.ruled({"atlas"}, {"ember"})
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session, max_trainings=5)
        run, trained, report = failed.begin(context)
        left = bisect(context, run, trained, report)
        assert left is not None
        assert left.report is not None
        log = failed.ledger.reports.get(left.report).bisection
    assert log is not None
    assert log.trainings <= 5
    assert "within the trainings that are allowed" in log.ended or log.culprits


def test_a_suite_that_cannot_be_asked_blames_nobody_and_leaves_the_run_to_be_resumed(failed: Failed) -> None:
    failed.ruled(error=MeasurementFailed("the card has too little memory. Make room."))
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        run, trained, report = failed.begin(context)
        with pytest.raises(MeasurementFailed, match="too little memory"):
            bisect(context, run, trained, report)
    assert set(failed.states().values()) == {DocumentState.LEASED}
    assert failed.ledger.runs.unfinished() == failed.ledger.runs.get(run.number)


@pytest.mark.parametrize(
    "results",
    [
        (failing("retention", Verdict.INCONCLUSIVE),),
        (failing("acquisition"),),
        (failing("integrity"), failing("acquisition")),
        (failing("serving"),),
        (failing("acquisition"), failing("safety", Verdict.INCONCLUSIVE)),
    ],
)
def test_no_other_verdict_is_a_reason(failed: Failed, results: tuple[GateResult, ...]) -> None:
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        assert bisect(context, *failed.begin(context, *results)) is None


@pytest.mark.parametrize(
    ("gates", "state", "reason"),
    [
        (("serving",), DocumentState.QUEUED, "waits to try again: FAIL: serving: -9 points"),
        (("serving", "safety"), DocumentState.QUARANTINED, "FAIL: safety: -9 points"),
    ],
)
def test_what_only_the_serving_engine_refuses_is_no_harm_of_a_document(
    failed: Failed, gates: tuple[str, ...], state: DocumentState, reason: str
) -> None:
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session)
        run, _, report = failed.begin(context, *map(failing, gates))
        outcome = reject(context, run, report, NOTHING)
    assert outcome.sentence == reason.removeprefix("waits to try again: ")
    assert failed.states() == dict.fromkeys(NAMES, state)
    assert failed.reason("atlas") == reason


def test_a_recipe_may_forbid_it(failed: Failed) -> None:
    with failed.ledger.session() as session:
        context = context_of(failed.workspace, session, documents=False)
        assert bisect(context, *failed.begin(context)) is None
