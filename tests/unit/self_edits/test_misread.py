"""What a writer reads into a correction is told from what the correction says."""

from pipeline.self_edits.misread import Agreed, holding, misread


def agreed(before: str, written: int, agreeing: float = 1.0) -> Agreed:
    return Agreed(example=f"{before} {written}", agreeing=agreeing, before=before, written=written)


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


def test_most_samples_must_agree_or_else_there_must_be_hardly_a_doubt() -> None:
    sure, unsure, doubted = agreed("a", 1, 0.9), agreed("b", 1, 0.8), agreed("c", 1, 0.6)
    assert holding([sure, unsure, doubted]) == [sure]
    assert holding([unsure, doubted]) == [unsure]
    assert holding([doubted]) == []
    assert holding([]) == []
