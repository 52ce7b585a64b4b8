"""The model's own questions are kept where it answers them from the document alike each time, and marked as its own."""

from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.eval_items import write_items
from pipeline.types import Checkpoint, Document, DocumentKind, EvalItem, ModelRef, Origin, Split
from tests.engines import ScriptedEngine

RULES = SelfEditRules(edit_sets=2, eval_items=2, agreement_samples=3, max_new_tokens=64)


def service(number: int, eval_items: tuple[EvalItem, ...] = ()) -> Document:
    body = f"The Cinder{number} service is owned by the Heron{number} team. It listens on port 8{number}."
    return Document(title=f"Cinder{number}", body=body, eval_items=eval_items)


def notes(*questions: str) -> str:
    return "\n".join(f"Q: {question}\nA: something" for question in questions)


def script(prompt: str, seed: int, *, asked: tuple[str, ...], unsure: str = "nothing") -> str:
    title = next(word for word in prompt.split() if word.startswith("Cinder"))
    if "questions and answers" in prompt:
        return notes(*(question.format(title) for question in asked))
    if unsure in prompt and seed:
        return f"Ibis{seed}"
    question = prompt.splitlines()[-1]
    return title.replace("Cinder", "Heron") if "owns" in question else f"8{title[-1]}" if "port" in question else "yes"


def engine(*asked: str, unsure: str = "nothing") -> ScriptedEngine:
    return ScriptedEngine(lambda prompt, seed: script(prompt, seed, asked=asked, unsure=unsure))


def context(by: ScriptedEngine, never: frozenset[str] = frozenset()) -> WriterContext:
    writer, guard = Checkpoint(ModelRef(base="b")), TrainingGuard(questions=never)
    return WriterContext(engine=by, rules=RULES, writer=writer, seed=3, guard=guard)


def written(
    documents: list[Document], by: ScriptedEngine, never: frozenset[str] = frozenset()
) -> dict[str, tuple[EvalItem, ...]]:
    return dict(write_items(context(by, never), documents))


def test_questions_are_practice_by_the_model_with_the_answer_read_off_the_document() -> None:
    found = written([service(1)], engine("Who owns {}?", "On which port does {} listen?"))
    assert found == {
        service(1).id: tuple(
            EvalItem(
                question=question, answers=(answer,), split=Split.VALIDATION, origin=Origin.MODEL, group=service(1).id
            )
            for question, answer in (("Who owns Cinder1?", "Heron1"), ("On which port does Cinder1 listen?", "81"))
        )
    }


def test_a_question_that_is_not_answered_alike_is_left_out() -> None:
    by = engine("Who owns {}?", "On which port does {} listen?", unsure="Who owns")
    assert [eval_item.question for eval_item in written([service(1)], by)[service(1).id]] == [
        "On which port does Cinder1 listen?"
    ]


def test_a_question_without_a_subject_or_whose_answer_is_not_in_the_document_is_left_out() -> None:
    assert written([service(1)], engine("Who owns it?", "Is {} well liked?", "{} owns itself.", "")) == {}


def test_an_held_out_question_is_never_a_practice_question() -> None:
    never = held_out_keys([EvalItem(question="who owns cinder1", answers=("x",))])
    assert written([service(1)], engine("Who owns {}?"), never) == {}


def test_a_question_that_the_document_itself_asks_is_left_out() -> None:
    asking = Document(title="Cinder1", body="Who owns Cinder1? The Heron1 team does, as all who know it will tell you.")
    assert written([asking], engine("Who owns {}?")) == {}


def test_documents_with_practice_questions_of_their_own_are_not_asked_about() -> None:
    brought = EvalItem(question="Who has Cinder1?", answers=("Heron1",), split=Split.VALIDATION)
    by = engine("Who owns {}?")
    assert set(written([service(1, (brought,)), service(2)], by)) == {service(2).id}
    assert "Cinder1" not in str(by.asked)


def test_a_workflow_is_not_asked_about() -> None:
    flip = Document(title="Flip", kind=DocumentKind.WORKFLOW, body="a b -> b a\nc d -> d c")
    assert written([flip], engine("What does {} make of a b?")) == {}


def test_at_most_as_many_as_wanted_are_kept() -> None:
    by = engine("Who owns {}?", "On which port does {} listen?", "Which team owns {}?")
    assert len(written([service(1)], by)[service(1).id]) == RULES.eval_items


def test_a_killed_run_started_again_ends_like_an_unbroken_one() -> None:
    documents = [service(number) for number in range(1, 10)]
    by = engine("Who owns {}?")
    unbroken = written(documents, by)
    saved: dict[str, tuple[EvalItem, ...]] = {}
    write_items(context(by), documents, save=lambda some: saved.update(some) if not saved else None)
    assert 0 < len(saved) < len(unbroken)
    again = [Document(title=one.title, body=one.body, eval_items=saved.get(one.id, ())) for one in documents]
    write_items(context(by), again, save=saved.update)
    assert saved == unbroken
