"""Checks the self-edits about a correction by asking the writer again, and adds what the correction leaves unchanged.

A correction is short, and a model that writes about it fills the gaps with what it does say: such self-edits would
change facts that the correction does not. So the writer answers each question again, with the correction and without.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.digests import seed_from
from pipeline.engines import SamplingParams
from pipeline.grading import first_line, normalise
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.leakage import leaked
from pipeline.self_edits.answer_type import answer_type_scores
from pipeline.self_edits.consistency import Checked, consistent, contested, of_other_facts
from pipeline.self_edits.context import Batch, WriterContext, leaves_room
from pipeline.self_edits.eval_items import names_subject
from pipeline.self_edits.screening import without_faults
from pipeline.types import Document, Example, SelfEdit, Written

UNCONFIRMED = "example: the correction, asked again, does not always say so"
OTHER_FACT = "example: the correction says so of something else"
UNNAMED = "example: a question about a correction that does not name its subject"
STATEMENT = "example: a statement about a correction, which cannot be asked"
LEFT_ALONE_STYLE = "left-alone"
_ANSWER_TOKENS = 64

_Key = tuple[str, str]  # a document (id), and a question or an example (id) about it


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """The answers to a question about a correction: without it (as written), and with it (normalised).

    `agreement`: the share of sampled answers that equal the greedy one.
    """

    without: str
    within: str
    agreement: float

    @property
    def changed(self) -> bool:
        """Whether the correction changes the answer, and the samples agree on the new one."""
        return self.within != normalise(self.without) and self.agreement >= SANDBOX_FITTED.undecided

    @property
    def left_alone(self) -> bool:
        """Whether the correction says nothing about it: the (short) answer stays, or the samples disagree."""
        words = len(normalise(self.without).split())
        unsaid = self.within == normalise(self.without) or self.agreement < SANDBOX_FITTED.undecided
        return unsaid and 0 < words <= SANDBOX_FITTED.max_answer_words


@dataclass(frozen=True, kw_only=True)
class _Review:
    """What examples about corrections are judged by. `counts`: how many of a document's self-edits hold an example."""

    context: WriterContext
    corrections: Mapping[str, Document]
    answers: Mapping[_Key, _Answers]
    counts: Mapping[_Key, int]
    subjects: Sequence[str]


def confirmed(
    context: WriterContext,
    pieces: Sequence[tuple[Document, str]],
    sampled: Sequence[SelfEdit],
    selected: Sequence[Written],
    batch: Batch,
) -> list[Written]:
    """`selected` without the examples about corrections that do not hold, and with what the corrections leave alone.

    An example holds if the writer, with the correction in the prompt, gives its answer greedily and in most of
    `rules.correction_answers` samples, and if the answer was not meant for another fact (`self_edits.consistency`).
    Statements, and questions that do not name the subject, cannot be asked again and are dropped. For each correction
    one self-edit is added of questions whose answer stays the same, or is undecided, with the answers they had; not if
    another document of the batch has its title, since that may say what this one does not.

    Args: `pieces` are corrections, each with a piece of its body; `sampled` all self-edits of the group as they were
    written; `selected` those that were kept, of corrections and others.
    """
    about = {document.id: document for document, _ in pieces}
    questions = {key: _questions(context, document, sampled) for key, document in about.items()}
    review = _Review(
        context=context,
        corrections=about,
        answers=_ask_again(context, pieces, [(key, one) for key in about for one in questions[key]]),
        counts=Counter((edit.document, example.id) for edit in sampled for example in edit.examples),
        subjects=batch.subjects,
    )
    kept = [_without_unconfirmed(review, one) for one in selected]
    taken = {(edit.document, example.prompt) for one in kept for edit in one.edits for example in edit.examples}
    alone = [
        _left_alone(review, document, [one for one in questions[key] if (key, one) not in taken])
        for key, document in about.items()
        if normalise(document.title) not in batch.shared_titles
    ]
    return [*kept, *(Written(edits=(edit,), dropped=()) for edit in alone if edit.examples)]


def _questions(context: WriterContext, document: Document, sampled: Sequence[SelfEdit]) -> list[str]:
    """What the self-edits ask about the document's subject, the most frequent first: rare questions may be odd."""
    counts = Counter(
        example.prompt
        for edit in sampled
        if edit.document == document.id
        for example in edit.examples
        if _is_question(example)
        and names_subject(example.prompt, document)
        and leaked(Example(prompt=example.prompt, completion=""), context.guard.questions) is None
    )
    return [question for question, _ in counts.most_common(SANDBOX_FITTED.max_questions)]


def _is_question(example: Example) -> bool:
    return bool(example.prompt) and "\n" not in example.prompt


