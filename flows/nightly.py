"""The night: from new documents to a candidate that awaits its reviewer. Reads top to bottom as the release story."""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import NightOutcome
from flows.run_context import the_only_shift
from flows.steps.artifacts import publish
from flows.steps.ingestion import candidate_in_review
from flows.steps.outcomes import busy, held_back, nothing_to_learn
from pipeline.errors import Busy
from pipeline.types import Verdict


@flow(name="nightly", flow_run_name="night of {workspace}")
def nightly(workspace: Path, documents: Path | None = None, proposer: str = "nightly") -> NightOutcome:
    """Learns the new documents of a folder, judges what was learned, and leaves a candidate or a reason."""
    try:
        with the_only_shift(workspace) as shift:
            tasks.catch_up(shift)
            taken = tasks.take_in(shift, documents)
            if waiting := candidate_in_review(shift):
                return held_back(waiting, taken)
            night = tasks.open_night(shift, proposer, taken)
            if not night.documents:
                return nothing_to_learn(night, taken)
            if night.release is not None:  # killed while registering: it was trained and judged already
                trained, report = tasks.recall_candidate(shift, night)
            else:
                tasks.write_probes(shift, night)
                edits = tasks.write_self_edits(shift, night)
                if not any(edit.examples for edit in edits):
                    return tasks.nothing_written(shift, night, taken)
                kept = tasks.choose_candidates(shift, night, edits)
                plan = tasks.plan_update(shift, night, kept)
                trained = tasks.train_adapter(shift, night, plan)
                report = tasks.judge(shift, night, plan, trained)
                publish(shift, night, report)
            if report.verdict is not Verdict.PASS:
                return tasks.send_back(shift, night, report, taken)
            release = tasks.register_candidate(shift, night, trained, report)
            return tasks.await_review(shift, night, release, report, taken)
    except Busy as other:
        return busy(other)
