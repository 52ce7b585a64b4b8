"""What vouches for a release: signed at its approval, looked up and checked again whenever its adapter is loaded."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from pipeline.actors import skeleton
from pipeline.errors import BadSignature, InternalError, PolicyError
from pipeline.types import AdapterManifest, Approval, Release, ReleaseState, SignedStatement
from registry import signing
from registry.chain import against_row
from registry.signing import KeyRing
from registry.store import journal, releases

_NEVER_RELEASED = frozenset(
    {ReleaseState.REGISTERING, ReleaseState.CANDIDATE, ReleaseState.REJECTED, ReleaseState.STALE, ReleaseState.VOID}
)


def sign_release(
    connection: Connection, release: Release, manifest: AdapterManifest | None, approvers: int, own: Ed25519PrivateKey
) -> SignedStatement:
    """The signed statement over a release and the verified `manifest` of its adapter; `approvers` must sign it."""
    return signing.signed_statement(_statement(connection, release, manifest, approvers), own)


def expect_signed(connection: Connection, release: Release, manifest: AdapterManifest | None, keys: KeyRing) -> None:
    """Checks that as many people as were needed signed exactly this release.

    `manifest`: as it was verified on disk. Raises PolicyError where the release was never production, BadSignature
    where its files, its report or its approvals are not what was signed, or no trusted key signed them.
    """
    if release.state in _NEVER_RELEASED:
        raise PolicyError(
            f"release {release.number} is {release.state} and was never production: only the gates load its adapter. "
            f"What they found: `sealed show {release.number}`."
        )
    signers: set[str] = set()
    needed, objection = 1, "nobody approved it"
    for approval, wrong in _vouching(connection, release, keys):
        if wrong is None and approval.statement is not None:
            needed = signing.approvers_of(approval.statement)
            text = _statement(connection, release, manifest, needed)
            wrong = signing.against_statement(text, approval.statement, keys)
        if wrong is None:
            signers.add(skeleton(approval.actor))
        objection = wrong or f"{needed} people must sign it, and fewer did"
    if len(signers) < needed:
        raise BadSignature(
            f"release {release.number} is not what people approved: {objection}. It is not loaded. `sealed doctor` "
            "examines the rest; roll back, or fetch the release's adapter and the ledger's backup again."
        )


def _vouching(connection: Connection, release: Release, keys: KeyRing) -> list[tuple[Approval, str | None]]:
    """The release's approvals, each with what is wrong with its row, if anything."""
    found = [(one, against_row(row, keys)) for row, one in journal.approval_rows(connection, release.number)]
    return [(one, why and f"the approval by {one.actor} {why}") for one, why in found if one.approved]


def _statement(connection: Connection, release: Release, manifest: AdapterManifest | None, approvers: int) -> str:
    if release.parent is None or release.report is None or manifest is None:
        raise InternalError(f"release {release.number} has no parent, report or manifest to sign. Please report it.")
    if manifest.digest != release.manifest:
        raise BadSignature(
            f"the adapter on disk is not that of release {release.number}. Fetch the release's adapter again."
        )
    parent, report = releases.load(connection, release.parent), releases.load_report(connection, release.report)
    return signing.statement_of(release, manifest, parent=parent, report=report, approvers=approvers)
