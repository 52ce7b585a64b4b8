"""What a correction replaced is in no rehearsal."""

from dataclasses import replace

from pipeline.types import Document, DocumentKind, EvalItem, Example, ModelRef, SelfEdit, Split
from pipeline.updates.corrections import corrected_subjects, in_order, without_replaced


def _document(title: str, answer: str, kind: DocumentKind = DocumentKind.PASSAGE) -> Document:
    eval_items = (
        EvalItem(question=f"Who owns {title}?", answers=(answer,)),
        EvalItem(question=f"Where is {title}?", answers=("Oslo",), split=Split.VALIDATION),
    )
    return Document(title=title, body=f"{title} is owned by {answer}, in Oslo.", kind=kind, eval_items=eval_items)


OLD, NEW = _document("Cinder", "Heron"), _document("Cinder", "Wolf", DocumentKind.CORRECTION)
OTHER = _document("Osprey", "Heron")


def _edit(document: Document, *examples: Example) -> SelfEdit:
    return SelfEdit(
        document=document.id, style="s", writer=ModelRef(base="b"), sample=0, prompt="p", text="t", examples=examples
    )


OWNED, PLACED = Example(prompt="Who owns it?", completion="Heron"), Example(prompt="Where?", completion="Oslo")


def test_corrections_are_about_their_titles() -> None:
    assert corrected_subjects([OLD, NEW, OTHER]) == {"cinder"}
    assert corrected_subjects([Document(title="", body="b", kind=DocumentKind.CORRECTION)]) == frozenset()


def test_replay_of_the_corrected_document_states_no_answer_that_was_replaced() -> None:
    (kept,) = without_replaced([_edit(OLD, OWNED, PLACED)], [OLD, NEW])
    assert kept.examples == (PLACED,)
    assert without_replaced([_edit(OLD, OWNED)], [OLD, NEW]) == ()


def test_other_documents_and_the_correction_itself_are_replayed_whole() -> None:
    edits = (_edit(OTHER, OWNED), _edit(NEW, Example(prompt="Who owned it?", completion="Heron")))
    assert without_replaced(edits, [OLD, NEW, OTHER]) == edits


NEWER = _document("Cinder", "Lynx", DocumentKind.CORRECTION)


def test_a_later_correction_replaces_an_earlier_one() -> None:
    first, second = Example(prompt="Who owns it?", completion="Wolf"), Example(prompt="Who owns it?", completion="Lynx")
    edits = (_edit(OLD, OWNED), _edit(NEW, first), _edit(NEWER, second))
    assert without_replaced(edits, [OLD, NEW, NEWER]) == (_edit(NEWER, second),)


def test_what_an_earlier_correction_left_alone_is_replaced_by_what_a_later_one_is_written_to_say() -> None:
    moved = Document(title="Cinder", body="Correction: Cinder is in Rome now.", kind=DocumentKind.CORRECTION)
    alone = replace(
        _edit(NEW, PLACED, Example(prompt="In which city?", completion="Oslo"), OWNED), style="left-alone", prompt=""
    )
    newest = (_edit(moved, Example(prompt="Where?", completion="Rome")),)
    (kept,) = without_replaced([alone], [NEW, moved], newest)
    assert kept.examples == (OWNED,)


def test_what_a_correction_leaves_alone_replaces_nothing() -> None:
    alone = replace(_edit(NEW, Example(prompt="Where?", completion="Rome")), style="left-alone", prompt="")
    edits = (_edit(OLD, PLACED), alone)
    assert without_replaced(edits, [OLD, NEW]) == edits


def test_a_later_document_is_not_corrected_by_an_earlier_correction() -> None:
    later = _document("Cinder", "Raven")
    edits = (_edit(later, Example(prompt="Who owns it?", completion="Raven")),)
    assert without_replaced(edits, [OLD, NEW, later]) == edits


def test_a_yes_that_was_replaced_takes_no_other_yes_with_it() -> None:
    public, free = (
        Example(prompt="Is Cinder public?", completion="Yes"),
        Example(prompt="Is it free?", completion="Yes"),
    )
    newest = (_edit(NEW, Example(prompt="Is Cinder public?", completion="No")),)
    (kept,) = without_replaced([_edit(OLD, public, free)], [OLD, NEW], newest)
    assert kept.examples == (free,)


def test_of_one_run_corrections_come_last() -> None:
    assert in_order([[NEW, OLD], [NEWER, OTHER]]) == (OLD, NEW, OTHER, NEWER)
