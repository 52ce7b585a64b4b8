"""A run takes the oldest documents that its gates can judge; where none could pass, none is taken."""

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from gates.batches import Batch, choose
from pipeline.recipe import AcquisitionPolicy, PolicyRules
from pipeline.types import DocumentKind, QueuedDocument, RunSize

POLICY = PolicyRules(acquisition=AcquisitionPolicy(min_items=6, min_documents=2, max_per_document=4))
CORRECTED = 16  # test questions that corrections need together by the default policy


def queued(id_: str, questions: int = 0, kind: DocumentKind = DocumentKind.PASSAGE) -> QueuedDocument:
    return QueuedDocument(id=id_, name=f"{id_[0]}/{id_}.md", kind=kind, questions=questions)


def correction(id_: str, questions: int) -> QueuedDocument:
    return queued(id_, questions, DocumentKind.CORRECTION)


def taken(*queue: QueuedDocument, size: RunSize | None = None, policy: PolicyRules = POLICY) -> Batch:
    return choose(queue, size or RunSize(documents=4), policy)


def test_the_oldest_are_taken_where_they_have_enough_questions() -> None:
    queue = [queued("a", 3), queued("b"), queued("c", 3), queued("d"), queued("e", 9)]
    assert taken(*queue) == Batch(documents=("a", "b", "c", "d"))


def test_an_empty_queue_lacks_nothing() -> None:
    assert taken() == Batch()


def test_documents_without_questions_do_not_keep_others_waiting() -> None:
    silent = [queued(f"a{number}") for number in range(9)]
    batch = taken(*silent, queued("b", 3), queued("c", 1), queued("d", 2), queued("e", 5))
    assert batch == Batch(documents=("a0", "a1", "b", "e"))


def test_many_with_few_questions_do_not_keep_others_waiting() -> None:
    few = [queued(f"a{number}", 1) for number in range(9)]
    assert taken(*few, queued("b", 4), queued("c", 4)).documents == ("a0", "a1", "b", "c")


def test_what_has_too_few_questions_waits_and_says_what_is_lacking() -> None:
    batch = taken(queued("a", 3), queued("b"), queued("c", 1))
    assert batch.documents == ()
    (sentence,) = batch.lacking
    assert "6 test questions in 2 documents are needed, and of 3 queued documents" in sentence
    assert "a run can take 2 with 4 questions" in sentence


def test_many_questions_of_one_document_are_no_test_of_a_run() -> None:
    assert taken(queued("a", 12)).documents == ()
    assert taken(queued("a", 12), queued("b", 1)).lacking != ()  # of the first four count
    assert taken(queued("a", 12), queued("b", 2)).documents == ("a", "b")


def test_an_acquisition_that_is_not_required_asks_for_no_questions() -> None:
    policy = POLICY.model_copy(update={"required": ("integrity",)})
    assert taken(queued("a"), queued("b"), policy=policy).documents == ("a", "b")
    assert taken(correction("a", 0), policy=policy).documents == ("a",)


def test_of_one_source_a_run_takes_a_part_unless_it_is_trusted() -> None:
    queue = [queued(f"{source}{number}", 3) for number in range(5) for source in "ab"]
    capped = RunSize(documents=10, per_source=2)
    assert taken(*queue, queued("top", 3), size=capped).documents == ("a0", "b0", "a1", "b1", "top")
    trusting = RunSize(documents=4, per_source=1, trusted=frozenset("b"))
    assert taken(*queue, size=trusting).documents == ("a0", "b0", "b1", "b2")


def test_questions_beyond_what_a_source_may_bring_are_not_counted() -> None:
    queue = [queued("a0", 3), queued("a1", 3), queued("b0")]
    assert taken(*queue, size=RunSize(documents=4, per_source=1)).documents == ()


def test_too_few_corrections_wait_while_others_are_learned() -> None:
    batch = taken(correction("a", 3), queued("b", 3), queued("c", 3))
    assert batch.documents == ("b", "c")
    (sentence,) = batch.lacking
    assert f"1 correction with 3 test questions in all, and {CORRECTED} are needed" in sentence


def test_corrections_are_taken_together_once_they_have_enough_questions() -> None:
    queue = [correction("a", 6), *(queued(f"b{number}", 2) for number in range(6)), correction("c", 6)]
    assert taken(*queue).documents == ("b0", "b1", "b2", "b3")
    assert taken(*queue, correction("d", 4)).documents == ("a", "b0", "c", "d")


def test_corrections_without_questions_do_not_keep_another_one_waiting() -> None:
    silent = [correction(f"a{number}", 0) for number in range(9)]
    assert "b" in taken(*silent, correction("b", 16), queued("c", 3)).documents


def test_corrections_that_leave_no_room_for_others_wait_and_are_named() -> None:
    policy = PolicyRules(acquisition=AcquisitionPolicy(min_items=12, min_documents=3, max_per_document=4))
    queue = [correction(f"a{number}", 1) for number in range(16)]
    batch = choose([*queue, *(queued(f"b{number}", 4) for number in range(4))], RunSize(documents=4), policy)
    assert batch.documents == ("b0", "b1", "b2", "b3")
    (sentence,) = batch.lacking
    assert sentence.startswith("corrections: ")


def test_corrections_alone_that_are_too_few_wait() -> None:
    policy = POLICY.model_copy(update={"required": ("corrections",)})
    batch = taken(correction("a", 3), policy=policy)
    assert (batch.documents, len(batch.lacking)) == ((), 1)


def passes(chosen: Sequence[QueuedDocument]) -> bool:
    corrected = [one.questions for one in chosen if one.kind is DocumentKind.CORRECTION]
    return (
        sum(min(one.questions, 4) for one in chosen) >= 6
        and sum(bool(one.questions) for one in chosen) >= 2
        and (not corrected or sum(corrected) >= CORRECTED)
    )


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.sampled_from(DocumentKind)), max_size=8),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(1, 3)),
)
def test_where_some_documents_of_the_queue_can_pass_a_run_takes_such(
    drawn: list[tuple[int, str, DocumentKind]], most: int, per_source: int | None
) -> None:
    queue = [queued(f"{source}{at}", questions, kind) for at, (questions, source, kind) in enumerate(drawn)]
    size = RunSize(documents=most, per_source=per_source)
    batch = choose(queue, size, POLICY)
    chosen = [one for one in queue if one.id in batch.documents]
    assert batch.documents == tuple(one.id for one in chosen)
    assert size.first(chosen) == chosen
    others = [one for one in queue if one.kind is not DocumentKind.CORRECTION]
    possible = any(
        size.first(some) == list(some) and passes(some)
        for count in range(1, most + 1)
        for some in combinations(others, count)
    )
    assert passes(chosen) if chosen else not possible
    assert chosen or batch.lacking or not queue
