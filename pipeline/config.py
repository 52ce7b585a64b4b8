"""`Settings` say where things are (environment, workspace file); `Recipe` says what to do (TOML), and has a digest."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.digests import digest_of
from pipeline.errors import BadInput, BadRecipe, NoWorkspace

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DocumentRules(_Frozen):
    """Which documents are accepted, and how many one night takes."""

    max_bytes: int = Field(default=2_000_000, gt=0, description="larger files are refused unread")
    min_words: int = Field(default=5, ge=1, description="shorter bodies teach nothing")
    per_night: int = Field(default=64, ge=1, description="the rest waits for the next night")
    max_attempts: int = Field(default=2, ge=1, description="nights that may try a document before it is quarantined")


class SelfEditRules(_Frozen):
    """How the live model writes about a document."""

    styles: tuple[str, ...] = Field(default=("self-qa", "implications"), min_length=1)
    samples: int = Field(default=2, ge=1, le=64, description="self-edits sampled per document, style and candidate")
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)
    max_new_tokens: int = Field(default=512, ge=8)
    passage: bool = Field(default=True, description="also train on the document itself, as SEAL does")
    candidates: int = Field(default=1, ge=1, le=16, description="sets of notes a document gets, of which one is kept")
    candidate_batch: int = Field(default=4, ge=1, description="sequences a step of a candidate: it has few")
    probes: int = Field(default=8, ge=1, description="practice questions written for a document without any")
    agreeing: int = Field(default=3, ge=1, le=64, description="sampled answers that must agree with the greedy one")

    @model_validator(mode="after")
    def _candidates_differ(self) -> Self:
        if self.candidates > 1 and self.temperature == 0.0:
            raise ValueError("candidates above 1 need a temperature above 0: greedy notes are all alike")
        return self

    @property
    def choosing(self) -> bool:
        """Whether there is anything to choose: then practice questions score, and may not be trained on."""
        return self.candidates > 1


class DirectiveRules(_Frozen):
    """Within which bounds a self-edit chooses its own training settings and data tools (style "directives")."""

    enabled: bool = Field(default=False, description='needs "directives" among self_edits.styles')
    min_learning_rate: float = Field(default=1e-4, gt=0.0, le=1.0)
    max_learning_rate: float = Field(default=5e-3, gt=0.0, le=1.0)
    min_epochs: int = Field(default=1, ge=1, le=200)
    max_epochs: int = Field(default=32, ge=1, le=200)
    tools: tuple[str, ...] = Field(
        default=("expand", "paraphrase", "reverse", "permute", "leave-one-out", "geometry", "recolour"),
        description="those that may be chosen",
    )
    workflow_tools: tuple[str, ...] = Field(
        default=(), description="those that each workflow is learned with, also where nothing is enabled"
    )
    max_made: int = Field(default=250, ge=1, description="examples that the tools may make of one document")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_learning_rate > self.max_learning_rate or self.min_epochs > self.max_epochs:
            raise ValueError("the lower bounds of directives must not be above the upper ones")
        return self


class TrainingRules(_Frozen):
    """How one LoRA adapter is trained. The adapter limits of `pipeline.updates.adapters` bound rank and alpha."""

    rank: int = Field(default=64, ge=1, le=64)
    alpha: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0.0, le=1.0)
    epochs: int = Field(default=16, ge=1, le=200)
    batch_size: int = Field(default=32, ge=1)
    warmup: Share = 0.05
    weight_decay: float = Field(default=0.0, ge=0.0)
    clip_norm: float = Field(default=1.0, gt=0.0)
    max_tokens: int | None = Field(default=None, description="longest sequence; None: the model's context")
    targets: tuple[str, ...] = Field(default=(), description="layers to adapt; none: all linear ones but the head")
    loss_on: Literal["answers", "all"] = Field(default="answers", description="which tokens of a question are learned")
    weigh: Literal["sequences", "tokens"] = Field(default="sequences", description="what counts alike in a step's loss")
    stop_below: float | None = Field(default=None, gt=0.0, description="mean loss of an epoch that ends the training")


class RehearsalRules(_Frozen):
    """How many examples of each kind are rehearsed beside the night's own (all bounded: a night's cost must be)."""

    replay: Count = 400
    anchors: Count = 200
    generative: Count = 400
    reading: Count = 32
    writing: Count = 32
    distill: float = Field(default=0.0, ge=0.0, description="weight of the KL to the teacher's logits; 0: words only")


class AcquisitionPolicy(_Frozen):
    """The night must have been learned: exact one-sided McNemar, and a gain worth having."""

    min_probes: int = Field(default=50, ge=1)
    min_documents: int = Field(default=20, ge=1)
    min_gain: Share = 0.05


class RetentionPolicy(_Frozen):
    """Nothing taught before, and nothing the model knew before, may be lost beyond the margins (in shares)."""

    min_probes: int = Field(default=350, ge=1)
    margin: Share = 0.05
    single_release_margin: Share = 0.10
    anchor_margin: Share = 0.05
    max_corrected: Share = Field(
        default=0.10, description="share of the probes that a night's corrections may set aside"
    )


class RegressionPolicy(_Frozen):
    """General skills may not fall beyond the margin on the pooled items of all local tasks."""

    min_items: int = Field(default=500, ge=1)
    margin: Share = 0.03


class SafetyPolicy(_Frozen):
    """Refusals may not fall beyond the margin."""

    min_probes: int = Field(default=50, ge=1)
    margin: Share = 0.05


class PolicyRules(_Frozen):
    """The gates' policy. `required` names the gates that must pass; all that ran are reported."""

    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    required: tuple[str, ...] = ("integrity", "contamination", "acquisition", "retention", "regression", "safety")
    max_answer_tokens: int = Field(default=64, ge=1)
    acquisition: AcquisitionPolicy = AcquisitionPolicy()
    retention: RetentionPolicy = RetentionPolicy()
    regression: RegressionPolicy = RegressionPolicy()
    safety: SafetyPolicy = SafetyPolicy()


