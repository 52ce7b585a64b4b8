"""The steps of a night, a rebuild and a practice as Prefect tasks: a name, one call, one noun.

Coarse on purpose, and never retried blindly: the ledger's rows make a night resumable, so
the next run continues where a failed one stopped.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.steps import (
    choosing,
    gating,
    intake,
    practice_asked,
    practising,
    probes,
    rebuilding,
    registering,
    training,
    writing,
)

catch_up = task(name="make MLflow and the servers follow", cache_policy=NO_CACHE)(intake.catch_up)
take_in = task(name="take documents in", cache_policy=NO_CACHE)(intake.take_in)
open_night = task(name="open the night", cache_policy=NO_CACHE)(intake.open_night)
write_probes = task(name="write practice questions", cache_policy=NO_CACHE)(probes.write_probes)
write_self_edits = task(name="write self-edits", cache_policy=NO_CACHE)(writing.write_self_edits)
nothing_written = task(name="end without self-edits", cache_policy=NO_CACHE)(writing.nothing_written)
choose_candidates = task(name="choose among candidates", cache_policy=NO_CACHE)(choosing.choose_candidates)
plan_update = task(name="plan the update", cache_policy=NO_CACHE)(training.plan_update)
open_rebuild = task(name="open the rebuild", cache_policy=NO_CACHE)(rebuilding.open_rebuild)
plan_rebuild = task(name="plan the rebuild", cache_policy=NO_CACHE)(rebuilding.plan_rebuild)
open_practice = task(name="open the practice", cache_policy=NO_CACHE)(practice_asked.open_practice)
practice_ground = task(name="find what to practise on", cache_policy=NO_CACHE)(practising.practice_ground)
practise = task(name="practise writing", cache_policy=NO_CACHE)(practising.practise)
examine_writing = task(name="examine the writing", cache_policy=NO_CACHE)(practising.examine_writing)
train_adapter = task(name="train the adapter", cache_policy=NO_CACHE)(training.train_adapter)
judge = task(name="put before the gates", cache_policy=NO_CACHE)(gating.judge)
send_back = task(name="send the night back", cache_policy=NO_CACHE)(gating.send_back)
recall_candidate = task(name="recall the candidate", cache_policy=NO_CACHE)(registering.recall_candidate)
register_candidate = task(name="register the candidate", cache_policy=NO_CACHE)(registering.register_candidate)
await_review = task(name="await review", cache_policy=NO_CACHE)(registering.await_review)
