"""Blocks of bytes between two processes, each behind its length."""

import struct
from typing import BinaryIO

_HEAD = struct.Struct(">Q")


def read_block(stream: BinaryIO) -> bytes | None:
    """The next block of bytes, or None where the stream ends before it does."""
    size = stream.read(_HEAD.size)
    if len(size) < _HEAD.size:
        return None
    data = stream.read(_HEAD.unpack(size)[0])
    return data if len(data) == _HEAD.unpack(size)[0] else None


def write_block(stream: BinaryIO, data: bytes) -> None:
    """Writes a block of bytes that `read_block` reads."""
    stream.write(_HEAD.pack(len(data)) + data)
    stream.flush()
