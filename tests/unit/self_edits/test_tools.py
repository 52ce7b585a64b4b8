"""Each tool makes what it says, the same for the same seed, and nothing where there is nothing for it to work on."""

import importlib.metadata
import types

import pytest

from pipeline.errors import BadRecipe
from pipeline.self_edits.styles import directives
from pipeline.self_edits.tool import ENTRY_POINTS, TOOLS, apply_tools, tool
from pipeline.self_edits.tools import expand, geometry, leave_one_out, paraphrase, permute, recolour, reverse
from pipeline.types import Document, DocumentKind, Example

RECORDS = Document(title="Flip", kind=DocumentKind.WORKFLOW, body="a b -> b a\nc d -> d c\ne f -> f e")
GRIDS = Document(title="Turn", kind=DocumentKind.WORKFLOW, body="012 -> 210\n100 020 -> 001 020\n03 40 -> 30 04")
PASSAGE = Document(title="Cinder", body="The Cinder service is owned by Heron. It listens on port 8443.")
FACT = Example(prompt="", completion="The Cinder service listens on port 8443 in Oslo.")
ASKED = Example(prompt="Who owns Cinder?", completion="Heron")


def test_every_tool_that_directives_offer_is_there() -> None:
    assert set(directives.TOOLS) <= set(TOOLS.names())
    assert {name: tool(name).NAME for name in directives.TOOLS} == {name: name for name in directives.TOOLS}


@pytest.mark.parametrize("name", directives.TOOLS)
@pytest.mark.parametrize("document", [RECORDS, GRIDS, PASSAGE])
def test_a_tool_is_a_function_of_what_it_is_given(name: str, document: Document) -> None:
    examples = (*leave_one_out.apply(document, (), 0), FACT, ASKED)
    assert tool(name).apply(document, examples, 7) == tool(name).apply(document, examples, 7)
    assert all(made.completion.strip() for made in tool(name).apply(document, examples, 7))


def test_each_demonstration_is_asked_with_the_others_and_alone() -> None:
    made = leave_one_out.apply(RECORDS, (), 0)
    assert made[0] == Example(prompt="Flip\nc d -> d c\ne f -> f e\n\nWhat does Flip make of a b?", completion="b a")
    assert made[1] == Example(prompt="What does Flip make of a b?", completion="b a")
    assert len(made) == 6
    assert leave_one_out.apply(PASSAGE, (ASKED,), 0) == ()


def test_demonstrations_are_permuted_and_nothing_else_is() -> None:
    tasks = leave_one_out.apply(RECORDS, (), 0)
    for made in permute.apply(RECORDS, tasks, 1):
        first, *shown, blank, question = made.prompt.splitlines()
        assert (first, blank) == ("Flip", "")
        assert question.startswith("What does Flip make of")
        assert len(shown) == 2
    assert permute.apply(PASSAGE, (FACT, ASKED), 1) == ()


def test_grids_of_a_task_are_turned_alike_in_seven_ways() -> None:
    task = Example(prompt="Turn\n012 -> 210\n\nWhat does Turn make of 01 23?", completion="10 32")
    made = geometry.apply(GRIDS, (task, FACT, ASKED), 0)
    assert len(set(made)) == 7
    assert Example(prompt="Turn\n0 1 2 -> 2 1 0\n\nWhat does Turn make of 20 31?", completion="31 20") in made
    assert geometry.apply(RECORDS, leave_one_out.apply(RECORDS, (), 0), 0) == ()


def test_colours_change_alike_and_the_background_stays() -> None:
    task = Example(prompt="What does Turn make of 100 020?", completion="001 020")
    for made in recolour.apply(GRIDS, (task, FACT), 3):
        first, second = made.prompt.removesuffix("?").split()[-2:]
        assert (first[1:], second[0], second[2]) == ("00", "0", "0")
        assert made.completion == f"00{first[0]} 0{second[1]}0"
        assert first[0] != second[1]
    assert recolour.apply(PASSAGE, (FACT,), 3) == ()


def test_facts_are_asked_from_their_other_end() -> None:
    assert reverse.apply(PASSAGE, (ASKED, FACT, Example(prompt="", completion="Too short.")), 0) == (
        Example(prompt="Which question has the answer “Heron”?", completion="Who owns Cinder?"),
        Example(prompt="Which statement ends with “in Oslo.”?", completion=FACT.completion),
    )


def test_names_and_numbers_of_a_statement_become_questions() -> None:
    made = expand.apply(PASSAGE, (FACT, ASKED), 0)
    assert made == (
        Example(prompt="Fill the gap: The ___ service listens on port 8443 in Oslo.", completion="Cinder"),
        Example(prompt="Fill the gap: The Cinder service listens on port ___ in Oslo.", completion="8443"),
        Example(prompt="Fill the gap: The Cinder service listens on port 8443 in ___.", completion="Oslo"),
        Example(prompt="Cinder\nWho owns Cinder?", completion="Heron"),
    )


def test_questions_get_other_words_and_texts_another_order() -> None:
    text = Example(prompt="", completion="Cinder\nOne is here. Two is there. Three is nowhere. Four is gone.")
    made = paraphrase.apply(PASSAGE, (ASKED, text), 5)
    assert {one.completion for one in made[:2]} == {"Heron"}
    assert all("Who owns Cinder?" in one.prompt != ASKED.prompt for one in made[:2])
    assert sorted(made[2].completion.split()) == sorted(text.completion.split())
    assert made[2].completion.startswith("Cinder\n")


def test_tools_together_see_what_was_written_and_the_tasks_in_whatever_order_they_were_chosen() -> None:
    chosen = ("geometry", "leave-one-out", "permute")
    made = apply_tools(chosen, GRIDS, (), 2)
    assert made == apply_tools(chosen[::-1], GRIDS, (), 2)
    assert len(made) == len({example.id for example in made}) > 6 * 7
    assert apply_tools((), GRIDS, (FACT,), 2) == ()


def test_an_unknown_tool_names_the_known_ones() -> None:
    with pytest.raises(BadRecipe, match=r"unknown data tool 'rm': known are expand, geometry"):
        tool("rm")


def test_a_third_partys_tool_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = types.SimpleNamespace(NAME="shout", apply=lambda document, examples, seed: ())

    class Entry:
        value = "acme.tools"

        def load(self) -> object:
            return acme

    def entry_points(*, group: str, name: str | None = None) -> object:
        found = [Entry()] if group == ENTRY_POINTS and name in (None, "shout") else []
        return types.SimpleNamespace(names={"shout"}) if name is None else found

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert tool("shout") is acme
    assert "shout" in TOOLS.names()
    acme.apply = None
    del acme.NAME
    with pytest.raises(BadRecipe, match=r"acme\.tools lacks NAME or apply"):
        tool("shout")
