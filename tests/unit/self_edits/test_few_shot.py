"""With `few_shot` the writer first sees a self-edit of the style about another document; what it copies is dropped."""

from dataclasses import replace
from types import ModuleType

import pytest

from pipeline.recipe import SelfEditRules
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.style import ExampledStyle, style
from pipeline.self_edits.styles import implications
from pipeline.self_edits.styles.lines import EXAMPLE_BODY, EXAMPLE_TITLE
from pipeline.self_edits.writer import write_self_edits
from pipeline.types import Checkpoint, Document, ModelRef
from tests.engines import ScriptedEngine
from tests.unit.self_edits.test_styles import LISTS, TEXTS

CINDER = Document(title="Cinder", body="The Cinder service is owned by the Heron team. Its invoices are kept in Oslo.")
OWNER = "Cinder is owned by the Heron team."


def context(few_shot: bool, writes: str = OWNER) -> WriterContext:
    return WriterContext(
        engine=ScriptedEngine(lambda prompt, seed: writes, context=900),
        rules=SelfEditRules(styles=("implications",), samples=1, passage=False, few_shot=few_shot),
        writer=Checkpoint(ModelRef(base="b")),
        seed=3,
    )


def test_the_example_comes_before_the_document_and_ends_with_the_same_task() -> None:
    asked = context(True)
    prompt, bare = (one.asked(implications, CINDER, CINDER.body) for one in (asked, context(False)))
    example, _, task = prompt.partition("\n\n---\n\n")
    assert task == bare
    assert example.endswith(f"{implications.TASK}\n\n{implications.EXAMPLE}")
    assert f"{EXAMPLE_TITLE}\n{EXAMPLE_BODY}" in example


@pytest.mark.parametrize("each", ["implications", "self-qa", "key-concepts", "rewrite"])
def test_what_is_copied_from_the_example_is_dropped(each: str) -> None:
    """Also where the document says the same of something else, so that nothing in it tells the two apart."""
    lake = replace(CINDER, body=f"{CINDER.body} {EXAMPLE_BODY}")
    asked = context(True, style(each).EXAMPLE)  # type: ignore[attr-defined]
    asked = replace(asked, rules=asked.rules.model_copy(update={"styles": (each,)}))
    assert write_self_edits(asked, [lake]).edits == ()


def test_what_is_written_beside_a_copied_line_stays() -> None:
    copied = implications.EXAMPLE.splitlines()[2]
    written = write_self_edits(context(True, f"{OWNER}\n{copied}"), [CINDER])
    assert [one.completion for edit in written.edits for one in edit.examples] == [OWNER]


@pytest.mark.parametrize("each", [*LISTS, *TEXTS], ids=lambda one: one.NAME)
def test_every_example_has_the_form_that_its_style_reads(each: ModuleType) -> None:
    assert isinstance(style(each.NAME), ExampledStyle)
    examples = each.parse(EXAMPLE_TITLE, each.EXAMPLE)
    assert examples
    assert "Lake Veldon" in each.EXAMPLE
    if each in LISTS:
        assert [one.completion for one in examples] == each.EXAMPLE.splitlines()


def test_an_example_of_questions_is_read_whole() -> None:
    pairs = style("self-qa").parse(EXAMPLE_TITLE, style("self-qa").EXAMPLE)  # type: ignore[attr-defined]
    assert [(one.prompt[-1], bool(one.completion)) for one in pairs] == [("?", True)] * 5


def test_a_style_without_an_example_is_asked_as_ever() -> None:
    bare, few = (one.asked(style("directives"), CINDER, CINDER.body) for one in (context(False), context(True)))
    assert bare == few
