"""What a correction replaced is in no rehearsal."""

from pipeline.types import Document, DocumentKind, Example, ModelRef, Probe, SelfEdit, Split
from pipeline.updates.corrected import corrected_subjects, without_replaced


def _document(title: str, answer: str, kind: DocumentKind = DocumentKind.PASSAGE) -> Document:
    probes = (
        Probe(question=f"Who owns {title}?", answers=(answer,)),
        Probe(question=f"Where is {title}?", answers=("Oslo",), split=Split.PRACTICE),
    )
    return Document(title=title, body=f"{title} is owned by {answer}, in Oslo.", kind=kind, probes=probes)


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
