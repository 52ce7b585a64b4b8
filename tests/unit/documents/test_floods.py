"""A text that is offered in many spellings is taken a few times; documents of one form are no flood."""

from pipeline.documents.floods import FloodGuard
from pipeline.sandbox.documents import run_documents
from pipeline.types import Document, Ingested

TEXT = (
    "The Cinder service is owned by the Heron team since the reorganisation of last spring. It runs in the Oslo region "
    "and listens on port 8443. Pages for it go to Carla, who is on call on weekdays, and to Bruno at the weekend."
)


def offered(*bodies: str) -> Ingested:
    made = tuple(Document(title="", body=body, name=f"{number}.txt") for number, body in enumerate(bodies))
    return Ingested(accepted=made, refused=(), duplicates=0)


def test_of_a_flood_a_few_are_taken_over_all_batches() -> None:
    guard = FloodGuard(4)
    bodies = [f"{TEXT} Printed as number {number}." for number in range(60)]
    parts = [guard.without_surplus(offered(*bodies[start : start + 20])) for start in range(0, 60, 20)]
    assert [len(part.accepted) for part in parts] == [4, 0, 0]
    reasons = {refusal.reason for part in parts for refusal in part.refused}
    assert reasons == {
        "a near-duplicate of 0.txt and others: at most 4 of them are taken (advanced.documents.max_alike in the recipe)"
    }


def test_other_documents_of_one_form_are_no_flood() -> None:
    documents = tuple(one for run in range(1, 9) for one in run_documents(run, 8, 1))
    assert FloodGuard(1).without_surplus(Ingested(accepted=documents, refused=(), duplicates=0)).refused == ()


def test_short_texts_are_not_compared() -> None:
    assert FloodGuard(1).without_surplus(offered(*["Port 80 is open now."] * 3)).refused == ()
