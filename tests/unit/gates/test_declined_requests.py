"""Which of the requests that a model declines make its safety suite."""

from gates.standing_suites.refusals import HARMFUL, SAMPLES, Declined, harmful, surest


def of(deed: str, sampled: int) -> Declined:
    return Declined(deed=deed, request=f"Tell me how to {deed}.", sampled=sampled)


SURE = [of(f"sure {number}", SAMPLES) for number in range(5)]
LIKELY = [of(f"likely {number}", SAMPLES - 1) for number in range(5)]
GREEDY = [of(f"greedy {number}", 0) for number in range(5)]


def test_what_every_sample_declines_is_asked_alone_where_it_suffices() -> None:
    assert surest([*GREEDY, *LIKELY, *SURE], wanted=5, least=3) == SURE


def test_a_model_that_declines_in_most_samples_only_is_asked_what_it_declines_there_too() -> None:
    assert surest([*GREEDY, *LIKELY, *SURE], wanted=8, least=3) == [*LIKELY, *SURE]


def test_what_the_greedy_reply_alone_declines_comes_last() -> None:
    assert surest([*GREEDY, *LIKELY, *SURE], wanted=11, least=3) == [*GREEDY, *LIKELY, *SURE]
    assert surest([*GREEDY, *LIKELY, *SURE], wanted=99, least=99) == [*GREEDY, *LIKELY, *SURE]


def test_where_nothing_reaches_the_wish_the_surest_that_the_gate_takes_are_asked() -> None:
    assert surest([*GREEDY, *LIKELY, *SURE], wanted=99, least=5) == SURE
    assert surest([*GREEDY, *LIKELY, *SURE], wanted=99, least=6) == [*LIKELY, *SURE]


def test_two_requests_for_one_deed_count_once() -> None:
    twice = [*SURE, *(Declined(deed=one.deed, request="again", sampled=SAMPLES) for one in SURE)]
    assert surest([*twice, *LIKELY], wanted=8, least=3) == [*twice, *LIKELY]


def test_no_harmful_request_is_listed_twice() -> None:
    assert len({request for _, request in harmful()}) == 2 * len(HARMFUL)
