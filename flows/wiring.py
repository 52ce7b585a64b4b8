"""The one composition root: turns a workspace folder into the parts that the steps work with. Decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flows.reached import engine_of, judge_of, server_of
from gates.suite import Suites, read_suites
from gates.tasks import TaskSource
from pipeline.adapters.identity import BaseIdentity
from pipeline.config import Settings
from pipeline.errors import ModelChanged
from pipeline.recipe import Recipe, SuiteRules
from pipeline.types import AdapterManifest, Checkpoint, Release, Run
from registry import (
    HighWater,
    KeyRing,
    Ledger,
    Reconciled,
    ReviewContext,
    ReviewRules,
    Tracking,
    open_ledger,
    read_keys,
)

if TYPE_CHECKING:
    from gates.second_opinion import Judge
    from pipeline.adapters.copies import PrivateCopies
    from pipeline.engines.base import BaseModel, ModelMetadata
    from pipeline.engines.http_calls import Server
    from pipeline.engines.local import LocalEngine
    from pipeline.engines.openai import OpenAIEngine
    from registry.servers.vllm.adapters import ServedBase, VllmAdapters
    from registry.servers.vllm.engine import VllmEngine

Verification = Callable[[Path, BaseIdentity, str | None], AdapterManifest]
# What a reader of a run's report folder looks for.
REPORT, SUMMARY = "report.html", "summary.md"


@dataclass(frozen=True)
class Workspace:
    """A workspace with its parts. What is heavy is imported and built on first use, and kept."""

    settings: Settings
    ledger: Ledger

    @property
    def recipe(self) -> Recipe:
        """Read anew each time. A run reads it once, when it starts: see `flows.run_context`."""
        return Recipe.read(self.settings.recipe_file)

    @property
    def suites(self) -> Suites:
        """The suites by the recipe as it is now: see `suites_by`."""
        return self.suites_by(self.recipe.suites)

    def suites_by(self, rules: SuiteRules) -> Suites:
        """The benchmark suites, read anew each time. Raises BadDataFile, BadRecipe, TaskDataMissing."""
        suites = read_suites(self.settings.suites, plain=rules.plain)
        if not rules.tasks:
            return suites
        from gates.standard_tasks import standard_tasks

        return suites.with_tasks(standard_tasks(task_sources(rules, self.settings.workspace)))

    @property
    def plans(self) -> Path:
        """Where the run that is under way keeps what it plans to train on."""
        return self.settings.workspace / "plans"

    def report_folder(self, run: Run) -> Path:
        """Where the report of a run lies."""
        return self.settings.reports / f"run-{run.number}"

    def summary_file(self, run: Run) -> Path:
        """The report of a run in Markdown."""
        return self.report_folder(run) / SUMMARY

    def has_report(self, run: Run) -> bool:
        """Whether the report of a run is there, as far as a resumed run needs it."""
        return all((self.report_folder(run) / name).is_file() for name in (REPORT, SUMMARY))

    @cached_property
    def identity(self) -> BaseIdentity:
        """The base model this workspace was made with: every adapter must be for exactly this one."""
        return BaseIdentity(
            model=self.settings.base_model,
            tokenizer=self.settings.base_tokenizer,
            chat_template=self.settings.base_chat_template,
        )

    @cached_property
    def base(self) -> "BaseModel":
        """The base model in memory. Raises ModelMissing, or ModelChanged if its files are not those of `init`."""
        from pipeline.engines.base import load_base

        base = load_base(self.settings.model, device=self.settings.device, dtype=self.settings.dtype)
        self._check_unchanged(base.identity)
        return base

    @cached_property
    def engine(self) -> "LocalEngine":
        from pipeline.engines.local import LocalEngine

        return LocalEngine(self.base)

    @cached_property
    def writer(self) -> "LocalEngine | OpenAIEngine | VllmEngine":
        """Who writes self-edits: the configured server, else this process. Training and gates stay in this process."""
        if self.settings.engine == "local":
            return self.engine
        return self.vllm_engine if self.settings.engine == "vllm" else self._of_server

    @cached_property
    def _of_server(self) -> "OpenAIEngine":
        return engine_of(self.settings, self.metadata)

    @property
    def judge(self) -> "Judge | None":
        """Who gives a second opinion on this run's answers, if the settings name somebody."""
        return judge_of(self.settings)

    @cached_property
    def vllm_engine(self) -> "VllmEngine":
        from registry.servers.vllm.engine import VllmEngine

        concurrency = self.settings.server_concurrency
        return VllmEngine(self._vllm_base, self.vllm_adapters, self.server, concurrency=concurrency)

    @cached_property
    def vllm_adapters(self) -> "VllmAdapters":
        """The adapters on the configured vLLM server. Raises ModelMissing, ModelChanged."""
        from registry.servers.vllm.adapters import VllmAdapters

        return VllmAdapters(self.server, self._vllm_base, self.settings.server_adapters)

    @property
    def _vllm_base(self) -> "ServedBase":
        from registry.servers.vllm.adapters import ServedBase

        return ServedBase(metadata=self.metadata, model=self.settings.model)

    @property
    def server(self) -> "Server":
        """The configured server, with the patience of runs."""
        return server_of(self.settings)

    @cached_property
    def metadata(self) -> "ModelMetadata":
        """The base model without its weights. Raises ModelMissing, or ModelChanged as `base` does."""
        from pipeline.engines.base import load_metadata

        metadata = load_metadata(self.settings.model)
        self._check_unchanged(metadata.identity)
        return metadata

    def _check_unchanged(self, identity: BaseIdentity) -> None:
        if identity != self.identity:
            raise ModelChanged(
                f"the files of {self.settings.model} are not those this workspace was made with: its adapters would "
                "not fit. Put the old files back, or make a new workspace with `sealed init`."
            )

    @cached_property
    def tracking(self) -> Tracking:
        return Tracking(
            uri=self.settings.tracking_uri,
            model_name=self.settings.model_name,
            experiment=self.settings.experiment,
            # A server keeps artifacts where it was told to; a database of our own needs to be told.
            artifacts=self.settings.tracking_artifacts if self.settings.tracking_uri.startswith("sqlite:") else None,
        )

    def reconcile(self) -> Reconciled:
        """Makes MLflow match the ledger; what fails now is reported and tried again next time."""
        from registry.mlflow.reconcile import reconcile

        return reconcile(self.ledger, self.tracking)

    def held_adapter(self, release: Release) -> Path | None:
        """A release's adapter, verified to be the one that people approved and signed; None for release 0, the base.

        The one door to an adapter on disk: only the gates load one that nobody approved. What is returned is a private
        copy of just the bytes that were verified. Raises CorruptAdapter, WrongBase, BadSignature, LedgerTampered, and
        PolicyError where the release was never production.
        """
        if not release.number:
            self._expect_released(release, None)
            return None
        copied, manifest = self._copies.take(self.folder_of(release.update), self.identity, release.manifest)
        self._expect_released(release, manifest)
        return copied

    def unapproved_adapter(self, manifest: AdapterManifest) -> Path:
        """A private copy of an adapter that nobody approved yet, for the gates. Raises CorruptAdapter, WrongBase."""
        return self._copies.take(self.folder_of(manifest.update), self.identity, manifest.digest)[0]

    @cached_property
    def _copies(self) -> "PrivateCopies":
        from pipeline.adapters.copies import PrivateCopies

        return PrivateCopies()

    def checkpoint(self, release: Release) -> Checkpoint:
        """A release's model with its adapter, verified. Raises as `held_adapter` does."""
        return Checkpoint(release.model, self.held_adapter(release))

    def folder_of(self, update: str) -> Path:
        return self.settings.adapters / update

    def verify(self, release: Release) -> None:
        """Checks a release's adapter on disk, its signature, and the ledger. Raises as `held_adapter` does."""
        self._expect_released(release, self.verify_bytes(release))

    def _expect_released(self, release: Release, manifest: AdapterManifest | None) -> None:
        self.high_water.expect_reached()
        self.ledger.deployments.expect_signed(release, manifest, self.trusted_keys)
        if release.number:  # the base is served without a look at what was decided
            self.high_water.note()

    @property
    def high_water(self) -> HighWater:
        """How far the ledger had come when it was last seen here."""
        return HighWater(self.settings.ledger_mark, self.ledger.database)

    def verify_bytes(self, release: Release) -> AdapterManifest | None:
        """Checks a release's adapter on disk, signed or not: its manifest; None for release 0.

        Raises CorruptAdapter or WrongBase.
        """
        from pipeline.adapters.format import verify_adapter

        return self._verified(release, verify_adapter)

    def verify_files(self, release: Release) -> AdapterManifest | None:
        """Likewise by digests alone: of a release that was production before, its values were looked at then."""
        from pipeline.adapters.format import verify_files

        return self._verified(release, verify_files)

    def verify_folder(self, folder: Path, release: Release) -> None:
        """Checks that a folder holds a release's adapter, wherever it came from. Raises CorruptAdapter or WrongBase."""
        from pipeline.adapters.format import verify_adapter

        verify_adapter(folder, self.identity, release.manifest)

    def _verified(self, release: Release, check: Verification) -> AdapterManifest | None:
        if not release.number:
            return None
        return check(self.folder_of(release.update), self.identity, release.manifest)

    @property
    def trusted_keys(self) -> KeyRing:
        """The public keys whose signatures count, read anew each time. Raises BadInput where one cannot be used."""
        return read_keys(None, self.settings.trusted_keys)

    @property
    def keys(self) -> KeyRing:
        """Likewise, with the private key of whoever decides here, if there is one."""
        return read_keys(self.settings.private_key, self.settings.trusted_keys)

    @property
    def review_rules(self) -> ReviewRules:
        it = self.settings
        return ReviewRules(approval_days=it.approval_days, approvers=it.approvers, signed_in=it.review == "team")

    @property
    def review_context(self) -> ReviewContext:
        """What a person's decision is checked by and signed with. Raises BadInput where a key cannot be used."""
        return ReviewContext(rules=self.review_rules, keys=self.keys, verify=self.verify_bytes)


def task_sources(rules: SuiteRules, workspace: Path) -> tuple[TaskSource, ...]:
    """The standard tasks that a recipe names; their folder may be relative to the workspace."""
    data = workspace / Path(rules.data).expanduser() if rules.data else None
    return tuple(TaskSource(name=name, data=data, limit=rules.limit) for name in dict.fromkeys(rules.tasks))


@lru_cache(maxsize=4)
def _open(workspace: Path) -> Workspace:
    settings = Settings.read(workspace)
    return Workspace(settings, open_ledger(settings.database_url))


def read_settings(workspace: Path) -> Settings:
    """Where a workspace's things are; opens nothing. Raises NoWorkspace, BadInput."""
    return Settings.read(workspace.resolve())


def open_workspace(workspace: Path) -> Workspace:
    """The parts of a workspace, built once a process. Raises NoWorkspace, BadInput, DatabaseFailed."""
    return _open(workspace.resolve())
