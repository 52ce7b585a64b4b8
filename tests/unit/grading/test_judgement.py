"""Why a reply does not count, what numbers and dates are equal, and which figures stand beside the grade."""

import pytest

from pipeline.grading import Refusal, exact_match, extract, grade, judge, score, token_f1


@pytest.mark.parametrize(
    ("reply", "accepted", "refusal"),
    [
        ("It was not Newton but Leibniz.", "Newton", Refusal.DENIED),
        ("I am not sure, maybe Paris.", "Paris", Refusal.HEDGED),
        ("Is it Paris?", "Paris", Refusal.ASKED),
        ("If anybody did, Ana did.", "Ana", Refusal.SUPPOSED),
        ("Chen Wei. No, wait: Ana Silva.", "Chen Wei", Refusal.RETRACTED),
        ("New York City Ballet", "New York", Refusal.OTHER_NAME),
        ("80 or 81", "80", Refusal.RIVALS),
        ("It has >80.", "80", Refusal.RIVALS),
        ("80 more than last year", "80", Refusal.RIVALS),
        ("The port was changed from 8080 to 8443.", "8080", Refusal.RIVALS),
        ("Beijing, formerly Peking", "Peking", Refusal.RIVALS),
        ("the deputy director", "director", Refusal.OTHER_NAME),
        ("I have no information on that, but Lisbon is a city.", "Lisbon", Refusal.HEDGED),
        ("It is said to be Paris.", "Paris", Refusal.HEDGED),
        ("There is no indication that it is Paris.", "Paris", Refusal.DENIED),
        ("People confuse it with Paris.", "Paris", Refusal.DENIED),
        ("Lyon", "Paris", None),
    ],
)
def test_a_refusal_has_its_reason(reply: str, accepted: str, refusal: Refusal | None) -> None:
    judged = judge(reply, [accepted])
    assert not judged.right
    assert judged.refusal == refusal
    assert judged.mentioned == (refusal is not None)


def test_a_question_tells_what_a_number_is_about() -> None:
    assert grade("Founded in 1984, it was closed in 1990.", ["1990"], "When was it closed?") == 1.0
    assert judge("Founded in 1984, it was closed in 1990.", ["1984"], "When was it closed?").refusal == Refusal.BESIDE
    assert grade("5", ["5 km"], "How many kilometres is it?") == 1.0
    assert grade("5", ["5 km"], "How long is it?") == 0.0


