"""Whether an answer is of the type that a question asks for is scored on other subjects."""

from math import exp, log

import pytest

from pipeline.recipe import SelfEditRules
from pipeline.self_edits.answer_type import MAX_SUBJECTS, MIN_SUBJECTS, answer_type_scores
from pipeline.self_edits.context import WriterContext
from pipeline.types import Checkpoint, Document, ModelRef
from tests.engines import ScriptedEngine

OTHERS = ("Osprey", "Kite", "Merlin", "Falcon")


def scores(
    engine: ScriptedEngine, document: Document, questions: list[str], subjects: tuple[str, ...] = OTHERS
) -> list[float]:
    context = WriterContext(engine=engine, rules=SelfEditRules(), writer=Checkpoint(ModelRef(base="b")), seed=0)
    return answer_type_scores(context, document, questions, "Wolf", subjects)


def asked_of(question: str, title: str = "Cinder service", subjects: tuple[str, ...] = OTHERS) -> list[str]:
    """What the engine is asked, sorted; without any question all scores are 0."""
    asked: list[str] = []

    def chance(prompt: str, answer: str) -> float:
        asked.append(prompt)
        return -1.0

    document = Document(title=title, body="It is owned by Wolf.")
    assert scores(ScriptedEngine(chance=chance), document, [question], subjects) == [-1.0 if asked else 0.0]
    return sorted(asked)


@pytest.mark.parametrize(
    ("title", "question", "form"),
    [
        ("Cinder service", "Who owns the Cinder service?", "Who owns the {}?"),
        ("Cinder service", "Who owns CINDER?", "Who owns {}?"),
        ("R", "Which year was R released?", "Which year was {} released?"),
        ("Go", "Who governs Go?", "Who governs {}?"),
        ("Harbor Lights Museum", "When did the Harbor Lights open?", "When did the {} open?"),
        ("C++ (a\\1)", "Who made C++ (a\\1)?", "Who made {}?"),
        ("灰烬", "谁拥有灰烬？", "谁拥有{}？"),
        ("Zoë", "Is Zoë or Zoëlla there?", "Is {} or Zoëlla there?"),
    ],
)
def test_each_other_subject_takes_the_place_of_the_title_or_of_what_names_it(
    title: str, question: str, form: str
) -> None:
    assert asked_of(question, title) == sorted(form.format(name) for name in OTHERS)


@pytest.mark.parametrize(
    ("title", "question"),
    [("Cinder", "Who wrote Cinderella?"), ("Dr. O'Brien", "Who owns O'Brien?"), ("", "Who owns the firm?")],
)
def test_a_question_that_holds_no_name_to_replace_is_not_asked_of_its_own_subject(title: str, question: str) -> None:
    assert asked_of(question, title) == []


def test_with_few_other_subjects_nothing_is_asked_and_all_scores_are_equal() -> None:
    assert asked_of("Who owns Cinder?", subjects=OTHERS[: MIN_SUBJECTS - 1]) == []


def test_titles_that_name_the_subject_itself_or_each_other_are_no_other_subjects() -> None:
    same = ("Cinder history", "cinder SERVICE", "Cinder costs", "KITE", "kite.", "Kite")
    assert asked_of("Who owns Cinder?", subjects=same) == []
    assert len(asked_of("Who owns Cinder?", subjects=(*OTHERS, *same))) == len(OTHERS)


def test_a_word_that_many_titles_share_names_none_of_them() -> None:
    services = tuple(f"{name} service" for name in OTHERS)
    asked = asked_of("Which service does Cinder use?", subjects=("Cinder service", *services))
    assert asked == sorted(f"Which service does {service} use?" for service in services)


def test_of_many_subjects_only_some_are_asked_about() -> None:
    many = tuple(f"Chapter {number}" for number in range(60))
    assert len(asked_of("Who owns Cinder?", subjects=many)) == MAX_SUBJECTS


def test_a_title_that_leaves_no_room_is_not_asked_about() -> None:
    long = "word " * 390
    assert len(asked_of("Who owns Cinder?", subjects=(*OTHERS, long))) == len(OTHERS)
    assert asked_of("Who owns Cinder?", subjects=(*OTHERS[1:], long)) == []


def test_one_subject_that_has_such_an_answer_counts_more_than_many_that_have_others() -> None:
    engine = ScriptedEngine(chance=lambda prompt, answer: log(0.5) if "Kite" in prompt else -20.0)
    document = Document(title="Cinder", body="Cinder is owned by Wolf.")
    assert scores(engine, document, ["Who owns Cinder?", "Is Cinder?"]) == pytest.approx(
        [log((0.5 + 3 * exp(-20)) / 4)] * 2
    )


def test_each_question_has_a_score_of_its_own() -> None:
    engine = ScriptedEngine(chance=lambda prompt, answer: -1.0 if "owns" in prompt else -7.0)
    document = Document(title="Cinder", body="Cinder is owned by Wolf.")
    assert scores(engine, document, ["Who owns Cinder?", "Is Cinder?"]) == pytest.approx([-1.0, -7.0])