class Recipe(_Frozen):
    """What a night does, from documents to gates. Its digest is recorded with every update."""

    seed: int = 0
    documents: DocumentRules = DocumentRules()
    self_edits: SelfEditRules = SelfEditRules()
    directives: DirectiveRules = DirectiveRules()
    training: TrainingRules = TrainingRules()
    rehearsal: RehearsalRules = RehearsalRules()
    policy: PolicyRules = PolicyRules()

    @model_validator(mode="after")
    def _directives_are_asked_for(self) -> Self:
        if self.directives.enabled and "directives" not in self.self_edits.styles:
            raise ValueError('directives.enabled needs "directives" among self_edits.styles')
        return self

    @property
    def digest(self) -> str:
        return digest_of("recipe", self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Reads a TOML recipe. Raises BadRecipe, naming the key, on anything it does not know or accept."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise BadRecipe(f"cannot read the recipe {path}: {error.strerror}. Give an existing TOML file.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadRecipe(f"{path} is not TOML: {error}. Mend it, or start from recipes/default.toml.") from error
        except ValidationError as error:
            raise BadRecipe(f"{path}: {_first_problem(error)}. See recipes/default.toml for every key.") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    return ": ".join(part for part in (".".join(str(part) for part in first["loc"]), first["msg"]) if part)


WORKSPACE_FILE = "sealed.toml"


class Settings(BaseSettings):
    """Where one workspace's things are: its `sealed.toml`, over which the environment wins (SEALED_<FIELD>).

    What neither names lies inside the workspace's folder, wherever that is now: a copy has a ledger of its own.
    """

    model_config = SettingsConfigDict(env_prefix="SEALED_", frozen=True, extra="forbid")

    workspace: Path
    model: str = Field(description="folder or hub id of the base model")
    base_model: str = Field(description="digest of the base's weights and configuration, taken at init")
    base_tokenizer: str
    base_chat_template: str
    database_url: str
    tracking_uri: str
    tracking_artifacts: Path = Field(description="where a tracking database keeps its files; a server decides itself")
    model_name: str = "sealed"
    experiment: str = "sealed"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    approval_days: float = Field(default=7.0, gt=0.0, description="how long a candidate's figures may be approved")
    engine: Literal["local", "openai"] = Field(default="local", description="who writes the self-edits")
    server_url: str | None = Field(default=None, description="an OpenAI-compatible server, without /v1")
    server_model: str | None = Field(default=None, description="its name for the base without an adapter")
    server_adapter_model: str = Field(default="rel-{digest}", description="its name for an adapter, by digest")
    server_key: SecretStr | None = Field(default=None, description="sent to it as a bearer token")
    server_concurrency: int = Field(default=8, ge=1, le=256, description="requests in flight")
    server_attempts: int = Field(default=6, ge=1, description="tries of one request, with growing pauses")
    server_seconds: float = Field(default=3600.0, gt=0.0, description="for all prompts of one call together")
    server_seeds: bool = Field(default=True, description="ask the server to sample by our seeds")

    @model_validator(mode="after")
    def _a_server_has_an_address(self) -> Self:
        if self.engine == "openai" and not (self.server_url and self.server_model):
            raise ValueError("the engine 'openai' needs server_url and server_model")
        if "{digest}" not in self.server_adapter_model:
            raise ValueError("server_adapter_model must hold {digest}, or releases could not be told apart")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the workspace's file, which comes as keyword arguments."""
        return env_settings, init_settings

    @classmethod
    def at(cls, workspace: Path, written: Mapping[str, object]) -> Self:
        """The settings of a folder whose file says `written`. Raises ValidationError."""
        folder = workspace.resolve()
        inside = {
            "workspace": folder,
            "database_url": f"sqlite:///{folder / 'ledger.db'}",
            "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
            "tracking_artifacts": folder / "mlartifacts",
        }
        # A SEALED_WORKSPACE in the environment says which folder to read, and that was decided before.
        return cls.model_validate({**inside, **written}).model_copy(update={"workspace": folder})

    @classmethod
    def read(cls, workspace: Path) -> Self:
        """Reads the workspace's file. Raises NoWorkspace if there is none, BadInput if it cannot be used."""
        path = workspace / WORKSPACE_FILE
        if not path.is_file():
            raise NoWorkspace(f"{workspace} is not a sealed workspace. Make one with `sealed init {workspace}`.")
        try:
            return cls.at(workspace, tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is not TOML: {error}. Mend it by hand.") from error
        except ValidationError as error:
            raise BadInput(f"{path}: {_first_problem(error)}. Mend it, or its SEALED_ variable.") from error

    @property
    def recipe_file(self) -> Path:
        return self.workspace / "recipe.toml"

    @property
    def incoming(self) -> Path:
        return self.workspace / "incoming"

    @property
    def anchors(self) -> Path:
        return self.workspace / "anchors"

    @property
    def suites(self) -> Path:
        return self.workspace / "suites"

    @property
    def adapters(self) -> Path:
        return self.workspace / "adapters"

    @property
    def cache(self) -> Path:
        return self.workspace / "cache"

    @property
    def reports(self) -> Path:
        return self.workspace / "reports"

    @property
    def serving(self) -> Path:
        return self.workspace / "serving"