def _left_alone(review: _Review, document: Document, questions: Sequence[str]) -> SelfEdit:
    """A self-edit (without a prompt: nobody wrote it) of the first questions that the correction leaves alone."""
    answered = [(question, review.answers.get((document.id, question))) for question in questions]
    examples = [
        Example(prompt=question, completion=found.without) for question, found in answered if found and found.left_alone
    ][: SANDBOX_FITTED.max_left_alone]
    return SelfEdit(
        document=document.id,
        style=LEFT_ALONE_STYLE,
        writer=review.context.writer.ref,
        sample=0,
        prompt="",
        text="\n".join(f"Q: {example.prompt}\nA: {example.completion}" for example in examples),
        examples=tuple(examples),
    )


def _ask_again(
    context: WriterContext, pieces: Sequence[tuple[Document, str]], questions: Sequence[_Key]
) -> dict[_Key, _Answers]:
    """The writer's answers to each question; of a correction in pieces by the piece that changes the answer.

    A piece that does not hold the fact gives the old answer, as surely as another one gives the new. Among several that
    change it, the one with the highest agreement.
    """
    asked = [
        (key, prompt)
        for key in questions
        for document, body in pieces
        if document.id == key[0]
        and leaves_room(context.engine, prompt := context.open_book(document, body, key[1]), _ANSWER_TOKENS)
    ]
    if not asked:
        return {}
    prompts, keys = [prompt for _, prompt in asked], list(dict.fromkeys(key for key, _ in asked))
    without = dict(zip(keys, context.greedy([question for _, question in keys], _ANSWER_TOKENS), strict=True))
    sampled = context.generate(
        prompts,
        SamplingParams(
            max_new_tokens=_ANSWER_TOKENS,
            temperature=SANDBOX_FITTED.temperature,
            samples=context.rules.correction_answers,
            seed=seed_from("confirmed", context.seed, prompts),
        ),
    )
    found: dict[_Key, _Answers] = {}
    for (key, _), first, others in zip(asked, context.greedy(prompts, _ANSWER_TOKENS), sampled, strict=True):
        within = normalise(first_line(first))
        agreement = sum(normalise(first_line(answer)) == within for answer in others) / len(others)
        read = _Answers(without=first_line(without[key]), within=within, agreement=agreement)
        if key not in found or (read.changed, agreement) > (found[key].changed, found[key].agreement):
            found[key] = read
    return found


def _without_unconfirmed(review: _Review, written: Written) -> Written:
    examples = [
        (edit.document, example)
        for edit in written.edits
        if edit.document in review.corrections and edit.prompt
        for example in edit.examples
    ]
    verdicts = _verdicts(review, examples)

    def fault(edit: SelfEdit, example: Example) -> str:
        document = review.corrections.get(edit.document)
        if document is None or not edit.prompt:
            return ""
        if not _is_question(example):
            return STATEMENT
        if not names_subject(example.prompt, document):
            return UNNAMED
        return verdicts.get((edit.document, example.id), UNCONFIRMED)

    return without_faults(written, fault)


def _verdicts(review: _Review, examples: Sequence[tuple[str, Example]]) -> dict[_Key, str]:
    """Why an example whose answer the writer gave again is dropped, or "" if it is kept."""
    by_answer: dict[_Key, dict[str, Example]] = {}
    for document, example in examples:
        answers = review.answers.get((document, example.prompt))
        if answers and answers.within == normalise(example.completion):
            by_answer.setdefault((document, answers.within), {})[example.id] = example
    before = Counter((document, normalise(answers.without)) for (document, _), answers in review.answers.items())
    found: dict[_Key, str] = {}
    for (document, answer), same in by_answer.items():
        known = {old for (of, old), times in before.items() if of == document and times > 1}
        checked = [_checked(review, document, one) for one in same.values()]
        if doubtful := [same[one.example] for one in contested(checked, answer, known)]:
            spelled = _most_frequent_spelling(review, document, same.values())
            asked = [example.prompt for example in doubtful]
            scores = answer_type_scores(review.context, review.corrections[document], asked, spelled, review.subjects)
            by_id = dict(zip((example.id for example in doubtful), scores, strict=True))
            checked = [replace(one, type_score=by_id.get(one.example, 0.0)) for one in checked]
        wrong = of_other_facts(checked, answer, known)
        kept = consistent([one for one in checked if one.example not in wrong])
        found |= {(document, one): OTHER_FACT for one in wrong} | {(document, one.example): "" for one in kept}
    return found


def _checked(review: _Review, document: str, example: Example) -> Checked:
    answers = review.answers[document, example.prompt]
    return Checked(example.id, answers.agreement, normalise(answers.without), review.counts[document, example.id])


def _most_frequent_spelling(review: _Review, document: str, examples: Iterable[Example]) -> str:
    """One spelling for all: an article or a full stop has a probability of its own."""
    spellings: Counter[str] = Counter()
    for example in examples:
        spellings[example.completion] += review.counts[document, example.id]
    return max(sorted(spellings), key=lambda spelling: spellings[spelling])
