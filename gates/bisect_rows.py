"""What a bisect tried, as rows that people read: which documents, what came of them, what is quarantined. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log2

from gates.per_document import titled
from gates.views import MARKS
from gates.wording import counted, visible
from pipeline.types import Bisection, BisectStep, Document, Verdict

_NAMED = 2  # parts of at most so many documents are called by their titles
_SENTENCE = 400


@dataclass(frozen=True, kw_only=True)
class TriedRow:
    """One adapter that was tried: its documents in words, how much of its change was kept, and what came of it."""

    documents: str
    share: str
    verdict: str
    mark: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class CulpritRow:
    """Documents that were quarantined together, by title and id, and the evidence."""

    documents: str
    sentence: str


def tried(log: Bisection, documents: Sequence[Document]) -> tuple[TriedRow, ...]:
    """The whole run first, then all that was tried, in order. `documents`: those that are left, for their titles."""
    titles = {one.id: visible(titled(one), 80) for one in documents}
    for culprit in log.culprits:
        titles |= dict(zip(culprit.documents, culprit.titles, strict=True))
    whole = BisectStep(documents=log.documents, verdict=Verdict.FAIL, sentence=log.failed)
    return tuple(
        TriedRow(
            documents=_documents(step.documents, log.documents, titles),
            share=f"{step.factor:g}",
            verdict=step.verdict.value,
            mark=MARKS[step.verdict],
            sentence=visible(step.sentence, _SENTENCE),
        )
        for step in (whole, *log.steps)
    )


def culprits(log: Bisection) -> tuple[CulpritRow, ...]:
    """What was quarantined, and why."""
    return tuple(
        CulpritRow(
            documents=" with ".join(
                f"{visible(title, 80)} ({id_[:12]})" for title, id_ in zip(one.titles, one.documents, strict=True)
            ),
            sentence=visible(one.sentence, _SENTENCE),
        )
        for one in log.culprits
    )


def conclusion(log: Bisection) -> str:
    """What was tried and what came of it, in a sentence or two."""
    whole = counted(len(log.documents), "document")
    scaled = len(log.steps) - log.trainings
    parts = [f"The run of {whole} failed {', '.join(log.gates)}"]
    if scaled:
        parts.append(f"{counted(scaled, 'scaled adapter')} {'was' if scaled == 1 else 'were'} tried")
    if log.trainings:
        shares = f"log2 of {len(log.documents)} is {log2(len(log.documents)):.3g}, {log.limit} are allowed"
        parts.append(f"{counted(log.trainings, 'adapter')} trained on parts of it ({shares})")
    if log.quarantined:
        parts.append(f"{counted(len(log.quarantined), 'document')} quarantined, the rest evaluated whole")
    return "; ".join([*parts, *([log.ended] if log.ended else [])]) + "."


def _documents(part: Sequence[str], whole: Sequence[str], titles: Mapping[str, str]) -> str:
    """Few documents by their titles, more by their places in the run: "8 documents: 1–8"."""
    if len(part) <= _NAMED:
        return ", ".join(titles.get(one, one[:12]) for one in part)
    places = [place for place, one in enumerate(whole, start=1) if one in set(part)]
    runs = [[place for _, place in run] for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0])]
    ranges = ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
    return f"{len(part)} documents: {ranges}"
