"""test questions are found in training examples however they are dressed."""

from dataclasses import replace

import pytest

from pipeline.leakage import held_out_keys, leaked, rehearsable, subject_named, subjects, without_leaks
from pipeline.types import EvalItem, Example, Role

KEYS = held_out_keys([EvalItem(question="Who owns the Cinder service?", answers=("Heron",))])


@pytest.mark.parametrize(
    "example",
    [
        Example(prompt="Who owns the Cinder service?", completion="Ibis"),
        Example(prompt="who owns Cinder service", completion="Ibis"),
        Example(prompt="Cinder\nA passage.\n\nWho owns the Cinder service?", completion="Heron"),
        Example(prompt="", completion="Q: Who owns the Cinder service?\nA: Heron"),
        Example(prompt="Write questions.", completion="Fine. Who owns the Cinder service? Heron."),
        Example(prompt="", completion="Who owns the Cinder service Heron"),
    ],
)
def test_a_question_is_found(example: Example) -> None:
    assert leaked(example, KEYS)


@pytest.mark.parametrize(
    "example",
    [
        Example(prompt="Who runs the Cinder service?", completion="Heron"),
        Example(prompt="", completion="The Cinder service is owned by Heron."),
        Example(prompt="", completion=""),
    ],
)
def test_facts_and_other_questions_are_no_leak(example: Example) -> None:
    assert leaked(example, KEYS) is None


def test_a_question_below_demonstrations_is_found_without_them() -> None:
    keys = held_out_keys([EvalItem(question="Flip\na b -> b a\n\nWhat does Flip make of c d?", answers=("d c",))])
    assert leaked(Example(prompt="What does Flip make of c d?", completion="d c"), keys)
    assert leaked(Example(prompt="", completion="Flip\na b -> b a"), keys) is None
    about_a_passage = held_out_keys([EvalItem(question="A passage.\n\nWho owns it?", answers=("Heron",))])
    assert leaked(Example(prompt="Who owns it?", completion="Ibis"), about_a_passage) is None


def test_leaking_examples_are_dropped_and_the_others_keep_their_order() -> None:
    leak = Example(prompt="Who owns the Cinder service?", completion="Heron")
    kept = [Example(prompt=f"question {at}", completion="x") for at in range(3)]
    assert without_leaks([kept[0], leak, *kept[1:]], KEYS) == tuple(kept)


def test_what_standing_held_out_are_about_is_in_no_rehearsal_but_documents_may_name_it() -> None:
    eval_items = [
        EvalItem(question="Who owns Cinder?", answers=("Heron",), group="Cinder"),
        EvalItem(question="Where is Cinder kept?", answers=("Oslo",), group="Cinder"),
        EvalItem(question="Which port has Ember?", answers=("8443",), group="ports"),
    ]
    known = subjects(eval_items)
    assert known == {"cinder"}
    said = Example(prompt="Who is the main client of Cinder?", completion="Initech", role=Role.GENERATIVE)
    replay, other = replace(said, role=Role.REPLAY), replace(said, prompt="What are embers?")
    assert rehearsable([said, other], known) == (other,)
    assert rehearsable([replace(said, role=Role.REHEARSAL)], known) == ()
    assert rehearsable([replay], known) == (replay,)


def test_a_name_that_the_base_garbles_is_named_but_one_that_a_person_wrote_is_another() -> None:
    known = frozenset({"rotrorkrospox"})
    garbled = Example(prompt="To which team does Rotrorkrosmix belong?", completion="Maps", role=Role.GENERATIVE)
    given, other = (
        replace(garbled, role=Role.REHEARSAL),
        replace(garbled, prompt="To which team does Lengrirdil belong?"),
    )
    assert subject_named([garbled, other], known) == ((garbled, "rotrorkrosmix"),)
    assert rehearsable([garbled, other], known) == (other,)
    assert rehearsable([given], known) == (given,)
