"""What tests of the ledger start from: nouns with little in them, and a run taken to any point of its story."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.types import (
    AdapterManifest,
    Deployment,
    Document,
    EvalItem,
    Example,
    Figure,
    FileDigest,
    GateReport,
    GateResult,
    Ingested,
    Lease,
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
from registry import deploy
from registry.store import Store, documents, lease, releases, runs, self_edits, writer_trainings

BASE = ModelRef(base="b" * 64)
RECIPE = "c" * 64
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def trusting(release: Release) -> None:
    """Verifies nothing: for tests that are not about adapters."""


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


def report_on(update: Update, verdict: Verdict = Verdict.PASS) -> GateReport:
    figures = (Figure(name="gain", value=0.5),)
    result = GateResult(gate="acquisition", verdict=verdict, sentence="acquisition: +50 points", figures=figures)
    candidate = ModelRef(base=BASE.base, adapter=manifest_of(update).adapter)
    return GateReport(
        update=update.id, candidate=candidate, production=update.parent, policy="p", results=(result,), recall=figures
    )


@dataclass(frozen=True)
class Ledger:
    """A founded ledger, and the steps of a run on it as the flow takes them."""

    store: Store

    @contextmanager
    def working(self) -> Iterator[Lease]:
        with lease.run_lease(self.store) as held:
            yield held

    def begin(self, held: Lease, limit: int = 64) -> Run:
        return runs.begin(self.store, held, limit=limit, proposer="sealed", recipe=RECIPE)

    def gate(self, held: Lease, run: Run, verdict: Verdict = Verdict.PASS) -> Update:
        """From self-edits to the report."""
        edits = [edit(one) for one in documents.of(self.store, run.documents)]
        runs.move(self.store, held, run.number, RunState.WRITING)
        self_edits.save(self.store, held, run.number, edits)
        runs.move(self.store, held, run.number, RunState.TRAINING)
        update = Update(
            parent=releases.get(self.store, run.parent).model,
            self_edits=tuple(one.id for one in edits),
            examples_digest="e",
            recipe=RECIPE,
            seed=0,
        )
        runs.save_update(self.store, held, run.number, update)
        runs.move(self.store, held, run.number, RunState.GATING)
        runs.save_report(self.store, held, run.number, report_on(update, verdict))
        return update

    def candidate(self, *names: str, register: Callable[[Release], str] | None = None) -> Release:
        """A whole run on documents of these names, until it waits for review."""
        documents.accept(self.store, intake(*names))
        with self.working() as held:
            run = self.begin(held)
            update = self.gate(held, run)
            release = runs.intend_release(self.store, held, run.number, manifest_of(update))
            version = str(release.number) if register is None else register(release)
            return runs.record_release(self.store, held, run.number, version)

    def promote(self, number: int, actor: str = "ada") -> Deployment:
        return deploy.promote(self.store, deploy.approve(self.store, number, actor=actor), verify=trusting)

    def release(self, *names: str) -> Release:
        """A whole run on documents of these names, approved."""
        self.promote(self.candidate(*names).number)
        return releases.production(self.store)

    def rollback(self, target: int | None = None) -> Deployment:
        return deploy.rollback(self.store, target, actor="grace", reason="it answers badly", verify=trusting)


def founded(store: Store) -> Ledger:
    releases.create_base_release(store, BASE, "ada", NOON)
    return Ledger(store)


def rebuilt(ledger: Ledger) -> int:
    """A rebuild on what is learned, approved."""
    with ledger.working() as held:
        run = runs.begin_rebuild(ledger.store, held, proposer="sealed", recipe=RECIPE)
        kept = self_edits.learned(ledger.store)
        update = Update(
            parent=ModelRef(base=BASE.base),
            self_edits=tuple(one.id for one in kept),
            examples_digest="r",
            recipe=RECIPE,
            seed=0,
        )
        runs.move(ledger.store, held, run.number, RunState.TRAINING)
        runs.save_update(ledger.store, held, run.number, update)
        runs.save_report(ledger.store, held, run.number, report_on(update))
        release = runs.intend_release(ledger.store, held, run.number, manifest_of(update))
        runs.record_release(ledger.store, held, run.number, "r")
    ledger.promote(release.number)
    return release.number


def practise(ledger: Ledger, held: Lease, *names: str, held_out: str = "judge") -> Run:
    """A practice on documents of these names, as far as its candidate."""
    asked = WriterTrainingRequest(folder="/split")
    run = runs.begin_writer_training(ledger.store, held, proposer="sealed", recipe=RECIPE, asked=asked)
    on = [document(name) for name in names]
    writer_trainings.record(ledger.store, held, run.number, on=on, held_out=[document(held_out)])
    update = ledger.gate(held, run)
    runs.intend_release(ledger.store, held, run.number, manifest_of(update))
    runs.record_release(ledger.store, held, run.number, "p")
    return runs.get(ledger.store, run.number)


def practised(ledger: Ledger, *names: str) -> int:
    """Likewise, approved."""
    with ledger.working() as held:
        run = practise(ledger, held, *names)
    assert run.release is not None
    ledger.promote(run.release)
    return run.release
