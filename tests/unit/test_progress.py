"""Reports reach the watcher under the step's name, in the whole step's units; without a watcher they go nowhere."""

import pytest

from pipeline import progress


def test_reports_reach_the_watcher_under_the_name_of_their_step() -> None:
    heard: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: heard.append(said)):
        progress.report(1, 2)
        with progress.step("training"):
            progress.report(1, 4)
            assert heard == [("training", 0, 1), ("training", 1, 4)]
    assert heard[2:] == [("training", 4, 4)]


def test_a_step_is_told_when_it_begins_and_when_it_ends_also_where_its_work_reports_nothing() -> None:
    heard: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.step("registering"):
        assert heard == [("registering", 0, 1)]
    assert heard == [("registering", 0, 1), ("registering", 1, 1)]


def test_a_step_that_fails_is_not_told_as_done() -> None:
    heard: list[tuple[str, float, float]] = []

    def fail() -> None:
        with progress.step("writing"), progress.part(0, 1, 1):
            progress.report(1, 2)
            raise ValueError("broken")

    with progress.watched_by(lambda *said: heard.append(said)), pytest.raises(ValueError, match="broken"):
        fail()
    assert heard[-1] == ("writing", 0.5, 1)


def test_a_part_reports_in_the_units_of_the_whole_step() -> None:
    heard: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.step("writing"), progress.part(2, 4, 10):
        progress.report(1, 2)
        progress.report(0, 0)
        with progress.part(1, 1, 2):
            progress.report(3, 3)
    assert [(done, total) for _, done, total in heard] == [
        (0, 1),
        (4, 10),
        (2, 10),
        (6, 10),
        (6, 10),
        (6, 10),
        (10, 10),
    ]


def test_a_unit_may_be_done_in_part() -> None:
    heard: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.step("writing"), progress.part(0, 1, 2):
        progress.report(1, 4)
        assert heard[-1] == ("writing", 0.25, 2)


def test_a_step_within_a_step_has_its_own_name_and_units() -> None:
    heard: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.step("outer"), progress.part(0, 1, 2):
        with progress.step("inner"):
            progress.report(1, 3)
        progress.report(1, 1)
    assert [one for one in heard if one[1]] == [
        ("inner", 1, 3),
        ("inner", 3, 3),
        ("outer", 1, 2),
        ("outer", 1, 2),
        ("outer", 2, 2),
    ]


def test_titles_stand_before_the_names_of_steps_and_quiet_work_is_not_reported() -> None:
    heard: list[tuple[str, float, float]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.titled("round 2"), progress.step("writing"):
        with progress.quiet():
            progress.report(1, 9)
            with progress.step("teacher"):
                progress.report(1, 9)
        progress.report(1, 2)
    assert heard == [("round 2: writing", 0, 1), ("round 2: writing", 1, 2), ("round 2: writing", 2, 2)]


def test_without_a_watcher_nothing_happens() -> None:
    with progress.step("training"), progress.part(0, 1, 2):
        progress.report(1, 1)
