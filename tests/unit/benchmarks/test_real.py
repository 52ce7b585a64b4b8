"""Self-edits are judged by the human questions of their own passage."""

from benchmarks.real.writing import judged
from pipeline.types import Document, Dropped, EvalItem, Example, ModelRef, SelfEdit

PASSAGE = Document(
    title="Cinder",
    body="Heron owns Cinder. It runs in Oslo.",
    eval_items=(
        EvalItem(question="Who owns the Cinder service?", answers=("Heron",)),
        EvalItem(question="In which city does Cinder run?", answers=("Oslo",)),
    ),
)
OTHER = Document(title="Pelham", body="A heron.", eval_items=(EvalItem(question="What is Pelham?", answers=("bird",)),))


def edit(document: Document, *examples: Example) -> SelfEdit:
    return SelfEdit(
        document=document.id, style="self-study", writer=ModelRef(base="b"), sample=0, prompt="", text="",
        examples=examples,
    )  # fmt: skip


def test_a_question_that_a_human_asks_too_is_right_or_wrong_by_the_human_answer() -> None:
    right = Example(prompt="Topic: Cinder\nWho owns the Cinder service?", completion="Heron owns it.")
    wrong = Example(prompt="Who owns the service Cinder?", completion="Bergen")
    unasked = Example(prompt="How old is the port?", completion="Nobody knows.")
    found = judged([PASSAGE], [edit(PASSAGE, right, wrong, unasked)], [])
    assert found.true == (1.0, 0.0)
    assert found.examples == (3,)


def test_an_answer_is_covered_by_its_own_passage_alone() -> None:
    dropped = [Dropped(document=PASSAGE.id, style="self-study", reason="twice", count=1)]
    edits = [
        edit(PASSAGE, Example(prompt="", completion="Heron owns Cinder, a bird.")),
        edit(OTHER, Example(prompt="", completion="Oslo")),
    ]
    found = judged([PASSAGE, OTHER], edits, dropped)
    assert found.covered == (1.0, 0.0, 0.0)
    assert found.kept == 2 / 3
