"""How good self-edits are, judged by the passage's human questions: how many, how often true, how much they cover."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.grading import grade, normalise, token_f1
from pipeline.types import Document, Dropped, EvalItem, Example, SelfEdit

_ALIKE = 0.6  # token F1 from which a written question asks what a human's does


@dataclass(frozen=True, kw_only=True)
class WritingScores:
    """Of the self-edits about some passages.

    `examples`: learned of each passage. `true`: for each written question that a human asks too, whether the learned
    answer is right. `covered`: for each human question, whether its answer stands in what is learned of its passage.
    """

    examples: tuple[int, ...]
    true: tuple[float, ...]
    covered: tuple[float, ...]
    dropped: int

    @property
    def kept(self) -> float:
        """The share of what was written that is learned."""
        return sum(self.examples) / max(1, sum(self.examples) + self.dropped)


def judged(documents: Sequence[Document], edits: Sequence[SelfEdit], dropped: Sequence[Dropped]) -> WritingScores:
    """Judges the self-edits of each document by its own questions."""
    learned: Mapping[str, list[Example]] = {document.id: [] for document in documents}
    for edit in edits:
        learned[edit.document].extend(edit.examples)
    return WritingScores(
        examples=tuple(len(learned[document.id]) for document in documents),
        true=tuple(right for document in documents for right in _true(document, learned[document.id])),
        covered=tuple(covered for document in documents for covered in _covered(document, learned[document.id])),
        dropped=sum(one.count for one in dropped),
    )


def _true(document: Document, examples: Sequence[Example]) -> Iterator[float]:
    for example in examples:
        question = example.prompt.rsplit("\n", 1)[-1]
        asked = _nearest(question, document.eval_items)
        if asked is not None:
            yield grade(example.completion, asked.answers, asked.question)


def _nearest(question: str, asked: Sequence[EvalItem]) -> EvalItem | None:
    """The human question that asks the same; None where there is none."""
    if not question.endswith("?") or not asked:
        return None
    nearest = max(asked, key=lambda one: token_f1(question, one.question))
    return nearest if token_f1(question, nearest.question) >= _ALIKE else None


def _covered(document: Document, examples: Sequence[Example]) -> Iterator[float]:
    said = f" {normalise(' '.join(example.completion for example in examples))} "
    for item in document.eval_items:
        yield float(any(f" {normalise(answer)} " in said for answer in item.answers))
