"""The story of a release in a workspace of its own: learned, gated, registered, approved, served and rolled back.

All of it is the product's own code but for the learning, which is a random adapter, and the gate's verdict. Whoever is
killed in it calls `go_on` again, which does what is left to do.
"""

import gc
import json
import shutil
from pathlib import Path

from benchmarks import releases
from benchmarks.faults.facts import tensors_digest
from flows.run_context import RunContext
from flows.services import adoption, review
from flows.services.initialisation import init_workspace
from flows.steps import ingestion, registration, updates
from flows.wiring import Workspace
from pipeline.adapters.saving import trained_adapter
from pipeline.config import Settings
from pipeline.engines.base import BaseModel
from pipeline.errors import InternalError
from pipeline.files import write_text
from pipeline.recipe import PolicyRules, Recipe
from pipeline.sandbox import model_path
from pipeline.types import (
    Deployment,
    Release,
    ReleaseState,
    Run,
    RunState,
    Trained,
    Update,
    UpdatePlan,
)
from registry import open_ledger
from registry.gateway.desired import LedgerSource
from registry.gateway.metrics import Metrics
from registry.gateway.pointer import Pointer
from registry.servers.local import LocalServer

PROPOSER, REVIEWER, ON_CALL = "trainer", "ada", "olga"
# The documents of a world have no questions, and no gate asks any.
UNEXAMINED = Recipe(policy=PolicyRules(required=("integrity",)))
_DOCUMENTS = 3
_BASIS = "story"


