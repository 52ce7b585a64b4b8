"""The steps of a run, a rebuild and a practice as Prefect tasks: a name, one call, one noun.

Coarse on purpose, and never retried blindly: the ledger's rows make a run resumable, so
the next run continues where a failed one stopped.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.steps import (
    best_of_n,
    eval_items,
    evaluation,
    ingestion,
    rebuild,
    registration,
    self_edits,
    training,
    writer_request,
    writer_training,
)

reconcile = task(name="make MLflow match the ledger", cache_policy=NO_CACHE)(ingestion.reconcile)
ingest = task(name="take documents in", cache_policy=NO_CACHE)(ingestion.ingest)
open_run = task(name="open the run", cache_policy=NO_CACHE)(ingestion.open_run)
write_items = task(name="write validation questions", cache_policy=NO_CACHE)(eval_items.write_items)
write_self_edits = task(name="write self-edits", cache_policy=NO_CACHE)(self_edits.write_self_edits)
nothing_written = task(name="end without self-edits", cache_policy=NO_CACHE)(self_edits.nothing_written)
select_edit_sets = task(name="choose among candidates", cache_policy=NO_CACHE)(best_of_n.select_edit_sets)
plan_update = task(name="plan the update", cache_policy=NO_CACHE)(training.plan_update)
open_rebuild = task(name="open the rebuild", cache_policy=NO_CACHE)(rebuild.open_rebuild)
plan_rebuild = task(name="plan the rebuild", cache_policy=NO_CACHE)(rebuild.plan_rebuild)
open_writer_training = task(name="open the practice", cache_policy=NO_CACHE)(writer_request.open_writer_training)
split_documents = task(name="find what to practise on", cache_policy=NO_CACHE)(writer_training.split_documents)
practise = task(name="practise writing", cache_policy=NO_CACHE)(writer_training.practise)
examine_writing = task(name="examine the writing", cache_policy=NO_CACHE)(writer_training.examine_writing)
train_adapter = task(name="train the adapter", cache_policy=NO_CACHE)(training.train_adapter)
judge = task(name="put before the gates", cache_policy=NO_CACHE)(evaluation.judge)
reject = task(name="send the run back", cache_policy=NO_CACHE)(evaluation.reject)
recall_candidate = task(name="recall the candidate", cache_policy=NO_CACHE)(registration.recall_candidate)
register_candidate = task(name="register the candidate", cache_policy=NO_CACHE)(registration.register_candidate)
await_review = task(name="await review", cache_policy=NO_CACHE)(registration.await_review)
