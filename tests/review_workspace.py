"""A workspace with a tiny model and real adapters, whose candidates are registered in an MLflow server."""

from pathlib import Path

from flows.services.initialisation import init_workspace
from flows.steps.run_files import write_value
from flows.wiring import Workspace
from pipeline.adapters.format import read_manifest
from pipeline.config import Settings
from pipeline.engines.base import BaseModel, load_base
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Example, Figure, Release, Run, UpdatePlan
from registry import open_ledger
from registry.mlflow.releases import Registration, register
from tests.ledgers import Ledger, intake

RULES = TrainingRules(rank=4, alpha=8, epochs=1)
EXAMPLES = (Example(prompt="Who?", completion="Heron"),) * 2


class ReviewedWorkspace:
    """A workspace, and a quick way to a candidate that is complete but for what it learned."""

    def __init__(self, folder: Path, model: Path, tracking_uri: str, proposer: str = "trainer") -> None:
        init_workspace(folder, str(model), actor="owner").ledger.close()
        settings = folder / "sealed.toml"
        settings.write_text(f'{settings.read_text("utf-8")}\ntracking_uri = "{tracking_uri}"\n', encoding="utf-8")
        self._open(folder, model, proposer)

    @classmethod
    def opened(cls, folder: Path, proposer: str = "trainer") -> "ReviewedWorkspace":
        """One that was made before."""
        found = cls.__new__(cls)
        found._open(folder, Path(Settings.read(folder).model), proposer)
        return found

    def _open(self, folder: Path, model: Path, proposer: str) -> None:
        self.folder, self.proposer = folder, proposer
        read = Settings.read(folder)
        self.workspace = Workspace(read, open_ledger(read.database_url))
        self.ledger = Ledger(self.workspace.ledger.database)
        self._base: BaseModel = load_base(str(model), device="cpu")

    def candidate(self, name: str, proposer: str | None = None) -> Release:
        """A run on a document of that name, until its release is a version in MLflow and waits for review."""
        self.ledger.documents.accept(intake(name))
        with self.ledger.session() as session:
            queued = [one.id for one in self.ledger.documents.queued()]
            run = session.runs.begin(documents=queued, proposer=proposer or self.proposer, recipe="c" * 64)
            update = self.ledger.gate(session, run)
            folder = self.workspace.folder_of(update.id)
            plan = UpdatePlan(update=update, examples=EXAMPLES)
            write_value(self.workspace.plans / f"{update.id}.json", plan, "basis")
            production = self.ledger.releases.production()
            parent = self.workspace.checkpoint(production) if production.number else None
            train_lora(self._base, plan, TrainingSettings(rules=RULES, ledger="l"), parent=parent, out=folder)
            release = self.ledger.intend(session, run, read_manifest(folder))
            version = register(self.workspace.tracking, self._registration(run, release))
            recorded = session.candidates.record(run.number, version)
        assert self.workspace.reconcile().failed == ()
        return recorded

    def weights(self, release: Release) -> Path:
        """The file of a release's adapter on disk."""
        return self.workspace.folder_of(release.update) / "adapter_model.safetensors"

    def _registration(self, run: Run, release: Release) -> Registration:
        report = self.workspace.report_folder(run)
        report.mkdir(parents=True, exist_ok=True)
        (report / "report.html").write_text("<h1>This run's questions</h1>", encoding="utf-8")
        return Registration(
            release=release,
            adapter=self.workspace.folder_of(release.update),
            report=report,
            metrics=(Figure(name="recall_after", value=0.95),),
            tags=(("manifest", release.manifest),),
            description="| Gate | Verdict |\n|---|---|\n| acquisition | PASS |",
        )
