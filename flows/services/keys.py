"""The keys of a workspace: made, listed, trusted. Needs no ledger and no model."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Settings
from pipeline.errors import BadInput
from registry import keys
from registry.keys import TrustedKey


@dataclass(frozen=True, kw_only=True)
class MadeKey:
    """A new key pair: its id and two files, and whether its signatures count here."""

    id: str
    private: Path
    public: Path
    trusted: bool


def new_in(private: Path) -> MadeKey:
    """Makes a signing key in a file of that name, which nobody trusts yet. Raises BadInput where it is there."""
    public = keys.new_key(private, None)
    return MadeKey(id=keys.id_of(public), private=private, public=public, trusted=False)


def new(settings: Settings) -> MadeKey:
    """Makes a signing key. A single person's is trusted at once; a team's by whoever keeps its trusted keys.

    Raises BadInput where there is a key already, or where a team's key has no place yet.
    """
    private, trusted = settings.private_key, settings.review == "single"
    if private is None:
        raise BadInput(
            "a team's signing key does not lie in the workspace, where the trainer could read it. Say where it is to "
            "be: SEALED_SIGNING_KEY=/path/of/yours.pem"
        )
    public = keys.new_key(private, settings.trusted_keys if trusted else None)
    return MadeKey(id=keys.id_of(public), private=private, public=public, trusted=trusted)


def listed(settings: Settings) -> tuple[TrustedKey, ...]:
    """The keys whose signatures count, by their ids. Raises BadInput."""
    return keys.listed(settings.private_key, settings.trusted_keys)


def trust(settings: Settings, public: Path, *, only_decisions: bool = False) -> str:
    """Lets the signatures of a public key count: for everything, or for decisions in MLflow alone. Returns its id.

    Raises BadInput unless the file holds one.
    """
    return keys.trust(public, settings.trusted_keys, only_decisions=only_decisions)
