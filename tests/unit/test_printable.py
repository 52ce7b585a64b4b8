"""What others wrote acts on no terminal and forges no line of a log, wherever it is shown."""

import io
import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli import screen
from pipeline.printable import PrintableFormatter, printable, printable_json, printable_line

ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")
ESCAPES = [
    "\x1b[2J\x1b[31mall gates passed\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\",
    "\x9b31mred",
    "seen\rAPPROVED",
    "exe\u202egnp.txt",
    "half \ud83d of one",
    "back\x08\x08\x08ward",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_what_acts_is_spelled_out(text: str) -> None:
    for shown in (printable(text), printable_line(text)):
        assert not ACTS.search(shown)
        shown.encode("utf-8")


@pytest.mark.parametrize(
    "text", ["Zoë, 東京, العربية, 👩\u200d👩\u200d👧, a\u00adb", "two\nlines\tand a tab", "C:\\x1b"]
)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_a_name_begins_no_line_of_its_own() -> None:
    assert printable_line("a.md\nERROR all is lost") == "a.md\\nERROR all is lost"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_json_says_the_same(text: str) -> None:
    shown = printable_json(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(shown) == {"name": text}
    assert not ACTS.search(shown)


@pytest.mark.parametrize("text", ESCAPES)
def test_no_output_of_the_command_line_acts(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen.say(text)
    screen.table(text, ("name",), [(text,), (None,), (3,)])
    screen.as_json({"name": text.encode("utf-8", "replace").decode("utf-8")})
    screen.complain(text)
    said = capsys.readouterr()
    assert not ACTS.search((said.out + said.err).replace("\n", ""))
    assert len(said.out.splitlines()) > 5


def test_no_message_of_a_log_acts_or_forges_a_line() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("shown")
    log.addHandler(handler)
    log.warning("refused %s", "a\x1b[2J.md\nCRITICAL forged")
    try:
        raise ValueError("\x1b[31m")
    except ValueError:
        log.exception("failed")
    assert not ACTS.search(stream.getvalue())
    assert "\nCRITICAL" not in stream.getvalue()
    assert "Traceback" in stream.getvalue()


def test_the_command_line_and_the_gateway_log_by_it() -> None:
    screen.log_to_terminal()
    assert logging.lastResort is not None
    assert isinstance(logging.lastResort.formatter, PrintableFormatter)
    logging.lastResort.setFormatter(None)
