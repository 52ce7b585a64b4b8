"""Progress where nobody looks at a terminal: plain lines, by a clock that the test moves."""

import io
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from flows.cli import screen
from flows.cli.progress_lines import ProgressLines
from pipeline.progress import report, step


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def lines_by(clock: Clock) -> tuple[ProgressLines, list[str]]:
    said: list[str] = []
    return ProgressLines(said.append, clock), said


def test_a_stage_says_when_it_begins_and_when_it_ends() -> None:
    clock = Clock()
    lines, said = lines_by(clock)
    lines.watch("writing self-edits", 0, 8)
    clock.now = 12.0
    lines.watch("writing self-edits", 4, 8)
    clock.now = 20.0
    lines.watch("writing self-edits", 8, 8)
    assert said == ["writing self-edits: begins", "writing self-edits: done, 8/8 in 20 s"]


def test_a_long_stage_says_where_it_is_once_a_minute_and_how_long_it_takes() -> None:
    clock = Clock()
    lines, said = lines_by(clock)
    lines.watch("training the adapter", 0, 100)
    for second in range(1, 181):
        clock.now = float(second)
        lines.watch("training the adapter", second // 6, 100)
    assert said[1:] == [
        "training the adapter: 10/100, about 9 min left",
        "training the adapter: 20/100, about 8 min left",
        "training the adapter: 30/100, about 7 min left",
    ]


def test_also_where_the_stage_itself_reports_nothing() -> None:
    clock = Clock()
    lines, said = lines_by(clock)
    clock.now = 61.0
    lines.beat()
    lines.watch("registering the candidate", 0, 1)
    clock.now = 130.0
    lines.beat()
    lines.beat()
    assert said == ["at work, after starting", "registering the candidate: begins", "registering the candidate: 0/1"]


def test_a_stage_that_comes_again_fills_no_log() -> None:
    lines, said = lines_by(Clock())
    for _ in range(100):
        lines.watch("scoring", 0, 2)
        lines.watch("scoring", 2, 2)
    assert said == ["scoring: begins", "scoring: done, 2/2 in 0 s"]


def report_a_stage(quiet: bool) -> None:
    with screen.progress_shown(quiet), step("writing self-edits"):
        report(0, 1)
        report(1, 1)


@pytest.mark.parametrize(("quiet", "lines"), [(False, 2), (True, 0)])
def test_into_a_pipe_lines_go_to_standard_error_only(
    quiet: bool, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    report_a_stage(quiet)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == lines


def test_on_a_terminal_there_are_bars_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    report_a_stage(quiet=False)
    assert "1/1" in terminal.getvalue()
    assert "left" in terminal.getvalue()
    assert "begins" not in terminal.getvalue()


WORK = """
import sys
from flows.cli import screen
from pipeline.progress import report, step
with screen.progress_shown(), step("training the adapter"):
    report(1, 4)
    sys.stdin.readline()
    report(4, 4)
"""


def test_a_reader_of_the_pipe_has_the_first_line_while_the_work_goes_on() -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as work:
        assert work.stderr
        assert work.stderr.readline() == "training the adapter: begins\n"
        assert work.poll() is None
        _, rest = work.communicate("go on\n", timeout=60)
    assert rest == "training the adapter: done, 4/4 in 0 s\n"
    assert work.returncode == 0


def test_units_that_are_done_in_part_count_for_the_time_left() -> None:
    clock = Clock()
    lines, said = lines_by(clock)
    lines.watch("writing self-edits", 0, 8)
    clock.now = 60.0
    lines.watch("writing self-edits", 0.5, 8)
    assert said[1:] == ["writing self-edits: 0/8, about 15 min left"]


def test_a_slow_first_step_does_not_tell_how_long_the_rest_takes() -> None:
    clock = Clock()
    lines, said = lines_by(clock)
    lines.watch("training the adapter", 0, 100)
    for second, done in ((60, 0.2), (120, 5), (180, 10), (240, 10), (300, 14)):
        clock.now = float(second)
        lines.watch("training the adapter", done, 100)
    assert said[1:] == [
        "training the adapter: 0/100",
        "training the adapter: 5/100, about 20 min left",
        "training the adapter: 10/100, about 18 min left",
        "training the adapter: 10/100",
        "training the adapter: 14/100, about 43 min left",
    ]


def test_a_unit_that_takes_many_minutes_is_reckoned_with_all_of_them() -> None:
    clock = Clock()
    lines, said = lines_by(clock)
    lines.watch("training the adapter", 0, 8)
    for second in range(60, 1_261, 60):
        clock.now = float(second)
        lines.watch("training the adapter", second // 600, 8)
    assert said[1:10] == ["training the adapter: 0/8"] * 9
    assert said[10] == "training the adapter: 1/8, about 70 min left"
    assert said[20] == "training the adapter: 2/8, about 60 min left"
