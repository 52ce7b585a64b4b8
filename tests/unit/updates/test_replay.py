"""Replay is drawn by fact: no fact is left out because others were noted often."""

from collections import Counter

from pipeline.types import Example, ModelRef, Role, SelfEdit
from pipeline.updates.replay import choose_replay, facts_of

LIVE = ModelRef(base="b", adapter="a")


def edit(document: str, *examples: Example) -> SelfEdit:
    return SelfEdit(document=document, style="s", writer=LIVE, sample=0, prompt="p", text=document, examples=examples)


def asked(question: str, answer: str) -> Example:
    return Example(prompt=question, completion=answer)


def stated(sentence: str) -> Example:
    return Example(prompt="", completion=sentence)


def test_a_fact_that_was_noted_once_is_replayed_as_soon_as_one_that_was_noted_often() -> None:
    often = [asked(f"Who leads Opal, {number}?", "Ada") for number in range(40)]
    chosen = choose_replay([edit("opal", *often, asked("Where does Opal run?", "Oslo"))], 2, seed=1)
    assert {one.completion for one in chosen} == {"Ada", "Oslo"}
    assert {one.role for one in chosen} == {Role.REPLAY}


def test_facts_of_all_documents_come_before_second_examples_of_any() -> None:
    notes = [edit(name, *(asked(f"{number}?", name) for number in range(5))) for name in "abcd"]
    assert Counter(one.completion for one in choose_replay(notes, 6, seed=1)).most_common()[-1][1] == 1
    assert len(choose_replay(notes, 4, seed=2)) == len({one.completion for one in choose_replay(notes, 4, seed=2)}) == 4


def test_all_questions_of_a_fact_come_before_what_states_it() -> None:
    told = [stated("Ada leads Opal."), stated("Opal's lead is Ada.")]
    notes = [edit("opal", *told, asked("Who leads Opal?", "Ada."), asked("Whose is Opal?", "Ada"))]
    for seed in range(5):
        assert [bool(one.prompt) for one in choose_replay(notes, 9, seed)] == [True, True, False, False]


def test_a_statement_belongs_to_the_longest_answer_it_names() -> None:
    examples = [asked("Where?", "York"), asked("And where else?", "New York"), stated("It runs in New York.")]
    assert sorted(len(fact) for fact in facts_of(examples)) == [1, 2]
    alone = [stated("Nobody asked for this."), asked("Show this:\n1 2", "2 1"), asked("And this:\n1 3", "2 1")]
    assert [len(fact) for fact in facts_of(alone)] == [1, 1, 1]


def test_replay_is_drawn_anew_by_the_seed_and_bounded() -> None:
    notes = [edit("d", *(asked(f"{number}?", str(number)) for number in range(50))), edit("e", *map(stated, "ab"))]
    assert choose_replay(notes, 12, seed=1) == choose_replay(notes, 12, seed=1) != choose_replay(notes, 12, seed=2)
    assert len(choose_replay(notes, 12, seed=1)) == 12
    assert len(choose_replay([*notes, *notes], 1000, seed=1)) == 52
    assert choose_replay((), 5, seed=1) == choose_replay(notes, 0, seed=1) == ()


def test_of_equally_long_answers_the_first_by_letters_is_the_statements() -> None:
    examples = [*(asked(f"{answer}?", answer) for answer in ("ef", "ab", "cd")), stated("It is ef, cd and ab.")]
    (fact,) = [fact for fact in facts_of(examples) if len(fact) == 2]
    assert fact[0].completion == "ab"


def test_questions_with_a_mere_yes_or_no_are_about_facts_of_their_own() -> None:
    examples = [
        asked("Is it up?", "Yes."),
        asked("Is it old?", "yes"),
        asked("Is it ours?", "No"),
        stated("Yes it is."),
    ]
    assert [len(fact) for fact in facts_of(examples)] == [1, 1, 1, 1]
