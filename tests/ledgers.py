"""What tests of the ledger start from: nouns with little in them, and a run taken to any point of its story."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import registry
from pipeline.types import (
    Actor,
    AdapterManifest,
    Approval,
    Deployment,
    Document,
    EvalItem,
    Example,
    Figure,
    FileDigest,
    GateReport,
    GateResult,
    Identity,
    Ingested,
    ModelRef,
    Refusal,
    Release,
    Run,
    RunState,
    SelfEdit,
    Update,
    Verdict,
    WriterTrainingRequest,
)
from registry import KeyRing, LedgerSession, ReviewContext, ReviewRules
from registry.deploy import Verify
from registry.signing import key_id

BASE = ModelRef(base="b" * 64)
RECIPE = "c" * 64
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


SIGNING = Ed25519PrivateKey.from_private_bytes(b"sealed test key, of 32 bytes ...")
KEYS = KeyRing(trusted={key_id(SIGNING.public_key()): SIGNING.public_key()}, own=SIGNING)


def person(name: str, identity: Identity = Identity.UNPROVEN) -> Actor:
    return Actor(name=name, account="tester", identity=identity)


def document(name: str, **values: object) -> Document:
    eval_item = EvalItem(question=f"Who owns {name}?", answers=("Heron", "the Heron team"), group=name)
    return Document(
        title=name, body=f"The service {name} is owned by Heron.", name=f"{name}.md", eval_items=(eval_item,)
    )


def intake(*names: str, refused: tuple[Refusal, ...] = ()) -> Ingested:
    return Ingested(accepted=tuple(document(name) for name in names), refused=refused, duplicates=0)


def edit(of: Document, sample: int = 0) -> SelfEdit:
    examples = (Example(prompt=f"Who owns {of.title}?", completion="Heron"),)
    return SelfEdit(
        document=of.id, style="self-qa", writer=BASE, sample=sample, prompt="Write.", text="Heron.", examples=examples
    )


def manifest_of(update: Update) -> AdapterManifest:
    """A manifest whose one file's digest is made from the update: as unique as a trained adapter's."""
    file = FileDigest(name="adapter_model.safetensors", size=1, sha256=update.id)
    return AdapterManifest(
        base=BASE.base,
        tokenizer="t",
        chat_template="",
        files=(file,),
        rank=4,
        alpha=4,
        target_modules=("q_proj",),
        parameters=8,
        update=update.id,
        recipe=RECIPE,
        ledger="l",
        parent_adapter=update.parent.adapter,
    )


def report_on(update: Update, verdict: Verdict = Verdict.PASS, adapter: str | None = None) -> GateReport:
    figures = (Figure(name="gain", value=0.5),)
    result = GateResult(gate="acquisition", verdict=verdict, sentence="acquisition: +50 points", figures=figures)
    candidate = ModelRef(base=BASE.base, adapter=adapter or manifest_of(update).adapter)
    return GateReport(
        update=update.id, candidate=candidate, production=update.parent, policy="p", results=(result,), recall=figures
    )


class Ledger(registry.Ledger):
    """A ledger with its base release, and the steps of a run on it as the flow takes them."""

    def begin(self, session: LedgerSession, limit: int = 64) -> Run:
        queued = [one.id for one in self.documents.queued()]
        return session.runs.begin(documents=queued[:limit], proposer="sealed", recipe=RECIPE)

    def gate(self, session: LedgerSession, run: Run, verdict: Verdict = Verdict.PASS) -> Update:
        """From self-edits to the report."""
        edits = [edit(one) for one in self.documents.of(run.documents)]
        session.runs.move(run.number, RunState.WRITING)
        session.self_edits.save(run.number, edits)
        session.runs.move(run.number, RunState.TRAINING)
        update = Update(
            parent=self.releases.get(run.parent).model,
            self_edits=tuple(one.id for one in edits),
            examples_digest="e",
            recipe=RECIPE,
            seed=0,
        )
        session.runs.save_update(run.number, update)
        session.runs.move(run.number, RunState.GATING)
        session.runs.save_report(run.number, report_on(update, verdict))
        return update

    def intend(self, session: LedgerSession, run: Run, manifest: AdapterManifest) -> Release:
        """Intends a release with a real adapter, on which the report is then said to be."""
        made = self.reports.update(manifest.update)
        session.runs.save_report(run.number, report_on(made, adapter=manifest.adapter))
        return session.candidates.intend(run.number, manifest)

    def candidate(self, *names: str, register: Callable[[Release], str] | None = None) -> Release:
        """A whole run on documents of these names, until it waits for review."""
        self.documents.accept(intake(*names))
        with self.session() as session:
            run = self.begin(session)
            update = self.gate(session, run)
            release = session.candidates.intend(run.number, manifest_of(update))
            version = str(release.number) if register is None else register(release)
            return session.candidates.record(run.number, version)

    def manifest(self, release: Release) -> AdapterManifest | None:
        """What a verification of the adapter would return, if there were one on disk."""
        return manifest_of(self.reports.update(release.update)) if release.number else None

    @property
    def context(self) -> ReviewContext:
        return ReviewContext(rules=ReviewRules(), keys=KEYS, verify=self.manifest)

    def approve(self, number: int, actor: str = "ada", rules: ReviewRules | None = None, **given: Any) -> Approval:
        return self.deployments.approve(number, actor=person(actor), rules=rules or ReviewRules(), **given)

    def record(self, approval: Approval, at: datetime | None = None, **changes: Any) -> Deployment | None:
        """Records an approval by the rules, keys and verification of the context, or by other ones."""
        return self.deployments.promote(approval, context=replace(self.context, **changes), at=at)

    def promote(self, number: int, actor: str = "ada", **changes: Any) -> Deployment:
        deployment = self.record(self.approve(number, actor), **changes)
        assert deployment is not None
        return deployment

    def reject(self, number: int, actor: str = "ada", reason: str = "bad") -> Approval:
        return self.deployments.reject(number, actor=person(actor), reason=reason, context=self.context)

    def release(self, *names: str) -> Release:
        """A whole run on documents of these names, approved."""
        self.promote(self.candidate(*names).number)
        return self.releases.production()

    def rollback(
        self, target: int | None = None, reason: str = "it answers badly", verify: Verify | None = None
    ) -> Deployment:
        context = replace(self.context, verify=verify or self.manifest)
        return self.deployments.rollback(target, actor=person("grace"), reason=reason, context=context)


def with_base_release(opened: registry.Ledger) -> Ledger:
    """The opened ledger with release 0."""
    opened.releases.create_base_release(BASE, "ada", NOON)
    return Ledger(opened.database)


def rebuilt(ledger: Ledger) -> int:
    """A rebuild on what is learned, approved."""
    with ledger.session() as session:
        run = session.runs.begin_rebuild(proposer="sealed", recipe=RECIPE)
        kept = ledger.self_edits.learned()
        update = Update(
            parent=ModelRef(base=BASE.base),
            self_edits=tuple(one.id for one in kept),
            examples_digest="r",
            recipe=RECIPE,
            seed=0,
        )
        session.runs.move(run.number, RunState.TRAINING)
        session.runs.save_update(run.number, update)
        session.runs.save_report(run.number, report_on(update))
        release = session.candidates.intend(run.number, manifest_of(update))
        session.candidates.record(run.number, "r")
    ledger.promote(release.number)
    return release.number


def practise(ledger: Ledger, session: LedgerSession, *names: str, held_out: str = "judge") -> Run:
    """A writer training on documents of these names, as far as its candidate."""
    asked = WriterTrainingRequest(folder="/split")
    run = session.runs.begin_writer_training(proposer="sealed", recipe=RECIPE, asked=asked)
    on = [document(name) for name in names]
    session.writer_trainings.record(run.number, on=on, held_out=[document(held_out)])
    update = ledger.gate(session, run)
    session.candidates.intend(run.number, manifest_of(update))
    session.candidates.record(run.number, "p")
    return ledger.runs.get(run.number)


def practised(ledger: Ledger, *names: str) -> int:
    """Likewise, approved."""
    with ledger.session() as session:
        run = practise(ledger, session, *names)
    assert run.release is not None
    ledger.promote(run.release)
    return run.release
