"""Keeps of the notes about a correction what holds when it is asked again, and adds what the correction leaves alone.

A correction is short, and a model fills what it does not say with whatever it does say: wrong notes would change facts
that the correction leaves alone. So each question is put to the writer again, with the document and without.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.digests import seed_from
from pipeline.engines.engine import Engine, SamplingParams
from pipeline.engines.limits import template_tokens
from pipeline.grading import first_line, normalise
from pipeline.leakage import leaked
from pipeline.prompts import open_book
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.answer_type import Suit
from pipeline.self_edits.consistency import Agreed, contested, holding, misread
from pipeline.self_edits.eval_items import names_subject
from pipeline.self_edits.selection import without_faults
from pipeline.types import Document, Example, ModelRef, SelfEdit, Written

UNCONFIRMED = "example: the correction, asked again, does not always say so"
MISREAD = "example: the correction says so of something else"
NAMELESS = "example: a question about a correction that does not name its subject"
STATED = "example: a statement about a correction, which cannot be asked"
LEFT_ALONE_STYLE = "left-alone"
LEFT_ALONE = 12  # questions of each correction that keep their answers, at most
_ASKED = 96  # questions of each correction that are put again, at most
# Hotter than notes are written: what a text does not say is then answered in many ways, and what it says in one.
_TEMPERATURE = 1.5
_COULD_BE_ANYTHING = 0.5
_ANSWER_TOKENS = 64
_LONGEST_ANSWER = 8  # words of an answer that is kept as it was


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """What a question about a correction is answered: without it (as said), and with it (normalised).

    `agreeing` is the share of the sampled answers that say what the greedy one says.
    """

    without: str
    within: str
    agreeing: float

    @property
    def changed(self) -> bool:
        """Whether the correction answers it otherwise, and not just anyhow."""
        return self.within != normalise(self.without) and self.agreeing >= _COULD_BE_ANYTHING

    @property
    def left_alone(self) -> bool:
        """Whether the correction says nothing of it: the answer, which is short, stays, or it could be anything."""
        words = len(normalise(self.without).split())
        unsaid = self.within == normalise(self.without) or self.agreeing < _COULD_BE_ANYTHING
        return unsaid and 0 < words <= _LONGEST_ANSWER


_Known = Mapping[tuple[str, str], _Answers]  # by document and question
_Counts = Mapping[tuple[str, str], int]  # how often the notes about a document have an example, by their ids
_Verdicts = Mapping[tuple[str, str], str]  # why an example is not kept, or nothing, by document and example


def confirmed(
    engine: Engine,
    corrections: Sequence[tuple[Document, str]],
    notes: Sequence[SelfEdit],
    selected: Sequence[Written],
    rules: SelfEditRules,
    *,
    writer: ModelRef,
    adapter: Path | None,
    seed: int,
    never: frozenset[str],
    suit: Suit,
    shared: frozenset[str] = frozenset(),
) -> list[Written]:
    """What was `selected` of `notes` about each of `corrections` (a document and a piece of its body), if it holds.

    A note's answer holds if the writer, with the piece in the prompt, gives it greedily and in most of
    `rules.correction_answers` samples, and if it is not misread (`self_edits.consistency`). What cannot be asked
    again is left out: a statement, or a question that does not name its subject. To each correction whose notes ask
    something one self-edit is added, of the questions that it leaves alone: those that the writer answers as it does
    without the piece, or in many ways. They keep the answers they have. Other documents' notes stay as they are, and
    none asks what `never` holds. Nothing is left alone of the titles (normalised) in `shared`: of those another
    document of the run says what this one does not. `suit` says how well an answer suits questions about a document
    (`pipeline.self_edits.answer_type`).
    """
    about = {document.id: document for document, _ in corrections}
    often = {key: _often(document, notes, never) for key, document in about.items()}
    known = _answered(engine, corrections, [(key, one) for key in about for one in often[key]], rules, adapter, seed)
    counts = Counter((note.document, example.id) for note in notes for example in note.examples)
    kept = [_kept(one, about, known, counts, suit) for one in selected]
    taken = {(edit.document, example.prompt) for one in kept for edit in one.edits for example in edit.examples}
    alone = [
        _left_alone(document, writer, [(one, known.get((key, one))) for one in often[key] if (key, one) not in taken])
        for key, document in about.items()
        if normalise(document.title) not in shared
    ]
    return [*kept, *(Written(edits=(edit,), dropped=()) for edit in alone if edit.examples)]


def _often(document: Document, notes: Sequence[SelfEdit], never: frozenset[str]) -> list[str]:
    """What the notes about a document ask of its subject, the most frequent first: those that came once may be odd."""
    counts = Counter(
        example.prompt
        for note in notes
        if note.document == document.id
        for example in note.examples
        if _is_question(example)
        and names_subject(example.prompt, document)
        and leaked(Example(prompt=example.prompt, completion=""), never) is None
    )
    return [question for question, _ in counts.most_common(_ASKED)]


def _left_alone(document: Document, writer: ModelRef, answers: Sequence[tuple[str, "_Answers | None"]]) -> SelfEdit:
    """A self-edit of the first questions that the correction leaves alone; as the document itself, it is no note."""
    examples = [
        Example(prompt=question, completion=found.without) for question, found in answers if found and found.left_alone
    ][:LEFT_ALONE]
    text = "\n".join(f"Q: {example.prompt}\nA: {example.completion}" for example in examples)
    return SelfEdit(
        document=document.id,
        style=LEFT_ALONE_STYLE,
        writer=writer,
        sample=0,
        prompt="",
        text=text,
        examples=tuple(examples),
    )


def _is_question(example: Example) -> bool:
    return bool(example.prompt) and "\n" not in example.prompt


def _answered(
    engine: Engine,
    corrections: Sequence[tuple[Document, str]],
    questions: Sequence[tuple[str, str]],
    rules: SelfEditRules,
    adapter: Path | None,
    seed: int,
) -> _Known:
    """What the writer says to each question; of several pieces what the one says that changes it, where most agree.

    A piece that does not hold the fact leaves the old answer, in which the writer is as sure as in the new one.
    """
    room = engine.context - _ANSWER_TOKENS - template_tokens(engine)
    asked = [
        (key, open_book(piece.title, body, key[1]))
        for key in questions
        for piece, body in corrections
        if piece.id == key[0]
    ]
    asked = [(key, prompt) for key, prompt in asked if engine.token_count(prompt) <= room]
    if not asked:
        return {}
    prompts, keys = [prompt for _, prompt in asked], list(dict.fromkeys(key for key, _ in asked))
    without = dict(zip(keys, _greedy(engine, [question for _, question in keys], adapter), strict=True))
    sampled = engine.generate(
        prompts,
        SamplingParams(
            max_new_tokens=_ANSWER_TOKENS,
            temperature=_TEMPERATURE,
            samples=rules.correction_answers,
            seed=seed_from("confirmed", seed, prompts),
        ),
        adapter=adapter,
    )
    found: dict[tuple[str, str], _Answers] = {}
    for (key, _), first, others in zip(asked, _greedy(engine, prompts, adapter), sampled, strict=True):
        within = normalise(first_line(first))
        agreeing = sum(normalise(first_line(answer)) == within for answer in others) / len(others)
        read = _Answers(without=first_line(without[key]), within=within, agreeing=agreeing)
        if key not in found or (read.changed, agreeing) > (found[key].changed, found[key].agreeing):
            found[key] = read
    return found


def _greedy(engine: Engine, prompts: Sequence[str], adapter: Path | None) -> list[str]:
    return [
        answer for (answer,) in engine.generate(prompts, SamplingParams(max_new_tokens=_ANSWER_TOKENS), adapter=adapter)
    ]


def _kept(written: Written, about: Mapping[str, Document], known: _Known, counts: _Counts, suit: Suit) -> Written:
    """Without the examples about corrections that do not hold."""
    examples = [
        (one.document, each) for one in written.edits if one.document in about and one.prompt for each in one.examples
    ]
    verdicts = _verdicts(examples, about, known, counts, suit)

    def fault(edit: SelfEdit, example: Example) -> str:
        checked = edit.document in about and edit.prompt
        return _fault(about[edit.document], example, verdicts) if checked else ""

    return without_faults(written, fault)


def _verdicts(
    examples: Sequence[tuple[str, Example]],
    about: Mapping[str, Document],
    known: _Known,
    counts: _Counts,
    suit: Suit,
) -> _Verdicts:
    """Why an example that says what the writer reads is not kept, or nothing; by document and example."""
    said: dict[tuple[str, str], dict[str, Example]] = {}
    for document, example in examples:
        answers = known.get((document, example.prompt))
        if answers and answers.within == normalise(example.completion):
            said.setdefault((document, answers.within), {})[example.id] = example
    before = Counter((document, normalise(answers.without)) for (document, _), answers in known.items())
    found: dict[tuple[str, str], str] = {}
    for (document, answer), notes in said.items():
        asked = [_agreed(document, example, known, counts) for example in notes.values()]
        stable = {said_before for (of, said_before), times in before.items() if of == document and times > 1}
        if doubtful := [notes[one.example] for one in contested(asked, answer, stable)]:
            suits = suit(about[document], [one.prompt for one in doubtful], _spelled(document, notes.values(), counts))
            by_note = dict(zip((one.id for one in doubtful), suits, strict=True))
            asked = [replace(one, suits=by_note.get(one.example, 0.0)) for one in asked]
        wrong = misread(asked, answer, stable)
        found |= {(document, one): MISREAD for one in wrong}
        found |= {(document, one.example): "" for one in holding([one for one in asked if one.example not in wrong])}
    return found


def _spelled(document: str, notes: Iterable[Example], counts: _Counts) -> str:
    """The spelling of one answer that is written most often: an article or a stop has a chance of its own."""
    spellings: Counter[str] = Counter()
    for note in notes:
        spellings[note.completion] += counts[document, note.id]
    return max(sorted(spellings), key=lambda spelling: spellings[spelling])


def _agreed(document: str, example: Example, known: _Known, counts: _Counts) -> Agreed:
    answers = known[document, example.prompt]
    return Agreed(example.id, answers.agreeing, normalise(answers.without), counts[document, example.id])


def _fault(document: Document, example: Example, verdicts: _Verdicts) -> str:
    """Why what the example says is not kept, in words, or nothing."""
    if not _is_question(example):
        return STATED
    if not names_subject(example.prompt, document):
        return NAMELESS
    return verdicts.get((document.id, example.id), UNCONFIRMED)
