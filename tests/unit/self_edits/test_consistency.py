"""Facts that a correction changes are told from those into which the writer reads the new answer."""

from pipeline.self_edits.consistency import Checked, consistent, contested, of_other_facts


def checked(before: str, count: int, agreement: float = 1.0, type_score: float = 0.0) -> Checked:
    return Checked(f"{before} {count}", agreement, before, count, type_score)


def test_a_known_fact_that_is_rarely_given_the_new_answer_is_another_fact() -> None:
    owner, place = checked("heron", 9), checked("oslo", 5)
    assert of_other_facts([owner, place], "wolf", {"heron", "oslo"}) == {place.example}


def test_the_fact_is_chosen_before_the_doubt_is_weighed() -> None:
    """Else one wrong self-edit in which the samples agree would drop the right ones, in which a few do not."""
    owner, place = checked("heron", 60, agreement=0.8), checked("oslo", 1)
    assert of_other_facts([owner, place], "wolf", {"heron", "oslo"}) == {place.example}


def test_what_was_guessed_before_tells_no_facts_apart() -> None:
    guesses = [checked(f"a guess {number}", 3 - number) for number in range(3)]
    assert of_other_facts(guesses, "wolf", frozenset()) == frozenset()


def test_two_facts_that_are_written_of_about_as_often_may_both_have_the_new_answer() -> None:
    assert of_other_facts([checked("heron", 9), checked("lynx", 7)], "wolf", {"heron", "lynx"}) == frozenset()


def test_what_was_answered_so_before_is_no_other_fact() -> None:
    assert of_other_facts([checked("heron", 9), checked("wolf", 1)], "wolf", {"heron", "wolf"}) == frozenset()


def test_a_fact_of_another_answer_type_is_dropped_however_often_it_is_written_of() -> None:
    """A customer is no database: where every other subject's is, this answer is never expected."""
    customer, store = checked("duff", 5, type_score=-3.0), checked("postgres", 9, type_score=-10.6)
    assert of_other_facts([customer, store], "wolf", {"duff", "postgres"}) == {store.example}


def test_facts_of_one_answer_type_are_told_apart_by_how_often_they_are_written_of_alone() -> None:
    year, other_year = checked("2021", 9, type_score=-5.2), checked("2004", 7, type_score=-2.7)
    assert of_other_facts([year, other_year], "2023", {"2021", "2004"}) == frozenset()


def test_a_guess_of_the_right_type_drops_no_known_fact_unless_most_notes_are_about_it() -> None:
    known, guessed = checked("duff", 5, type_score=-9.0), checked("a guess", 1, type_score=-1.0)
    assert of_other_facts([known, guessed], "wolf", {"duff"}) == frozenset()
    assert of_other_facts([known, checked("a guess", 6, type_score=-1.0)], "wolf", {"duff"}) == {known.example}


def test_an_answer_is_contested_where_two_facts_might_have_it_and_one_was_known() -> None:
    owner, place = checked("heron", 9), checked("oslo", 5)
    assert contested([owner, place], "wolf", {"oslo"}) == [owner, place]
    assert contested([owner, place], "wolf", frozenset()) == []
    assert contested([owner], "wolf", {"heron"}) == []
    assert contested([owner, checked("wolf", 3)], "wolf", {"heron"}) == []


def test_what_is_doubted_and_rare_guesses_take_no_part_in_a_contest() -> None:
    owner, place = checked("heron", 9), checked("oslo", 5)
    beside = [checked("a guess", 1), checked("oslo", 9, agreement=0.5)]
    assert contested([owner, place, *beside], "wolf", {"heron", "oslo"}) == [owner, place]


def test_most_samples_must_agree_or_else_there_must_be_hardly_a_doubt() -> None:
    sure, unsure, doubted = checked("a", 1, 0.9), checked("b", 1, 0.8), checked("c", 1, 0.6)
    assert consistent([sure, unsure, doubted]) == [sure]
    assert consistent([unsure, doubted]) == [unsure]
    assert consistent([doubted]) == []
    assert consistent([]) == []
