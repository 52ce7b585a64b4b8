"""I1 to I9 as functions of the facts: each names what breaks it, in sentences. Imports nothing of sealed."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from cryptography.exceptions import InvalidSignature

from benchmarks.faults.facts import Facts, Row, digest_of

KEPT = 3
_APPROVAL = ("release", "manifest", "approved", "actor", "note", "epoch", "at", "account", "identity", "statement")
_TRANSITION = ("release", "before", "after", "actor", "reason", "epoch", "at", "account", "identity")
_UNDER_WAY = ("ingesting", "writing", "training", "gating", "registering", "waiting")
_SERVED = ("production", "superseded")


def violations(now: Facts, before: Facts | None = None, *, quiet: bool = True, days: float = 7.0) -> list[str]:
    """Everything that is wrong, each with the invariant's name. `before`: earlier facts of the same ledger.

    `quiet`: nothing is left to do, so that MLflow and the gateway must have followed. `days`: how long approvals hold.
    """
    found = [f"{name}: {words}" for name, check in _ALWAYS for words in check(now)]
    found += [f"{name}: {words}" for name, check in _QUIET if quiet for words in check(now)]
    found += [f"I8: {words}" for words in _approvals_count(now, days)]
    return found + ([f"I3: {words}" for words in _only_added(before, now)] if before else [])


def _production_passed_and_was_approved(facts: Facts) -> Iterator[str]:
    newest, made = facts.tables["deployments"][-1], _releases(facts)
    states = [one["number"] for one in made.values() if one["state"] == "production"]
    if states != [newest["release"]]:
        yield f"the newest deployment is of release {newest['release']}, and production are {states}"
    reports = {one["digest"]: one["body"] for one in facts.tables["reports"]}
    for number, epoch in _promotions(facts):
        release = made[number]
        report = reports.get(release["report"])
        if report is None or not _passed(report) or not report["policy"]:
            yield f"release {number} was promoted without a passing report under a policy"
        elif report["update"] != release["update_id"] or _report_digest(report) != release["report"]:
            yield f"the report of release {number} is not the one that it names"
        if not _approvals(facts, number, epoch, release["manifest"]):
            yield f"release {number} was promoted at epoch {epoch} without an approval of its manifest"


def _each_document_is_in_one_state(facts: Facts) -> Iterator[str]:
    runs, releases = {one["number"]: one for one in facts.tables["runs"]}, _releases(facts)
    alive = {number for number, one in releases.items() if one["state"] in _SERVED}
    of_run = {one["release"]: one["number"] for one in runs.values() if one["release"] is not None}
    for one in facts.tables["documents"]:
        name = one["name"]
        if one["body"] is not None and digest_of("document", one["kind"], one["title"], one["body"]) != one["id"]:
            yield f"{name} is not the text that it was"
        if (one["state"] == "leased") != (one["run"] is not None):
            yield f"{name} is {one['state']} by run {one['run']}"
        if one["run"] is not None and runs[one["run"]]["state"] not in _UNDER_WAY:
            yield f"{name} is leased by run {one['run']}, which is {runs[one['run']]['state']}"
        if one["state"] == "learned" and one["release"] not in alive:
            yield f"{name} is learned in release {one['release']}, which is not in production's line"
    learned = [
        (row["document"], number)
        for number in alive
        for row in facts.tables["run_documents"]
        if row["run"] == of_run.get(number)
    ]
    twice = {document for document, _ in learned if [other for other, _ in learned].count(document) > 1}
    yield from (f"document {one[:12]} was learned twice in production's line" for one in sorted(twice))
    states = {one["id"]: one["state"] for one in facts.tables["documents"]}
    yield from (
        f"document {one[:12]} was learned by release {number} and is {states[one]}"
        for one, number in learned
        if states[one] not in ("learned", "withdrawn")
    )


def _deployments_rise(facts: Facts) -> Iterator[str]:
    rows = facts.tables["deployments"]
    if [one["epoch"] for one in rows] != list(range(len(rows))):
        yield "the epochs of the deployments do not count from 0"
    yield from (
        f"deployment {one['epoch']} lacks actor or reason"
        for one in rows
        if not (one["actor"].strip() and one["reason"].strip())
    )


def _adapters_are_held(facts: Facts) -> Iterator[str]:
    if facts.manifests is None:
        return
    made, line = _releases(facts), [facts.tables["deployments"][-1]["release"]]
    while (parent := made[line[-1]]["parent"]) is not None and len(line) <= KEPT:
        line.append(parent)
    for number in filter(None, line):
        if facts.manifests.get(made[number]["update_id"]) != made[number]["manifest"]:
            yield f"the adapter of release {number} is not held here as it was approved"


def _what_fell_stays_down(facts: Facts) -> Iterator[str]:
    fallen: set[int] = set()
    for one in facts.tables["history"]:
        if one["release"] in fallen and one["after"] != "rolled_back":
            yield f"release {one['release']} was rolled back and became {one['after']} again"
        if one["after"] == "rolled_back":
            fallen.add(one["release"])
    now = facts.tables["deployments"][-1]["release"]
    if now in fallen:
        yield f"release {now} was rolled back and is production"
    for one in facts.tables["documents"]:
        if one["release"] in fallen and one["state"] not in ("reverted", "withdrawn"):
            yield f"{one['name']} was learned by release {one['release']}, which was rolled back, and is {one['state']}"


def _served_is_what_was_approved(facts: Facts) -> Iterator[str]:
    made = _releases(facts)
    approved = {0, *(number for number, _ in _promotions(facts))}
    deployed = {one["epoch"]: one["release"] for one in facts.tables["deployments"]}
    for one in facts.served:
        number = one["release"]
        if number not in approved or one["epoch"] not in deployed:
            yield f"release {number} was served at epoch {one['epoch']}, and nobody approved it"
        elif number and (held := facts.tensors.get(made[number]["update_id"])) and held != one["tensors"]:
            yield f"what was served as release {number} are not the weights of its adapter"


def _gateway_follows(facts: Facts) -> Iterator[str]:
    newest = facts.tables["deployments"][-1]["epoch"]
    if facts.served and facts.served[-1]["epoch"] != newest:
        yield f"the gateway is at epoch {facts.served[-1]['epoch']}, and the ledger at {newest}"


def _mlflow_agrees(facts: Facts) -> Iterator[str]:
    if facts.versions is None:
        return
    named = [one.get("release_id", "") for one in facts.versions]
    yield from (
        f"MLflow holds release {one[:12]} {named.count(one)} times"
        for one in sorted(set(named))
        if named.count(one) > 1
    )
    by_version = {one["version"]: one for one in facts.versions}
    for number, release in _releases(facts).items():
        if (version := release["mlflow_version"]) is None:
            continue
        shown = by_version.get(version, {})
        if shown.get("release_id") != digest_of("release", release["update_id"], release["manifest"]):
            yield f"MLflow's version {version} is not release {number}"
        if shown and shown.get("release_state") != release["state"]:
            yield f"MLflow shows release {number} as {shown.get('release_state')}, and it is {release['state']}"
    newest = facts.tables["deployments"][-1]
    version = _releases(facts)[newest["release"]]["mlflow_version"]
    if facts.versions and facts.aliases.get("production") != version:
        yield f"MLflow's alias production is {facts.aliases.get('production')}, and should be {version}"
    if facts.versions and facts.epoch != str(newest["epoch"]):
        yield f"MLflow says epoch {facts.epoch or 'none'}, and the ledger {newest['epoch']}"
    if any(one["state"] in _UNDER_WAY[:-1] for one in facts.tables["runs"]):
        yield "a run is under way, and nobody works on it"


def _approvals_count(facts: Facts, days: float) -> Iterator[str]:
    made, at = _releases(facts), {one["epoch"]: one["at"] for one in facts.tables["deployments"]}
    for number, epoch in _promotions(facts):
        release = made[number]
        for one in _approvals(facts, number, epoch, release["manifest"]):
            if one["actor"].casefold().strip() == release["proposer"].casefold().strip():
                yield f"release {number} was approved by its proposer, {one['actor']}"
            if one["at"] - release["created"] > timedelta(days=days) or at[epoch] - one["at"] > timedelta(days=days):
                yield f"the approval of release {number} had expired"


def _promoted_onto_production(facts: Facts) -> Iterator[str]:
    deployed = {one["epoch"]: one["release"] for one in facts.tables["deployments"]}
    for number, epoch in _promotions(facts):
        if _releases(facts)[number]["parent"] != deployed.get(epoch - 1):
            yield f"release {number} was promoted onto {deployed.get(epoch - 1)}, against which it was not gated"


def _chains_hold(facts: Facts) -> Iterator[str]:
    """Digests follow one another, and what grants something is signed by a trusted key."""
    for table, names in (("approvals", _APPROVAL), ("history", _TRANSITION)):
        previous = "0" * 64
        for number, one in enumerate(facts.tables[table], start=1):
            data = _sealed(table, one, names)
            if (one["id"], one["previous"], one["digest"]) != (number, previous, hashlib.sha256(data).hexdigest()):
                yield f"row {number} of {table} does not follow the one before it, or was altered"
            grants = one.get("approved") or (one.get("before"), one.get("after")) == ("candidate", "production")
            if facts.keys and (grants or one["key"]) and not _signed(facts, one, data):
                yield f"row {number} of {table} bears no signature that counts"
            previous = one["digest"]
    for release in _releases(facts).values():
        steps = [one["after"] for one in facts.tables["history"] if one["release"] == release["number"]]
        if not steps or steps[-1] != release["state"]:
            yield f"release {release['number']} is {release['state']}, and its history ends in {steps[-1:]}"


def _only_added(before: Facts, now: Facts) -> Iterator[str]:
    for table in ("deployments", "approvals", "history"):
        if now.tables[table][: len(before.tables[table])] != before.tables[table]:
            yield f"what stood in {table} was changed or removed"
    lost = {one["id"] for one in before.tables["documents"]} - {one["id"] for one in now.tables["documents"]}
    yield from (f"document {one[:12]} was lost" for one in sorted(lost))


def _releases(facts: Facts) -> dict[int, Row]:
    return {one["number"]: one for one in facts.tables["releases"]}


def _promotions(facts: Facts) -> list[tuple[int, int]]:
    """The releases that became production for the first time, each with its epoch; the base needs no approval."""
    first: dict[int, int] = {}
    for one in facts.tables["deployments"]:
        first.setdefault(one["release"], one["epoch"])
    return [(number, epoch) for number, epoch in first.items() if number]


def _approvals(facts: Facts, number: int, epoch: int, manifest: str) -> list[Row]:
    mine = {"release": number, "approved": True, "epoch": epoch - 1, "manifest": manifest}
    return [one for one in facts.tables["approvals"] if all(one[name] == value for name, value in mine.items())]


def _passed(report: Mapping[str, object]) -> bool:
    results = report["results"]
    assert isinstance(results, list)
    verdicts = [one["verdict"] for one in results if one.get("required", True)]
    return bool(verdicts) and set(verdicts) == {"PASS"}


def _report_digest(report: Row) -> str:
    def figures(found: Sequence[Row]) -> list[list[object]]:
        return [[one["name"], one["value"]] for one in found]

    results = [
        [r["gate"], r["verdict"], r["sentence"], r["required"], figures(r["figures"])] for r in report["results"]
    ]
    models = [digest_of("model", one["base"], one["adapter"]) for one in (report["candidate"], report["production"])]
    return digest_of("report", report["update"], *models, report["policy"], results, figures(report["recall"]))


def _sealed(table: str, row: Row, names: Sequence[str]) -> bytes:
    content = {name: row[name].isoformat(timespec="microseconds") if name == "at" else row[name] for name in names}
    whole = {"kind": f"sealed/{table}/1", "id": row["id"], "previous": row["previous"], "content": content}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _signed(facts: Facts, row: Row, data: bytes) -> bool:
    key = facts.keys.get(row["key"])
    if key is None:
        return False
    try:
        key.verify(base64.b64decode(row["signature"]), data)
    except InvalidSignature:
        return False
    return True


_Checks = tuple[tuple[str, Callable[[Facts], Iterator[str]]], ...]
_ALWAYS: _Checks = (
    ("I1", _production_passed_and_was_approved),
    ("I2", _each_document_is_in_one_state),
    ("I3", _deployments_rise),
    ("I3", _chains_hold),
    ("I4", _adapters_are_held),
    ("I5", _what_fell_stays_down),
    ("I6", _served_is_what_was_approved),
    ("I9", _promoted_onto_production),
)
# What follows a decision only once it is repaired.
_QUIET: _Checks = (("I6", _gateway_follows), ("I7", _mlflow_agrees))