@pytest.mark.parametrize(
    ("question", "reply", "accepted", "right"),
    [
        ("What is the capital?", "Sydney is the largest city, but it is not the capital.", "Sydney", False),
        ("Which is the largest city?", "Sydney is the largest city, but it is not the capital.", "Sydney", True),
        ("Which planet is largest?", "Saturn is the second largest.", "Saturn", False),
        ("Which planet is second largest?", "Saturn is the second largest.", "Saturn", True),
        ("Who denied that the Earth stands still?", "Galileo denied that it does.", "Galileo", True),
        ("What was it raised from?", "It was raised from 5 to 7.", "5", True),
        ("What is it now?", "It was raised from 5 to 7.", "7", True),
        ("Is it open?", "Yes? No idea.", "yes", False),
        ("What is burnt?", "Coal, which burns well", "coal", True),
        ("What is burnt?", "Wood, instead of coal", "wood", True),
        ("Which animal is fastest?", "The cheetah, a big cat, is fastest.", "cheetah", True),
        ("Who founded it?", "St. Benedict founded it.", "Saint Benedict", True),
        ("¿Quién lo escribió?", "Fue Goethe.", "Goethe", True),
        ("Where do I write?", "Write to help@kestrel.example.", "help@kestrel.example", True),
        ("In which country is Havana?", "Havana is in the Caribbean, specifically in Cuba.", "Cuba", True),
        ("In which country is Havana?", "Havana is in Mexico, not far from Cuba.", "Cuba", False),
        (
            "In which country is Havana?",
            "Havana is in the Caribbean, specifically in Jamaica just off Cuba.",
            "Cuba",
            False,
        ),
        (
            "In which country is Havana?",
            "Havana is in Mexico, more precisely in a bay across from Cuba.",
            "Cuba",
            False,
        ),
        ("In which country is Havana?", "Havana is probably in the Caribbean, specifically in Cuba.", "Cuba", False),
        ("Who wrote Hamlet?", "Hamlet is by Marlowe, specifically at the court of Shakespeare.", "Shakespeare", False),
        (
            "When was Kestrel founded?",
            "Kestrel was founded in 1984, specifically two years before the fire of 1986.",
            "1986",
            False,
        ),
        ("Who founded Kestrel?", "Kestrel was founded by Ana, specifically with money of Ben Holt.", "Ben Holt", False),
        ("What is the capital of Australia?", "Sydney which is in Australia is not the capital.", "Sydney", False),
        ("Who is the mayor of Oslo?", "Ana is used to be the mayor of Oslo.", "Ana", False),
        ("Who wrote Hamlet?", "Hamlet is by a playwright, namely William Shakespeare.", "William Shakespeare", True),
        ("Wo liegt Havanna?", "Havanna liegt in der Karibik, genauer gesagt in Kuba.", "Kuba", True),
        ("What presses wine?", "A screw press is used to do that.", "screw press", True),
        ("What presses wine?", "A screw press used to do that.", "screw press", False),
        ("Where do I write?", "Write to help@kestrel.example.org.", "help@kestrel.example", False),
        ("How long is it?", "A two-year warranty", "2 years", True),
        ("Who owns it?", "Ana took over from Ben.", "Ben", False),
        ("Which company bought it?", "Google was bought by nobody.", "Google", False),
    ],
)
def test_the_question_tells_what_a_clause_says_of_the_answer(
    question: str, reply: str, accepted: str, right: bool
) -> None:
    assert judge(reply, [accepted], question).right == right


@pytest.mark.parametrize(("one", "other"), [("$5m", "5 million dollars"), ("373.15 K", "100 °C"), ("250k", "250,000")])
def test_letters_behind_a_number_are_read_by_what_stands_before_them(one: str, other: str) -> None:
    assert grade(one, [other]) == 1.0


def test_any_accepted_answer_will_do() -> None:
    assert grade("the Thames", ["River Thames", "Thames"]) == 1.0


@pytest.mark.parametrize("same", ["1,000", "1 000", "one thousand", "1000", "１０００", "1e3", "١٠٠٠"])
def test_numbers_are_compared_by_value(same: str) -> None:
    assert grade(f"There are {same} of them.", ["1000"]) == 1.0
    assert grade("1000", [same]) == 1.0


@pytest.mark.parametrize("same", ["July 4, 1776", "4th of July 1776", "1776-07-04", "4. Juli 1776", "1776年7月4日"])
def test_dates_are_compared_by_value(same: str) -> None:
    assert grade(same, ["4 July 1776"]) == 1.0
    assert grade(same, ["1776"]) == 1.0
    assert grade("1776", [same]) == 0.0


def test_the_extracted_answer_leaves_out_what_repeats_the_question() -> None:
    assert extract("Sure! The capital of France is **Paris**.", "What is the capital of France?") == "Paris"
    assert extract("Paris", "") == "Paris"
    assert extract("", "What?") == ""


def test_the_figures_of_the_field() -> None:
    assert exact_match("The Paris!", "paris") == 1.0
    assert exact_match("", "") == 0.0
    assert token_f1("Denver Broncos team", "Denver Broncos") == pytest.approx(0.8)
    assert token_f1("Paris", "Lyon") == 0.0
    figures = score("The New York City Ballet", ["New York"], "Which city?")
    assert (figures.grade, figures.containment) == (0.0, 1.0)
    assert score("not New York", ["New York"]).containment == 0.0
