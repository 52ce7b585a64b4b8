"""Puts eval items to a canary and to the stable release, through the engine that serves them, and records the grades.

That both answer the same is strong evidence from few questions, and needs no user. A server answers as it serves; this
process answers as it did at the gates, so that there the items only show that nothing changed since.
"""

import logging
from datetime import UTC, datetime

from flows.wiring import Workspace
from gates.canary_items import graded, items_for_both, key_of
from pipeline.engines.engine import SamplingParams
from pipeline.errors import ExternalError
from pipeline.prompts import framed
from pipeline.types import EvalItem
from registry import Canary

log = logging.getLogger("sealed")


def put_to_both(workspace: Workspace, canary: Canary, limit: int) -> int:
    """Asks at most `limit` items that this canary was not asked yet; returns how many were. 0 where nobody answers.

    A model that cannot be asked is a log line: what else was graded is judged all the same.
    """
    if not limit:
        return 0
    ledger = workspace.ledger
    asked = ledger.canaries.items_asked(canary)
    items = items_for_both(workspace.suites, ledger.documents.learned(), canary.release, canary.epoch)
    new = [item for item in items if key_of(item) not in asked][:limit]
    try:
        answers = [_answers(workspace, number, new) for number in (canary.release, canary.stable)] if new else [[], []]
    except ExternalError as error:
        log.warning("the releases could not be asked eval items: %s", error)
        return 0
    return ledger.canaries.record(graded(zip(new, *answers, strict=True), canary.epoch, datetime.now(UTC)))


def _answers(workspace: Workspace, release: int, items: list[EvalItem]) -> list[str]:
    policy = workspace.recipe.policy
    prompts = [framed(policy.question_prompt, item.question, item.title) for item in items]
    adapter = workspace.held_adapter(workspace.ledger.releases.get(release))
    params = SamplingParams(max_new_tokens=policy.max_answer_tokens)
    return [samples[0] for samples in workspace.writer.generate(prompts, params, adapter=adapter)]
