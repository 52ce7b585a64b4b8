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

    `lacking`: what the queue lacks, in sentences. Beside `documents` they are of corrections that wait for others.
    """

    documents: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def choose(queue: Sequence[QueuedDocument], size: RunSize, policy: PolicyRules) -> Batch:
    """The oldest documents of the queue (in its order) that a run may take and that its gates can judge.

    Where the oldest have too few test questions, those go first that have them. Corrections that have too few together
    wait for more.
    """
    if not queue:
        return Batch()
    needs = _Needs.of(policy)
    others = [one for one in queue if one.kind is not DocumentKind.CORRECTION]
    for taken in (size.first(queue), _asked_first(queue, size, needs)):
        if needs.met_by(taken):
            return Batch(documents=_in_order(queue, taken))
    taken, without = _asked_first(queue, size, needs), _asked_first(others, size, needs)
    if needs.met_by(without):
        return Batch(documents=_in_order(queue, without), lacking=needs.of_corrections(taken))
    return Batch(lacking=(*needs.of_acquisition(queue, taken), *needs.of_corrections(taken)))


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
        corrected = fewest_questions(policy.corrections.min_new, policy.alpha)
        return cls(
            **(asked if "acquisition" in policy.required else {}),
            corrected=corrected if "corrections" in policy.required else 0,
        )

    def met_by(self, taken: Sequence[QueuedDocument]) -> bool:
        return bool(taken) and self.acquired(taken) and not self.of_corrections(taken)

    def of_acquisition(self, queue: Sequence[QueuedDocument], taken: Sequence[QueuedDocument]) -> tuple[str, ...]:
        if self.acquired(taken):
            return ()
        found = f"{len(_asked(taken))} with test questions, {self._counted(taken)} questions in all"
        return (
            f"acquisition: of {counted(len(queue), 'document')} that wait a run can take {found}; at least "
            f"{self.questions} in {self.documents} documents are asked for. Give them questions (docs/operating.md, "
            "Documents), let more wait for one run, or ask for fewer in the recipe (policy.acquisition)",
        )

    def of_corrections(self, taken: Sequence[QueuedDocument]) -> tuple[str, ...]:
        corrections = _corrections(taken)
        questions = sum(one.questions for one in corrections)
        if not corrections or questions >= self.corrected:
            return ()
        return (
            f"corrections: {counted(len(corrections), 'correction')} with {counted(questions, 'test question')} in "
            f"all, and {self.corrected} are needed. Correct more, or give them more wordings of their questions",
        )

    def acquired(self, taken: Sequence[QueuedDocument]) -> bool:
        return self._counted(taken) >= self.questions and len(_asked(taken)) >= self.documents

    def _counted(self, taken: Sequence[QueuedDocument]) -> int:
        return sum(min(one.questions, self.counted) for one in taken)


def _asked_first(queue: Sequence[QueuedDocument], size: RunSize, needs: _Needs) -> list[QueuedDocument]:
    """What a run may take of the queue, beginning with as few of those with questions as meet the needs."""
    corrections = _corrections(queue)
    told = accumulate((one.questions for one in corrections), initial=0)
    enough = next((at for at, questions in enumerate(told) if questions >= needs.corrected), len(corrections))
    asked = size.first(dict.fromkeys([*corrections[:enough], *_asked(queue)]))
    first = next((asked[:n] for n in range(enough, len(asked)) if needs.acquired(asked[:n])), asked)
    return size.first(dict.fromkeys([*first, *queue]))


def _asked(queue: Iterable[QueuedDocument]) -> list[QueuedDocument]:
    return [one for one in queue if one.questions]


def _corrections(queue: Iterable[QueuedDocument]) -> list[QueuedDocument]:
    return [one for one in queue if one.kind is DocumentKind.CORRECTION]


def _in_order(queue: Iterable[QueuedDocument], taken: Iterable[QueuedDocument]) -> tuple[str, ...]:
    chosen = set(taken)
    return tuple(one.id for one in queue if one in chosen)
