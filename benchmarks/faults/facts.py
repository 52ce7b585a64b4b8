"""What a workspace's databases, files and gateway log say, read without any of sealed's own code."""

import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from psycopg.rows import dict_row
from safetensors import SafetensorError
from safetensors.numpy import load_file

Row = dict[str, Any]
_TABLES = (
    "releases",
    "runs",
    "run_documents",
    "documents",
    "deployments",
    "approvals",
    "history",
    "reports",
    "updates",
)
_ORDER = {"deployments": "epoch", "approvals": "id", "history": "id", "releases": "number", "runs": "number"}
_JSON = ("body", "statement")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the invariants are about.

    `manifests`: the digest of the manifest of each adapter folder whose files are those that it lists, by the folder's
    name. `tensors`: a digest of the weights in each. `versions`, `aliases`, `epoch`: what MLflow shows; None: it was
    not asked. `served`: what gateways said that they loaded, oldest first. `left`: unfinished files.
    """

    tables: Mapping[str, list[Row]]
    keys: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    manifests: Mapping[str, str] | None = None
    tensors: Mapping[str, str] = field(default_factory=dict)
    versions: list[Row] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    epoch: str = ""
    served: tuple[Row, ...] = ()
    left: tuple[str, ...] = ()


def of_workspace(folder: Path) -> Facts:
    """The facts of a workspace whose databases are SQLite files of its own."""
    adapters = sorted(path for path in (folder / "adapters").iterdir() if path.is_dir() and path.name[0] != ".")
    found = {path.name: _manifest(path) for path in adapters}
    log = folder / "gateway.jsonl"
    return Facts(
        tables=read_sqlite(folder / "ledger.db"),
        keys=public_keys(folder),
        manifests={name: digest for name, digest in found.items() if digest},
        tensors={path.name: _tensors(path / "adapter_model.safetensors") for path in adapters},
        served=tuple(map(json.loads, log.read_text("utf-8").splitlines())) if log.exists() else (),
        left=tuple(str(path) for path in sorted(folder.rglob("*partial*"))),
        **_mlflow(folder / "mlflow.db"),
    )


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a SQLite file and its journals: a transaction that was broken off is undone in the copy alone."""
    with tempfile.TemporaryDirectory() as name:
        for path in file.resolve().parent.glob(f"{file.resolve().name}*"):
            shutil.copy(path, name)
        with closing(sqlite3.connect(Path(name) / file.resolve().name)) as connection:
            yield connection


def read_sqlite(file: Path) -> dict[str, list[Row]]:
    """The ledger's tables out of a SQLite file that somebody may have been killed over."""
    with opened(file) as connection:
        return read_tables(connection)


def read_tables(connection: sqlite3.Connection) -> dict[str, list[Row]]:
    """The ledger's tables, by their names."""
    connection.row_factory = sqlite3.Row
    return {name: [_row(dict(found)) for found in connection.execute(_query(name)).fetchall()] for name in _TABLES}


def read_postgres(address: str) -> dict[str, list[Row]]:
    """The ledger's tables out of a Postgres database; `address` as libpq reads it."""
    with psycopg.connect(address, row_factory=dict_row) as connection:
        return {
            name: [_row(found) for found in connection.execute(_query(name).encode()).fetchall()] for name in _TABLES
        }


def public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """The keys that a workspace trusts, by the SHA-256 of their bytes."""
    keys = [load_pem_public_key(path.read_bytes()) for path in sorted((folder / "keys" / "trusted").glob("*.pem"))]
    return {
        hashlib.sha256(key.public_bytes_raw()).hexdigest(): key for key in keys if isinstance(key, Ed25519PublicKey)
    }


def digest_of(*parts: object) -> str:
    """SHA-256 of the JSON of `parts` with sorted keys and no blanks."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def tensors_digest(named: Mapping[str, Any]) -> str:
    """A digest of arrays by their names."""
    whole = hashlib.sha256()
    for name in sorted(named):
        whole.update(name.encode() + named[name].tobytes())
    return whole.hexdigest()


def _query(table: str) -> str:
    order = _ORDER.get(table)
    return f"SELECT * FROM {table}" + (f" ORDER BY {order}" if order else "")


def _row(found: Row) -> Row:
    """Times as aware datetimes, JSON as values, truths as bools: alike on both databases."""
    for name, value in found.items():
        if name in _JSON and isinstance(value, str) and "title" not in found:
            found[name] = json.loads(value)
        elif name in ("at", "created", "started", "added") and isinstance(value, str):
            found[name] = datetime.fromisoformat(value).replace(tzinfo=UTC)
        elif name in ("at", "created", "started", "added") and value is not None:
            found[name] = value.astimezone(UTC)
        elif name == "approved":
            found[name] = bool(value)
    return found


def _manifest(folder: Path) -> str | None:
    """The digest of a folder's manifest if its files are those that it lists, else None."""
    try:
        said = json.loads((folder / "sealed-manifest.json").read_text("utf-8"))
        for file in said["files"]:
            if hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() != file["sha256"]:
                return None
        files = [[file["name"], file["size"], file["sha256"]] for file in said["files"]]
        rest = (
            *("rank", "alpha", "target_modules", "parameters", "update", "recipe", "ledger", "parent_adapter"),
            *("thinking", "unadapted"),
        )
        base = (said["base"], said["tokenizer"], said["chat_template"], files)
        return digest_of("manifest", *base, *(said[name] for name in rest))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tensors(file: Path) -> str:
    try:
        return tensors_digest(load_file(file))
    except (OSError, SafetensorError):
        return ""


def _mlflow(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    with opened(file) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not {"model_versions", "model_version_tags", "registered_model_aliases"} <= there:
            return {"versions": []}
        found = connection.execute("SELECT version, current_stage FROM model_versions ORDER BY version").fetchall()
        tags: dict[str, dict[str, str]] = {}
        for version, key, value in connection.execute("SELECT version, key, value FROM model_version_tags"):
            tags.setdefault(str(version), {})[re.sub(r"\W", "_", key)] = value
        aliases = connection.execute("SELECT alias, version FROM registered_model_aliases").fetchall()
        epoch = connection.execute("SELECT value FROM registered_model_tags WHERE key = 'sealed.epoch'").fetchone()
    kept = [str(version) for version, stage in found if stage != "Deleted_Internal"]
    return {
        "versions": [{"version": version, **tags.get(version, {})} for version in kept],
        "aliases": {alias: str(version) for alias, version in aliases},
        "epoch": epoch[0] if epoch else "",
    }
