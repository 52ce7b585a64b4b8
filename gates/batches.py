"""Which of the documents that wait a run takes: the oldest, with as many test questions as its gates ask for. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from gates.corrections import fewest_questions
from gates.wording import counted
from pipeline.recipe import PolicyRules
from pipeline.types import DocumentKind, QueuedDocument, RunSize


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The ids of the documents that a run takes, oldest first; none where it could not pass whatever it learned.

    `lacking`: what the queue lacks, in sentences. Beside `documents` they are of corrections that wait.
    """

    documents: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def choose(queue: Sequence[QueuedDocument], size: RunSize, policy: PolicyRules) -> Batch:
    """The oldest documents of the queue (in its order) that a run may take and that its gates can judge.

    Where the oldest have too few test questions, those with the most go first. Corrections wait that have too few
    together, or that leave too little room for the test questions of others.
    """
    if not queue:
        return Batch()
    needs, others = _Needs.of(policy), [one for one in queue if one.kind is not DocumentKind.CORRECTION]
    for taken in (size.first(queue), _with_questions(queue, size, needs)):
        if needs.met_by(taken):
            return Batch(documents=_in_order(queue, taken))
    without, corrections = _with_questions(others, size, needs), needs.of_corrections(queue, size)
    if needs.met_by(without):
        return Batch(documents=_in_order(queue, without), lacking=corrections or (_NO_ROOM,))
    return Batch(lacking=(*needs.of_acquisition(queue, size), *corrections) or (_NO_ROOM,))


def lacking(taken: Sequence[QueuedDocument], policy: PolicyRules) -> tuple[str, ...]:
    """What a run on these documents lacks to pass, in sentences; nothing where it may pass."""
    return choose(taken, RunSize(documents=max(1, len(taken))), policy).lacking


_NO_ROOM = (
    "corrections: a run cannot take them beside enough test questions of other documents. Let it take more documents "
    "(documents.per_run)"
)


@dataclass(frozen=True, kw_only=True)
class _Needs:
    """What the required gates ask of a run: test questions, documents that have any, and questions of corrections.

    Of a document at most `counted` questions count for `questions`.
    """

    questions: int = 0
    documents: int = 0
    counted: int = 0
    corrected: int = 0

    @classmethod
    def of(cls, policy: PolicyRules) -> "_Needs":
        rules = policy.acquisition
        asked = {"questions": rules.min_items, "documents": rules.min_documents, "counted": rules.max_per_document}
        return cls(
            **(asked if "acquisition" in policy.required else {}),
            corrected=fewest_questions(policy.corrections, policy.alpha) if "corrections" in policy.required else 0,
        )

    def met_by(self, taken: Sequence[QueuedDocument]) -> bool:
        corrections = _corrections(taken)
        corrected = not corrections or _questions(corrections) >= self.corrected
        return bool(taken) and corrected and self._acquired(taken)

    def of_acquisition(self, queue: Sequence[QueuedDocument], size: RunSize) -> tuple[str, ...]:
        """What the documents with the most questions lack that a run can take together."""
        taken = size.first(_most_asked(queue))
        if self._acquired(taken):
            return ()
        needed = f"{self.questions} test questions in {counted(self.documents, 'document')}"
        found = f"{counted(len(queue), 'queued document')} a run can take {len(taken)} with"
        return (
            f"acquisition: {needed} are needed, and of {found} {counted(self._counted(taken), 'question')}. Give them "
            "questions (docs/operating.md, Documents), let more wait for one run, or change the recipe: "
            "policy.acquisition, documents.per_run, advanced.documents.per_source",
        )

    def of_corrections(self, queue: Sequence[QueuedDocument], size: RunSize) -> tuple[str, ...]:
        """What the corrections with the most questions lack that a run can take together."""
        corrections = _corrections(queue)
        questions = _questions(size.first(_most_asked(corrections)))
        if not corrections or questions >= self.corrected:
            return ()
        return (
            f"corrections: {counted(len(corrections), 'correction')} with {counted(questions, 'test question')} in "
            f"all, and {self.corrected} are needed. Correct more, or give them more wordings of their questions",
        )

    def prefix(self, ranked: Sequence[QueuedDocument], least: int) -> int:
        """How many of the first of `ranked`, at least `least`, have the questions that are asked for."""
        return max(least, self.documents, _enough((min(one.questions, self.counted) for one in ranked), self.questions))

    def _acquired(self, taken: Sequence[QueuedDocument]) -> bool:
        return self._counted(taken) >= self.questions and sum(one.questions > 0 for one in taken) >= self.documents

    def _counted(self, taken: Sequence[QueuedDocument]) -> int:
        return sum(min(one.questions, self.counted) for one in taken)


def _with_questions(queue: Sequence[QueuedDocument], size: RunSize, needs: _Needs) -> list[QueuedDocument]:
    """What a run may take of the queue, beginning with as few as meet the needs, those with the most questions."""
    most = _most_asked(queue)
    corrections = size.first(_corrections(most))
    first = corrections[: _enough((one.questions for one in corrections), needs.corrected)]
    ranked = size.first(dict.fromkeys([*first, *most]))
    return size.first(dict.fromkeys([*ranked[: needs.prefix(ranked, len(first))], *queue]))


def _enough(questions: Iterable[int], needed: int) -> int:
    """How many of the first have `needed` questions together; all where they have fewer."""
    sums = list(accumulate(questions, initial=0))
    return next((at for at, found in enumerate(sums) if found >= needed), len(sums) - 1)


def _most_asked(queue: Iterable[QueuedDocument]) -> list[QueuedDocument]:
    """Those with questions, the most first; among equals the oldest."""
    return sorted((one for one in queue if one.questions), key=lambda one: -one.questions)


def _corrections(queue: Iterable[QueuedDocument]) -> list[QueuedDocument]:
    return [one for one in queue if one.kind is DocumentKind.CORRECTION]


def _questions(queue: Iterable[QueuedDocument]) -> int:
    return sum(one.questions for one in queue)


def _in_order(queue: Iterable[QueuedDocument], taken: Iterable[QueuedDocument]) -> tuple[str, ...]:
    chosen = set(taken)
    return tuple(one.id for one in queue if one in chosen)
