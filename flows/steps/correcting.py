"""Feedback becomes a document: a correction that the next night learns, examined and reviewed as any other."""

from collections.abc import Sequence
from pathlib import Path

from flows.wiring import House
from pipeline.documents.intake import take_in
from pipeline.documents.rendering import markdown
from pipeline.errors import BadInput
from pipeline.types import Document, DocumentKind, Probe, RawDocument


def deliver_correction(house: House, title: str, says: str, questions: Sequence[str], answer: str) -> Path:
    """Puts a correction about `title` into the incoming folder, with exam questions that have `answer`, and names it.

    Raises BadInput where the document would be refused, with the reason. The same feedback twice is one file.
    """
    document = Document(
        title=title, kind=DocumentKind.CORRECTION, body=f"Correction: {says}",
        probes=tuple(Probe(question=question, answers=(answer,)) for question in dict.fromkeys(questions)),
    )  # fmt: skip
    data = markdown(document).encode()
    taken = take_in([RawDocument(name="correction.md", data=data)], house.recipe.documents)
    if taken.refused:
        raise BadInput(f"no night would take this correction: {taken.refused[0].reason}.")
    (read,) = taken.accepted
    if not read.title:
        raise BadInput("a correction needs a title: the name of what it is about, as the questions put it.")
    file = house.settings.incoming / f"correction-{read.id[:12]}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file
