"""Answers the questions of self-study with the document in the prompt, and verifies questions by asking them again.

A small model's free answers are mostly false. What it reads off the document, says again when it is sampled, and what
stands there, mostly is not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.digests import seed_from
from pipeline.engines import SamplingParams
from pipeline.grading import extract, grade, normalise
from pipeline.prompts import passage
from pipeline.self_edits.context import WriterContext, leaves_room
from pipeline.self_edits.quotes import question_with
from pipeline.self_edits.screening import is_question, without_faults
from pipeline.types import Document, Example, SelfEdit, Written

OTHERWISE = "example: asked again with the document, the model answers otherwise"
ABSENT = "example: its answer does not stand in the document"
_ANSWER_TOKENS = 48
_TEMPERATURE = 1.0


def answered(
    context: WriterContext, pieces: Sequence[tuple[Document, str]], edits: Sequence[SelfEdit]
) -> list[SelfEdit]:
    """The self-edits with their questions answered greedily, each with its piece of a document in the prompt.

    `pieces`: the document and the body that each self-edit is about. What is learned without the document are the base
    model's probabilities with it. A question that leaves no room is left out.
    """
    asked = [
        [question_with(context, document, body, one.prompt) for one in edit.examples]
        for (document, body), edit in zip(pieces, edits, strict=True)
    ]
    prompts = dict.fromkeys(one.taught_by or "" for own in asked for one in own)
    fitting = [prompt for prompt in prompts if leaves_room(context.engine, prompt, _ANSWER_TOKENS)]
    answers = dict(zip(fitting, context.greedy(fitting, _ANSWER_TOKENS), strict=True))
    return [
        replace(
            edit,
            examples=tuple(replace(one, completion=answers[one.taught_by]) for one in own if one.taught_by in answers),
        )
        for edit, own in zip(edits, asked, strict=True)
    ]


def verified(context: WriterContext, document: Document, written: Written) -> Written:
    """What was written, without questions whose answer does not stand in the document or is not given again.

    A question is asked again with its document, `agreement_samples` times; every reply must be graded right by the
    answer that is to be learned. Statements, and what no model wrote, stay. Drops are counted by reason.
    """
    asked = list({one.id: one for edit in written.edits for one in edit.examples if is_question(edit, one)}.values())
    text = f" {normalise(passage(document.title, document.body))} "
    standing = [one for one in asked if _stands(one, text)]
    prompts = [one.taught_by or context.open_book(document, document.body, one.prompt) for one in standing]
    fitting = [place for place, prompt in enumerate(prompts) if leaves_room(context.engine, prompt, _ANSWER_TOKENS)]
    replies = context.generate([prompts[place] for place in fitting], _sampling(context, prompts))
    agreed = {standing[place].id for place, said in zip(fitting, replies, strict=True) if _agree(standing[place], said)}
    known = {one.id for one in standing}

    def fault(edit: SelfEdit, example: Example) -> str:
        if not is_question(edit, example) or example.id in agreed:
            return ""
        return OTHERWISE if example.id in known else ABSENT

    return without_faults(written, fault)


def _sampling(context: WriterContext, prompts: Sequence[str]) -> SamplingParams:
    return SamplingParams(
        max_new_tokens=_ANSWER_TOKENS,
        temperature=_TEMPERATURE,
        samples=context.rules.agreement_samples,
        seed=seed_from("verification", context.seed, prompts),
    )


def _answer(example: Example) -> str:
    """What the completion says beyond the question."""
    return extract(example.completion, _question(example))


def _question(example: Example) -> str:
    return example.prompt.rsplit("\n", 1)[-1]


def _stands(example: Example, text: str) -> bool:
    """Whether its answer stands in the normalised text, which begins and ends with a blank."""
    said = normalise(_answer(example))
    return bool(said) and f" {said} " in text


def _agree(example: Example, replies: Iterable[str]) -> bool:
    return all(grade(reply, [_answer(example)], _question(example)) for reply in replies)
