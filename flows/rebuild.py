"""The rebuild: the whole ledger learned anew from the base, without what was withdrawn. Then released as any night is.

Reads top to bottom as the release story. A killed one is resumed by the next `sealed rebuild`.
"""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import NightOutcome
from flows.run_context import the_only_shift
from flows.steps.artifacts import publish
from flows.steps.ingestion import candidate_in_review
from flows.steps.outcomes import NOTHING_TAKEN, busy, held_back, nothing_left
from flows.steps.rebuild import stored_self_edits
from pipeline.errors import Busy
from pipeline.types import Verdict


@flow(name="rebuild", flow_run_name="rebuild of {workspace}")
def rebuild(workspace: Path, proposer: str = "rebuild") -> NightOutcome:
    """Learns all that is learned and not withdrawn from the base; leaves a candidate or a reason."""
    try:
        with the_only_shift(workspace) as shift:
            tasks.catch_up(shift)
            if waiting := candidate_in_review(shift):
                return held_back(waiting)
            edits = stored_self_edits(shift)
            if not any(edit.examples for edit in edits):
                return nothing_left()
            night = tasks.open_rebuild(shift, proposer)
            if night.release is not None:  # killed while registering: it was trained and judged already
                trained, report = tasks.recall_candidate(shift, night)
            else:
                plan = tasks.plan_rebuild(shift, night, edits)
                trained = tasks.train_adapter(shift, night, plan)
                report = tasks.judge(shift, night, plan, trained)
                publish(shift, night, report)
            if report.verdict is not Verdict.PASS:
                return tasks.send_back(shift, night, report, NOTHING_TAKEN)
            release = tasks.register_candidate(shift, night, trained, report)
            return tasks.await_review(shift, night, release, report, NOTHING_TAKEN)
    except Busy as other:
        return busy(other)
