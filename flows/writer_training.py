"""The practice: the writer learns to write self-edits that teach more, and is released as any update is.

Reads top to bottom as the release story. A killed one is resumed by the next `sealed practice`, as it was asked for.
"""

from pathlib import Path

from prefect import flow

from flows import tasks
from flows.outcome import NightOutcome
from flows.run_context import the_only_shift
from flows.steps.artifacts import publish
from flows.steps.ingestion import candidate_in_review
from flows.steps.outcomes import NOTHING_TAKEN, busy, held_back
from flows.steps.writer_request import as_asked, practice_asked
from flows.steps.writer_training import nothing_helped, nothing_to_practise
from pipeline.errors import Busy
from pipeline.types import Verdict


@flow(name="practice", flow_run_name="practice of {workspace}")
def practice(
    workspace: Path,
    documents: Path | None = None,
    rounds: int | None = None,
    method: str | None = None,
    proposer: str = "practice",
) -> NightOutcome:
    """Practises writing on documents that are not learned by it; leaves a candidate or a reason."""
    try:
        with the_only_shift(workspace) as usual:
            asked = practice_asked(usual, documents, rounds, method)
            shift = as_asked(usual, asked)
            tasks.catch_up(shift)
            if waiting := candidate_in_review(shift):
                return held_back(waiting)
            night = tasks.open_practice(shift, asked, proposer)
            if night.release is not None:  # killed while registering: it was trained and judged already
                trained, report = tasks.recall_candidate(shift, night)
            else:
                ground = tasks.practice_ground(shift, night)
                if not ground.held_out:
                    return nothing_to_practise(shift, night, ground)
                practised = tasks.practise(shift, night, ground)
                if practised is None:
                    return nothing_helped(shift, night)
                plan, trained = practised
                writing = tasks.examine_writing(shift, night, ground, trained)
                report = tasks.judge(shift, night, plan, trained, rewarded=ground.questions, writing=writing)
                publish(shift, night, report)
            if report.verdict is not Verdict.PASS:
                return tasks.send_back(shift, night, report, NOTHING_TAKEN)
            release = tasks.register_candidate(shift, night, trained, report)
            return tasks.await_review(shift, night, release, report, NOTHING_TAKEN)
    except Busy as other:
        return busy(other)
