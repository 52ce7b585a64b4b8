"""Has pages read by a process of limited powers, which is started at the first page and kept for the next.

Untrusted HTML and PDF meet no library in this process. What the other one cannot bear is refused.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from functools import cache
from tempfile import TemporaryFile
from typing import Literal

from pipeline.documents.pages.blocks import read_block, write_block
from pipeline.errors import BadDocument, ExternalError

Format = Literal["html", "pdf"]
_MODULE = "pipeline.documents.pages.child"
_NO_PAGE = "it cannot be read: what came of it is no title and no text"
_PATIENCE = 10.0  # as many times its computing time may a page take on a busy machine, and as many seconds beside
_TO_START = 60.0  # seconds
_PER_CHARACTER, _AROUND = 24, 4_096  # bytes of an answer: JSON takes 12 for a character, and a page may gain as many


def read_page(data: bytes, format_: Format, seconds: float, most_characters: int) -> tuple[str, str]:
    """The title and the text of a page. `seconds`: computing time that it may take.

    Raises BadDocument, and ExternalError where no page can be read here.
    """
    request = {"format": format_, "seconds": seconds, "most_characters": most_characters}
    most = _AROUND + _PER_CHARACTER * most_characters
    answer = _reader(os.getpid()).ask(json.dumps(request).encode(), data, _PATIENCE * (1 + seconds), most)
    if answer is None:
        raise BadDocument(
            f"too slow or too large in memory: it was not read within {seconds:g} seconds "
            "(advanced.documents.seconds_per_mb in the recipe)"
        )
    return _page(answer)


def _page(answer: bytes) -> tuple[str, str]:
    """What the other process answered, which a page may have taken over: nothing of its form is taken for granted."""
    try:
        match json.loads(answer):
            case {"refused": str(reason)}:
                raise BadDocument(reason)
            case {"title": str(title), "body": str(body)}:
                return title, body
    except (ValueError, RecursionError) as error:
        raise BadDocument(_NO_PAGE) from error
    raise BadDocument(_NO_PAGE)


class _Reader:
    """The other process, of which one page at a time is asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        atexit.register(self._end)

    def ask(self, request: bytes, data: bytes, patience: float, most: int) -> bytes | None:
        """Its answer, or None where it died, took longer than `patience` seconds or said more than `most` bytes.

        After that, the next page is asked of a new process.
        """
        with self._turn:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._process = _started()
            answer = _exchange(self._process, patience, most, request, data)
            if answer is None:
                self._end()
        return answer

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _started() -> subprocess.Popen[bytes]:
    """A process that has said that it is ready. Raises ExternalError."""
    # Nothing of our environment, which may hold secrets, but where the code is.
    environment = {"PYTHONPATH": _code(), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    command, pipe = [sys.executable, "-P", "-m", _MODULE], subprocess.PIPE
    with TemporaryFile() as said:
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, env=environment)
        except OSError as error:
            raise _cannot_start(str(error)) from error
        if _exchange(process, _TO_START, 0) is None:
            process.kill()
            process.communicate()
            said.seek(0)
            raise _cannot_start(said.read().decode(errors="replace"))
    return process


def _cannot_start(said: str) -> ExternalError:
    last = said.strip().rpartition("\n")[2] or f"it said nothing within {_TO_START:g} seconds"
    return ExternalError(
        f"the process that reads HTML and PDF does not start: {last.rstrip('.')}. No document was refused for it. "
        "Install sealed's requirements anew, or free memory, and begin again."
    )


def _code() -> str:
    """Where the code is, and not the current folder, which an empty entry means: its files are nobody's code."""
    return os.pathsep.join(filter(None, sys.path))


def _exchange(process: subprocess.Popen[bytes], seconds: float, most: int, *blocks: bytes) -> bytes | None:
    """The block of at most `most` bytes that it answers these with, or None where it dies or `seconds` have passed."""
    source, sink = process.stdout, process.stdin
    if source is None or sink is None:
        return None
    watch = threading.Timer(seconds, process.kill)
    watch.start()
    try:
        for block in blocks:
            write_block(sink, block)
        return read_block(source, most)
    except BrokenPipeError:
        return None
    finally:
        watch.cancel()


@cache
def _reader(process: int) -> _Reader:
    """The reader of this process: a fork must not share its parent's."""
    return _Reader()
