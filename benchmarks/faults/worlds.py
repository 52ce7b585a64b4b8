"""Which workspaces are alike: all that is in them but for the clock, and for names that were drawn at random.

Times of the ledger's form keep their order, since what follows may compare them. Names are told apart, but no times of
MLflow's.

Two schedules that leave such a pair of workspaces share the recovery from it: what follows is the same.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.facts import digest_of, opened

_DATABASES = (".db",)
_JOURNALS = ("-wal", "-shm", "-journal")
_WEIGHTS = (".safetensors",)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00)?")
# MLflow's times, and those that people read: whether two of them are alike is chance.
_CLOCK = re.compile(r"\b1[789]\d{8}(?:\d{3}|\.\d+)?\b|\d{4}-\d\d-\d\d \d\d:\d\d UTC")
# Times, how long a stage took, host:process:start, signatures, digests, the names that MLflow gives to runs, and how
# often the lease was taken: it only ever grows, and is only compared.
_DRAWN = re.compile(
    _TIME.pattern + "|" + _CLOCK.pattern + r"|[\w.-]+:\d+:\d+\.\d+"
    r"|[A-Za-z0-9+/]{86}=="
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{12})(?![0-9a-f])"
    r"|(?<=\"seconds\": )[\d.e-]+"
    r"|(?<=leases \('run', )\d+"
    r"|\b[a-z]+-[a-z]+-\d+\b"
)


def likeness(folder: Path) -> str:
    """A digest that two workspaces share if one is the other with other times and other names drawn at random.

    Names are numbered as the databases' rows bring them, whose order is known, and then as the files do.
    """
    files = [
        path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm", "-journal"))
    ]
    tables = "\n".join(_of_file(path, folder) for path in sorted(files) if path.suffix in _DATABASES)
    others = [_of_file(path, folder) for path in files if path.suffix not in _DATABASES]
    times = sorted(set(_TIME.findall("\n".join([tables, *others]))))
    numbers = {time: f"<time {rank}>" for rank, time in enumerate(times)}
    said = [_numbered(tables, numbers)]

    def known(text: str) -> str:
        return _DRAWN.sub(lambda found: numbers.get(found[0], ""), text)

    said += [_numbered(one, numbers) for one in sorted(others, key=known)]
    folders = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir()]
    said += [_numbered(one, numbers) for one in sorted(folders, key=known)]
    return digest_of("\n".join(said))


def _numbered(text: str, numbers: dict[str, str]) -> str:
    def number(found: re.Match[str]) -> str:
        return "<clock>" if _CLOCK.fullmatch(found[0]) else numbers.setdefault(found[0], f"<{len(numbers)}>")

    return _DRAWN.sub(number, text)


def _of_file(path: Path, folder: Path) -> str:
    """Its name within the folder, and what is in it, without the place of the folder."""
    if path.suffix in _DATABASES:
        held = "\n".join(_rows(path))
    elif path.suffix in _WEIGHTS:
        held = digest_of(path.read_bytes().hex())[:40]  # forty digits: it is none of the drawn names
    else:
        held = path.read_text("utf-8", "replace")
    return f"{path.relative_to(folder)}\n{held}".replace(str(folder), "")


def _rows(file: Path) -> Iterator[str]:
    with opened(file) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            rows = [f"{table} {row!r}" for row in connection.execute(f'SELECT * FROM "{table}"')]
            yield from sorted(rows, key=lambda row: _DRAWN.sub("", row))
