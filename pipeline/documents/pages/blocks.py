"""Blocks of bytes between two processes, each behind its length."""

import struct
from typing import IO

_HEAD = struct.Struct(">Q")


def read_block(stream: IO[bytes], most: int) -> bytes | None:
    """The next block of bytes, or None where the stream ends before it does, or it has more than `most` bytes."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    (size,) = _HEAD.unpack(head)
    data = stream.read(size) if size <= most else b""
    return data if len(data) == size else None


def write_block(stream: IO[bytes], data: bytes) -> None:
    """Writes a block of bytes that `read_block` reads."""
    stream.write(_HEAD.pack(len(data)) + data)
    stream.flush()
