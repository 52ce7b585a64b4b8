"""What a writer reads into a correction is told from what the correction says."""

from pipeline.self_edits.consistency import Agreed, contested, holding, misread


def agreed(before: str, written: int, agreeing: float = 1.0, suits: float = 0.0) -> Agreed:
    return Agreed(example=f"{before} {written}", agreeing=agreeing, before=before, written=written, suits=suits)


def test_a_known_fact_that_is_rarely_given_the_new_answer_was_misread() -> None:
    owner, place = agreed("heron", 9), agreed("oslo", 5)
    assert misread([owner, place], "wolf", {"heron", "oslo"}) == {place.example}


def test_the_fact_is_chosen_before_the_doubt_is_weighed() -> None:
    """Else one misread note in which the samples agree would drop the right ones, in which a few do not."""
    owner, place = agreed("heron", 60, agreeing=0.8), agreed("oslo", 1)
    assert misread([owner, place], "wolf", {"heron", "oslo"}) == {place.example}


def test_what_was_guessed_before_tells_no_facts_apart() -> None:
    guesses = [agreed(f"a guess {number}", 3 - number) for number in range(3)]
    assert misread(guesses, "wolf", frozenset()) == frozenset()


def test_two_facts_that_are_written_of_about_as_often_may_both_have_the_new_answer() -> None:
    assert misread([agreed("heron", 9), agreed("lynx", 7)], "wolf", {"heron", "lynx"}) == frozenset()


def test_what_was_answered_so_before_is_no_other_fact() -> None:
    assert misread([agreed("heron", 9), agreed("wolf", 1)], "wolf", {"heron", "wolf"}) == frozenset()


def test_a_fact_of_another_kind_was_misread_however_often_it_is_written_of() -> None:
    """A customer is no database: where every other subject's is, this answer is never expected."""
    customer, store = agreed("duff", 5, suits=-3.0), agreed("postgres", 9, suits=-10.6)
    assert misread([customer, store], "wolf", {"duff", "postgres"}) == {store.example}


def test_facts_of_one_kind_are_told_apart_by_how_often_they_are_written_of_alone() -> None:
    year, other_year = agreed("2021", 9, suits=-5.2), agreed("2004", 7, suits=-2.7)
    assert misread([year, other_year], "2023", {"2021", "2004"}) == frozenset()


def test_a_guess_that_the_answer_suits_drops_no_known_fact_unless_most_notes_are_about_it() -> None:
    known, guessed = agreed("duff", 5, suits=-9.0), agreed("a guess", 1, suits=-1.0)
    assert misread([known, guessed], "wolf", {"duff"}) == frozenset()
    assert misread([known, agreed("a guess", 6, suits=-1.0)], "wolf", {"duff"}) == {known.example}


def test_an_answer_is_contested_where_two_facts_might_have_it_and_one_was_known() -> None:
    owner, place = agreed("heron", 9), agreed("oslo", 5)
    assert contested([owner, place], "wolf", {"oslo"}) == [owner, place]
    assert contested([owner, place], "wolf", frozenset()) == []
    assert contested([owner], "wolf", {"heron"}) == []
    assert contested([owner, agreed("wolf", 3)], "wolf", {"heron"}) == []


def test_what_is_doubted_and_rare_guesses_take_no_part_in_a_contest() -> None:
    owner, place = agreed("heron", 9), agreed("oslo", 5)
    beside = [agreed("a guess", 1), agreed("oslo", 9, agreeing=0.5)]
    assert contested([owner, place, *beside], "wolf", {"heron", "oslo"}) == [owner, place]


def test_most_samples_must_agree_or_else_there_must_be_hardly_a_doubt() -> None:
    sure, unsure, doubted = agreed("a", 1, 0.9), agreed("b", 1, 0.8), agreed("c", 1, 0.6)
    assert holding([sure, unsure, doubted]) == [sure]
    assert holding([unsure, doubted]) == [unsure]
    assert holding([doubted]) == []
    assert holding([]) == []
