"""One connection of a client, which may not dawdle: its head must come, and what is sent to it must be taken, in time.

uvicorn itself bounds only how long a connection without a request stays open.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# What a process may have open is often 1,024 files: some are left for the ledger, adapters and a server behind it.
MOST_CONNECTIONS = 600
HEAD_SECONDS = 15.0  # from a request's first byte, or the connection's begin, to the end of its headers
HEAD_BYTES = 65_536  # httptools itself has no limit
WRITE_SECONDS = 30.0  # that a client may leave what was sent to it lying


class BoundedConnection(HttpToolsProtocol):
    """Cut off where the head of a request is late or too long, and where the client does not read."""

    _head: asyncio.TimerHandle | None = None
    _write: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        self._have_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._have_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():  # it closes once all was taken, so that a client could hold it for ever
            self._expect_reader()

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort()  # closing would wait for a client who does not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        self._have_reader()
        super().resume_writing()

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _have_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _expect_reader(self) -> None:
        self._write = self._write or self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def _have_reader(self) -> None:
        if self._write is not None:
            self._write.cancel()
            self._write = None
