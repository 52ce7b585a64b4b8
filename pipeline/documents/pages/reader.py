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
from typing import BinaryIO, Literal

from pipeline.documents.pages.blocks import read_block, write_block
from pipeline.errors import BadDocument

Format = Literal["html", "pdf"]
_MODULE = "pipeline.documents.pages.child"
_PATIENCE = 10.0  # as many times its computing time may a page take on a busy machine, and as many seconds to start


def read_page(data: bytes, format_: Format, seconds: float, most_characters: int) -> tuple[str, str]:
    """The title and the text of a page. `seconds`: computing time that it may take. Raises BadDocument."""
    request = {"format": format_, "seconds": seconds, "most_characters": most_characters}
    answer = _reader(os.getpid()).ask(json.dumps(request).encode(), data, _PATIENCE * (1 + seconds))
    if answer is None:
        raise BadDocument(
            f"too slow or too large in memory: it was not read within {seconds:g} seconds "
            "(advanced.documents.seconds_per_mb in the recipe)"
        )
    if refused := answer.get("refused"):
        raise BadDocument(refused)
    return answer["title"], answer["body"]


class _Reader:
    """The other process, of which one page at a time is asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        atexit.register(self._end)

    def ask(self, request: bytes, data: bytes, patience: float) -> dict[str, str] | None:
        """Its answer, or None where it died or took longer than `patience` seconds; the next is asked of a new one."""
        with self._turn:
            process = self._started()
            watch = threading.Timer(patience, process.kill)
            watch.start()
            try:
                answer = _exchange(process, request, data)
            finally:
                watch.cancel()
            if answer is None:
                self._end()
        return None if answer is None else json.loads(answer)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            # Nothing of our environment, which may hold secrets, but where the code is.
            environment = {"PYTHONPATH": _code(), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
            pipe = subprocess.PIPE
            command = [sys.executable, "-P", "-m", _MODULE]
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, close_fds=True
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _code() -> str:
    """Where the code is, and not the current folder, which an empty entry means: its files are nobody's code."""
    return os.pathsep.join(filter(None, sys.path))


def _exchange(process: subprocess.Popen[bytes], request: bytes, data: bytes) -> bytes | None:
    source, sink = process.stdout, process.stdin
    if source is None or sink is None:
        return None
    try:
        _send(sink, request, data)
    except BrokenPipeError:
        return None
    return read_block(source)  # type: ignore[arg-type]


def _send(sink: "BinaryIO | object", *blocks: bytes) -> None:
    for block in blocks:
        write_block(sink, block)  # type: ignore[arg-type]


@cache
def _reader(process: int) -> _Reader:
    """The reader of this process: a fork must not share its parent's."""
    return _Reader()