class World:
    """A workspace in `folder` with the base model already in memory."""

    def __init__(self, folder: Path, base: BaseModel) -> None:
        settings = Settings.read(folder)
        self.folder = folder
        self.workspace = Workspace(settings, open_ledger(settings.database_url))
        self.workspace.__dict__["base"] = base  # loaded once for all schedules, before they are forked
        self.server = LocalServer(base, self.workspace.held_adapter)

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        return self.workspace.ledger.deployments.listed()

    def candidate(self) -> Release | None:
        """The release that waits for its reviewer."""
        waiting = [one for one in self.workspace.ledger.releases.listed() if one.state is ReleaseState.CANDIDATE]
        return waiting[-1] if waiting else None

    def learn(self, number: int) -> None:
        """A run as the nightly flow does it, on the documents of `number`, until its release waits for review."""
        ledger = self.workspace.ledger
        with ledger.session() as session:
            context = RunContext(self.workspace, session, UNEXAMINED)
            ingestion.reconcile(context)
            taken = ingestion.ingest(context, self.folder / "documents" / str(number))
            if context.candidate_in_review():
                return
            run = ingestion.open_nightly_run(context, PROPOSER, taken)
            if isinstance(run, Run) and run.documents:
                self._register(context, run, _train(context, run, seed=number))

    def _register(self, context: RunContext, run: Run, trained: Trained) -> None:
        update = self.workspace.ledger.reports.update(trained.manifest.update)
        report = releases.passing_report(update, trained.manifest)
        folder = self.workspace.report_folder(run)
        write_text(folder / "report.html", "<h1>All is well</h1>")
        write_text(folder / "summary.md", "All is well.")
        if self.workspace.ledger.runs.get(run.number).state is not RunState.REGISTERING:
            context.session.runs.save_report(run.number, report)
        registration.register(context, run, trained, report)
        self.workspace.reconcile()

    def approve(self, number: int) -> None:
        """The reviewer approves."""
        review.approve(self.workspace, number, actor=REVIEWER, note="read it")

    def roll_back(self, target: int) -> None:
        """On-call puts `target` back; once more is no harm."""
        review.rollback(self.workspace, target, actor=ON_CALL, reason="it answers badly")

    def serve(self) -> None:
        """The gateway looks at the ledger once, and its log says what it then answers from."""
        pointer = Pointer(LedgerSource(self.workspace.ledger), self.server, Metrics())
        pointer.follow()
        if pointer.current is None:
            raise InternalError(f"nothing is served: {pointer.problems}")
        route = pointer.current
        for release in route.answering:
            self.log(route.epoch, release)

    def log(self, epoch: int, release: Release) -> None:
        """Adds to the gateway's log what it answers from, which is loaded if it is not yet."""
        self.server.hold(release)
        line = {"epoch": epoch, "release": release.number, "tensors": self._held(release)}
        with (self.folder / "gateway.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _held(self, release: Release) -> str:
        """A digest of the adapter's weights as they are in the server's memory."""
        named = self.server._held[release.number].model.named_parameters()
        lora = {name: tensor.detach().numpy() for name, tensor in named if ".lora_" in name}
        return tensors_digest({f"base_model.model.{name}".replace(".default.", "."): lora[name] for name in lora})


def warm_up(template: Path, folder: Path, base: BaseModel) -> None:
    """Goes through the story in this process: what that imports and prepares, no process that is forked has to.

    It is most of a schedule's time. No other workspace may be in `folder` in this process's life.
    """
    shutil.copytree(template, folder)
    go_on(folder, base)
    shutil.rmtree(folder)
    gc.freeze()


def make_template(folder: Path, base: BaseModel, tracking_uri: str = "") -> None:
    """A workspace with release 1 in production, and the documents of release 2; `tracking_uri`: not its own MLflow."""
    init_workspace(folder, str(model_path()), actor="ada", device="cpu").ledger.close()
    if tracking_uri:
        settings = folder / "sealed.toml"
        write_text(settings, f'{settings.read_text("utf-8")}\ntracking_uri = "{tracking_uri}"\n')
    for number in (1, 2, 3):
        for place in range(_DOCUMENTS):
            text = f"Service {number}-{place} is owned by the Heron team, and keeps the invoices of Oslo."
            write_text(folder / "documents" / str(number) / f"{place}.md", f"# Service {number}-{place}\n\n{text}\n")
    world = World(folder, base)
    world.learn(1)
    world.approve(1)
    world.serve()
    world.server.close()
    world.workspace.ledger.close()


def go_on(folder: Path, base: BaseModel) -> None:
    """Whatever is left of the story of release 2: it is learned, approved, served and rolled back."""
    world = World(folder, base)
    if world.deployments[-1].release == 1 and len(world.deployments) == 2:
        if world.candidate() is None:
            world.learn(2)
        if (waiting := world.candidate()) is None:
            raise InternalError("no candidate came of the run")
        world.approve(waiting.number)
    if world.deployments[-1].release != 1:
        world.serve()
        world.roll_back(1)
    world.serve()
    failed = adoption.reconcile(world.workspace).failed
    if failed:
        raise InternalError(f"MLflow does not follow: {failed}")
    world.server.close()


def _train(context: RunContext, run: Run, *, seed: int) -> Trained:
    workspace, ledger = context.workspace, context.ledger
    documents = ledger.documents.of(run.documents)
    parent = ledger.releases.get(run.parent).model
    edits = [releases.self_edit(document, parent) for document in documents]
    made = Update(
        parent=parent, self_edits=tuple(one.id for one in edits), examples_digest="e", recipe=run.recipe, seed=0
    )
    if run.state is not RunState.REGISTERING:
        context.session.runs.move(run.number, RunState.WRITING)
        context.session.self_edits.save(run.number, edits)
        context.session.runs.move(run.number, RunState.TRAINING)
        plan = UpdatePlan(update=made, examples=tuple(example for edit in edits for example in edit.examples))
        updates.store_plan(context, run, plan, _BASIS)
        context.session.runs.move(run.number, RunState.GATING)
    folder = workspace.folder_of(made.id)
    if trained_adapter(workspace.identity, made.id, folder) is None:
        releases.save_random(workspace.base, folder, releases.made_from(made), seed=seed)
    trained = trained_adapter(workspace.identity, made.id, folder)
    assert trained is not None
    return trained
