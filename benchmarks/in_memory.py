"""Where benchmarks that write many small files put them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_memory(prefix: str) -> Iterator[Path]:
    """A temporary folder, in memory where the system has a place for that."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix=prefix, dir=shared if shared.is_dir() else None) as name:
        yield Path(name)
