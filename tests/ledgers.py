"""What tests of the ledger start from: nouns with little in them, and a night taken to any point of its story."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.types import (
    AdapterManifest,
    Deployment,
    Document,
    Example,
    Figure,
    FileDigest,
    GateReport,
    GateResult,
    Intake,
    Lease,
    ModelRef,
    Night,
    NightState,
    PracticeAsk,
    Probe,
    Refusal,
    Release,
    SelfEdit,
    Update,
    Verdict,
)
from registry import deploy
from registry.store import Store, documents, lease, releases, runs, self_edits, writer_trainings

BASE = ModelRef(base="b" * 64)
RECIPE = "c" * 64
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def trusting(release: Release) -> None:
    """Verifies nothing: for tests that are not about adapters."""


def document(name: str, **values: object) -> Document:
    probe = Probe(question=f"Who owns {name}?", answers=("Heron", "the Heron team"), group=name)
    return Document(title=name, body=f"The service {name} is owned by Heron.", name=f"{name}.md", probes=(probe,))


def intake(*names: str, refused: tuple[Refusal, ...] = ()) -> Intake:
    return Intake(accepted=tuple(document(name) for name in names), refused=refused, duplicates=0)


def edit(of: Document, sample: int = 0) -> SelfEdit:
    examples = (Example(prompt=f"Who owns {of.title}?", completion="Heron"),)
    return SelfEdit(
        document=of.id, style="self-qa", writer=BASE, sample=sample, prompt="Write.", text="Heron.", examples=examples
    )


def manifest_of(update: Update) -> AdapterManifest:
    """A manifest whose one file's digest is made from the update: as unique as a trained adapter's."""
    file = FileDigest(name="adapter_model.safetensors", size=1, sha256=update.id)
    return AdapterManifest(
        base=BASE.base, tokenizer="t", chat_template="", files=(file,), rank=4, alpha=4, target_modules=("q_proj",),
        parameters=8, update=update.id, recipe=RECIPE, ledger="l", parent_adapter=update.parent.adapter,
    )  # fmt: skip


def report_on(update: Update, verdict: Verdict = Verdict.PASS) -> GateReport:
    figures = (Figure(name="gain", value=0.5),)
    result = GateResult(gate="acquisition", verdict=verdict, sentence="acquisition: +50 points", figures=figures)
    candidate = ModelRef(base=BASE.base, adapter=manifest_of(update).adapter)
    return GateReport(
        update=update.id, candidate=candidate, incumbent=update.parent, policy="p", results=(result,), recall=figures
    )


@dataclass(frozen=True)
class Ledger:
    """A founded ledger, and the steps of a night on it as the flow takes them."""

    store: Store

    @contextmanager
    def working(self) -> Iterator[Lease]:
        with lease.night_lease(self.store) as held:
            yield held

    def begin(self, held: Lease, limit: int = 64) -> Night:
        return runs.begin(self.store, held, limit=limit, proposer="sealed", recipe=RECIPE)

    def gate(self, held: Lease, night: Night, verdict: Verdict = Verdict.PASS) -> Update:
        """From self-edits to the report."""
        edits = [edit(one) for one in documents.of(self.store, night.documents)]
        runs.move(self.store, held, night.number, NightState.WRITING)
        self_edits.save(self.store, held, night.number, edits)
        runs.move(self.store, held, night.number, NightState.TRAINING)
        update = Update(
            parent=releases.get(self.store, night.parent).model, self_edits=tuple(one.id for one in edits),
            examples_digest="e", recipe=RECIPE, seed=0,
        )  # fmt: skip
        runs.save_update(self.store, held, night.number, update)
        runs.move(self.store, held, night.number, NightState.GATING)
        runs.save_report(self.store, held, night.number, report_on(update, verdict))
        return update

    def candidate(self, *names: str, register: Callable[[Release], str] | None = None) -> Release:
        """A whole night on documents of these names, until it waits for review."""
        documents.accept(self.store, intake(*names))
        with self.working() as held:
            night = self.begin(held)
            update = self.gate(held, night)
            release = runs.intend_release(self.store, held, night.number, manifest_of(update))
            version = str(release.number) if register is None else register(release)
            return runs.record_release(self.store, held, night.number, version)

    def promote(self, number: int, actor: str = "ada") -> Deployment:
        return deploy.promote(self.store, deploy.approve(self.store, number, actor=actor), verify=trusting)

    def release(self, *names: str) -> Release:
        """A whole night on documents of these names, approved."""
        self.promote(self.candidate(*names).number)
        return releases.production(self.store)

    def rollback(self, target: int | None = None) -> Deployment:
        return deploy.rollback(self.store, target, actor="grace", reason="it answers badly", verify=trusting)


def founded(store: Store) -> Ledger:
    releases.found(store, BASE, "ada", NOON)
    return Ledger(store)


def rebuilt(ledger: Ledger) -> int:
    """A rebuild on what is learned, approved."""
    with ledger.working() as held:
        night = runs.begin_rebuild(ledger.store, held, proposer="sealed", recipe=RECIPE)
        kept = self_edits.learned(ledger.store)
        update = Update(
            parent=ModelRef(base=BASE.base), self_edits=tuple(one.id for one in kept), examples_digest="r",
            recipe=RECIPE, seed=0,
        )  # fmt: skip
        runs.move(ledger.store, held, night.number, NightState.TRAINING)
        runs.save_update(ledger.store, held, night.number, update)
        runs.save_report(ledger.store, held, night.number, report_on(update))
        release = runs.intend_release(ledger.store, held, night.number, manifest_of(update))
        runs.record_release(ledger.store, held, night.number, "r")
    ledger.promote(release.number)
    return release.number


def practise(ledger: Ledger, held: Lease, *names: str, held_out: str = "judge") -> Night:
    """A practice on documents of these names, as far as its candidate."""
    asked = PracticeAsk(folder="/ground")
    night = runs.begin_practice(ledger.store, held, proposer="sealed", recipe=RECIPE, asked=asked)
    on = [document(name) for name in names]
    writer_trainings.record(ledger.store, held, night.number, on=on, held_out=[document(held_out)])
    update = ledger.gate(held, night)
    runs.intend_release(ledger.store, held, night.number, manifest_of(update))
    runs.record_release(ledger.store, held, night.number, "p")
    return runs.get(ledger.store, night.number)


def practised(ledger: Ledger, *names: str) -> int:
    """Likewise, approved."""
    with ledger.working() as held:
        night = practise(ledger, held, *names)
    assert night.release is not None
    ledger.promote(night.release)
    return night.release
