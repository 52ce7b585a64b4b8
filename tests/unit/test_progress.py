"""Reports reach the watcher under the step's name, in the whole step's units; without a watcher they go nowhere."""

from pipeline import progress


def test_reports_reach_the_watcher_under_the_name_of_their_step() -> None:
    heard: list[tuple[str, int, int]] = []
    with progress.watched_by(lambda *said: heard.append(said)):
        progress.report(1, 2)
        with progress.step("training"):
            progress.report(1, 4)
    assert heard == [("training", 1, 4)]


def test_a_part_reports_in_the_units_of_the_whole_step() -> None:
    heard: list[tuple[str, int, int]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.step("writing"):
        with progress.part(2, 4, 10):
            progress.report(1, 2)
            progress.report(0, 0)
            with progress.part(1, 1, 2):
                progress.report(3, 3)
        progress.report(10, 10)
    assert heard == [("writing", 4, 10), ("writing", 2, 10), ("writing", 6, 10), ("writing", 10, 10)]


def test_a_step_within_a_step_has_its_own_name_and_units() -> None:
    heard: list[tuple[str, int, int]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.step("outer"), progress.part(0, 1, 2):
        with progress.step("inner"):
            progress.report(1, 3)
        progress.report(1, 1)
    assert heard == [("inner", 1, 3), ("outer", 1, 2)]


def test_titles_stand_before_the_names_of_steps_and_quiet_work_is_not_reported() -> None:
    heard: list[tuple[str, int, int]] = []
    with progress.watched_by(lambda *said: heard.append(said)), progress.titled("round 2"), progress.step("writing"):
        with progress.quiet():
            progress.report(1, 9)
        progress.report(1, 2)
    assert heard == [("round 2: writing", 1, 2)]


def test_without_a_watcher_nothing_happens() -> None:
    with progress.step("training"), progress.part(0, 1, 2):
        progress.report(1, 1)
