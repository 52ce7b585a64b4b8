"""The nightly steps as Prefect tasks: a name, one call, one noun. Coarse on purpose, and never retried blindly:

the ledger's rows make a night resumable, so the next run continues where a failed one stopped.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.steps import gating, intake, registering, training, writing

take_in = task(intake.take_in, name="take documents in", cache_policy=NO_CACHE)
open_night = task(intake.open_night, name="open the night", cache_policy=NO_CACHE)
write_self_edits = task(writing.write_self_edits, name="write self-edits", cache_policy=NO_CACHE)
plan_update = task(training.plan_update, name="plan the update", cache_policy=NO_CACHE)
train_adapter = task(training.train_adapter, name="train the adapter", cache_policy=NO_CACHE)
judge = task(gating.judge, name="put before the gates", cache_policy=NO_CACHE)
send_back = task(gating.send_back, name="send the night back", cache_policy=NO_CACHE)
register_candidate = task(registering.register_candidate, name="register the candidate", cache_policy=NO_CACHE)
await_review = task(registering.await_review, name="await review", cache_policy=NO_CACHE)
