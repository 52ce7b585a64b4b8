"""A part of a run is trained on its own self-edits beside the whole run's rehearsal, without the other documents."""

from dataclasses import replace

import pytest

from pipeline.errors import BadInput
from pipeline.prompts import open_book
from pipeline.recipe import Recipe
from pipeline.types import Document, Example, ModelRef, Role, SelfEdit
from pipeline.updates import UpdateInput, plan_part, plan_update

LIVE = ModelRef(base="b", adapter="a")
ATLAS, BOREA = (Document(title=name, body=f"{name} is owned by Heron.") for name in ("Atlas", "Borea"))
DOCUMENTS = (ATLAS, BOREA)


def edit(of: Document) -> SelfEdit:
    examples = (Example(prompt=f"Who owns {of.title}?", completion="Heron"),)
    return SelfEdit(
        document=of.id, style="s", writer=LIVE, sample=0, prompt=f"Write of {of.title}.", text="t", examples=examples
    )


LEARNED = UpdateInput(edits=tuple(map(edit, DOCUMENTS)), documents=DOCUMENTS)
SHARED = (
    Example(prompt="What is 2 + 2?", completion="4", role=Role.REHEARSAL),
    Example(prompt="Who owns Cinder?", completion="Wolf", role=Role.REPLAY),
)
ABOUT = {
    one.id: (
        Example(prompt=open_book(one.title, one.body, f"Who has {one.title}?"), completion="Heron", role=Role.READING),
        Example(prompt=f"Write of {one.title}.", completion="t", role=Role.WRITING),
    )
    for one in DOCUMENTS
}
WHOLE = plan_update(LIVE, LEARNED, (*SHARED, *ABOUT[ATLAS.id], *ABOUT[BOREA.id]), Recipe())


@pytest.mark.parametrize(("mine", "other"), [DOCUMENTS, DOCUMENTS[::-1]])
def test_a_part_holds_nothing_of_the_other_documents_and_all_that_is_shared(mine: Document, other: Document) -> None:
    part = plan_part(WHOLE, LEARNED, [mine.id], Recipe())
    trained = {one.id for one in part.examples}
    assert trained == {one.id for one in (*SHARED, *ABOUT[mine.id], *edit(mine).examples)}
    assert not any(other.title in f"{one.prompt} {one.completion}" for one in part.examples)
    assert part.update.self_edits == (edit(mine).id,)
    assert part.update.parent == LIVE


def test_parts_are_named_by_what_they_hold_and_all_documents_are_the_whole_plan() -> None:
    parts = [plan_part(WHOLE, LEARNED, [one.id], Recipe()).update.id for one in DOCUMENTS]
    assert len({*parts, WHOLE.update.id}) == 3
    assert plan_part(WHOLE, LEARNED, [one.id for one in DOCUMENTS], Recipe()) == WHOLE


def test_a_part_without_an_example_is_refused() -> None:
    with pytest.raises(BadInput, match="no example to learn"):
        plan_part(WHOLE, LEARNED, [], Recipe())


def test_a_scaled_update_is_another_one_and_an_unscaled_one_keeps_its_name() -> None:
    update = WHOLE.update
    assert replace(update, scale=0.5).id != update.id
    assert replace(update, scale=0.5).id != replace(update, scale=0.25).id
    assert replace(update, scale=1.0).id == update.id
