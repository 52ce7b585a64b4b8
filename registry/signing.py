"""What is signed of a release, and with which key: canonical JSON and Ed25519. Pure: reads no file and no database.

The form is that of RFC 8785 (JSON Canonicalization Scheme) without its numbers: whole ones only.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.errors import InternalError, PolicyError
from pipeline.nesting import json_of
from pipeline.types import AdapterManifest, GateReport, Release, SignedStatement

STATEMENT = "sealed/release/1"
_WHOLE = 2**53  # beyond it a reader of JSON may round a number


@dataclass(frozen=True)
class KeyRing:
    """The public keys whose signatures count, by their ids, and the private key of whoever decides here, if any.

    `decisions`: further keys, which count for what people decide in MLflow, and for no release.
    """

    trusted: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    own: Ed25519PrivateKey | None = field(default=None, repr=False)
    decisions: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)

    @property
    def over_decisions(self) -> "KeyRing":
        """The ring that counts for what people decide in MLflow: who may sign releases could decide there as well."""
        return KeyRing(trusted={**self.trusted, **self.decisions}, own=self.own)

    def expect_own(self) -> Ed25519PrivateKey:
        """The key to sign with. Raises PolicyError where there is none, or where nobody would trust it."""
        if self.own is None:
            raise PolicyError(
                "an approval is signed, and there is no signing key here. Make one with `sealed keys new`, or name "
                "yours with SEALED_SIGNING_KEY."
            )
        if (named := key_id(self.own.public_key())) not in self.trusted:
            raise PolicyError(
                f"the signing key {named[:16]} is not trusted in this workspace. Let whoever keeps its trusted keys "
                "run `sealed keys trust FILE` with its public key."
            )
        return self.own


def canonical(value: object) -> bytes:
    """The one JSON text of `value`, in UTF-8: keys sorted by UTF-16 units, no blanks. Raises InternalError for floats
    and whatever else has no such text.
    """
    try:
        return json.dumps(_ordered(value), separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InternalError(f"half a character cannot be signed ({error.reason}). Please report it.") from error


def _ordered(value: object) -> object:
    if value is None or isinstance(value, (str, bool)) or (isinstance(value, int) and abs(value) < _WHOLE):
        return value
    if isinstance(value, (list, tuple)):
        return [_ordered(one) for one in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _ordered(value[key]) for key in sorted(value, key=_units)}
    raise InternalError(f"a {type(value).__name__} cannot be signed: it has no one text. Please report it.")


def _units(key: str) -> bytes:
    """What RFC 8785 sorts a key by."""
    return key.encode("utf-16-be", "surrogatepass")


def key_id(key: Ed25519PublicKey) -> str:
    """A key by content: SHA-256 (64 hex digits) of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def sign(data: bytes, key: Ed25519PrivateKey) -> str:
    """The signature of `data` in base64."""
    return base64.b64encode(key.sign(data)).decode()


def against_signature(data: bytes, signature: str, key: str, keys: KeyRing) -> str | None:
    """Why `signature` of the key with id `key` does not hold for `data`, or None."""
    public = keys.trusted.get(key)
    if public is None:
        return f"it is signed by the key {key[:16] or '(none)'}, which is not trusted here"
    try:
        public.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, ValueError):
        return f"the signature by the key {key[:16]} is not over these bytes"
    return None


def statement_of(
    release: Release, manifest: AdapterManifest, *, parent: Release, report: GateReport, approvers: int
) -> str:
    """What an approval signs: every digest that the release stands on, and how many people must sign it.

    `parent`: the release that production was; `report`: what the gates said of `release`. Canonical JSON.
    """
    files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in manifest.files]
    statement = {
        "kind": STATEMENT,
        "release": release.number,
        "manifest": manifest.digest,
        "files": files,
        "base": manifest.base,
        "tokenizer": manifest.tokenizer,
        "chat_template": manifest.chat_template,
        "parent": parent.manifest,
        "update": manifest.update,
        "recipe": manifest.recipe,
        "policy": report.policy,
        "report": report.digest,
        "ledger": manifest.ledger,
        "approvers": approvers,
    }
    return canonical(statement).decode()


def signed_statement(text: str, key: Ed25519PrivateKey) -> SignedStatement:
    """The statement with the signature of `key`."""
    return SignedStatement(text=text, key=key_id(key.public_key()), signature=sign(text.encode(), key))


def approvers_of(signed: SignedStatement) -> int:
    """How many people must sign, as the statement says; a text that says nothing of it asks for more than there are."""
    try:
        said = json_of(signed.text)["approvers"]
    except (ValueError, KeyError, TypeError):
        return _WHOLE
    return said if type(said) is int and said > 0 else _WHOLE


def against_statement(text: str, signed: SignedStatement, keys: KeyRing) -> str | None:
    """Why `signed` does not vouch for the release whose statement now is `text`, or None."""
    if signed.text != text:
        return f"what was signed differs from what is here in {_differing(signed.text, text)}"
    return against_signature(signed.text.encode(), signed.signature, signed.key, keys)


def _differing(signed: str, found: str) -> str:
    try:
        before, after = json_of(signed), json_of(found)
        return ", ".join(sorted(key for key in {*before, *after} if before.get(key) != after.get(key)))
    except (ValueError, TypeError, AttributeError):
        return "its form"
