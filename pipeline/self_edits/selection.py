"""Chooses what is kept of one document's notes: sound, no test's question, nothing twice. Pure; knows no model."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pipeline.leakage import leaked
from pipeline.self_edits.screening import Screened, screen
from pipeline.types import Document, Dropped, Example, SelfEdit, Written

LEAKED = "example: it asks a question that is kept for an test or for practice"
REPEATED = "example: another note of the document has it"


def select(
    document: Document, notes: Sequence[SelfEdit], never: frozenset[str], besides: Sequence[SelfEdit] = ()
) -> Written:
    """The usable self-edits among `notes` about `document`, in their order, and what was dropped, counted by reason.

    `never` holds the keys (`pipeline.leakage`) of the questions that no example may ask; what `besides` says already
    is not kept again. The document's own text is trusted to be about itself.
    """
    reasons: Counter[tuple[str, str]] = Counter()
    seen = {example.id for edit in besides for example in edit.examples}
    kept: list[SelfEdit] = []
    for note in notes:
        screened = screen(document, note) if note.prompt else Screened(note, ())
        edit, further = _without(screened.edit, seen, never)
        reasons.update((note.style, reason) for reason in (*screened.reasons, *further))
        if edit is not None:
            seen.update(example.id for example in edit.examples)
            kept.append(edit)
    return Written(edits=tuple(kept), dropped=_counted(document, reasons.items()))


def without_faults(written: Written, fault: Callable[[SelfEdit, Example], str]) -> Written:
    """What was written without the examples that have a `fault`, in words, counted by them.

    Where none of a note's examples is left, it stays only for the settings that it chose.
    """
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    for edit in written.edits:
        faults = [fault(edit, example) for example in edit.examples]
        kept = tuple(example for example, found in zip(edit.examples, faults, strict=True) if not found)
        dropped += [
            Dropped(document=edit.document, style=edit.style, reason=reason, count=faults.count(reason))
            for reason in sorted(set(faults) - {""})
        ]
        if kept or edit.directives:
            edits.append(replace(edit, examples=kept))
    return Written(edits=tuple(edits), dropped=(*written.dropped, *dropped))


def _without(edit: SelfEdit | None, seen: set[str], never: frozenset[str]) -> tuple[SelfEdit | None, list[str]]:
    """The edit without what is `never` asked and what was `seen`; None where neither example nor setting is left."""
    if edit is None:
        return None, []
    distinct = {example.id: example for example in edit.examples}
    unasked = [example for example in distinct.values() if leaked(example, never) is None]
    fresh = tuple(example for example in unasked if example.id not in seen)
    repeats = len(edit.examples) - len(distinct) + len(unasked) - len(fresh)
    reasons = [LEAKED] * (len(distinct) - len(unasked)) + [REPEATED] * repeats
    return (replace(edit, examples=fresh) if fresh or edit.directives else None), reasons


def _counted(document: Document, reasons: Iterable[tuple[tuple[str, str], int]]) -> tuple[Dropped, ...]:
    return tuple(
        Dropped(document=document.id, style=style, reason=reason, count=count)
        for (style, reason), count in sorted(reasons)
    )
