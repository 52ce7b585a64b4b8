"""`Settings` say where one workspace's things are: its file, over which the environment wins."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.addresses import database_address, header_key, server_address
from pipeline.errors import BadInput, NoWorkspace, first_problem
from pipeline.nesting import toml_of

WORKSPACE_FILE = "sealed.toml"


class Settings(BaseSettings):
    """Where one workspace's things are: its `sealed.toml`, over which the environment wins (SEALED_<FIELD>).

    What neither names lies inside the workspace's folder, wherever that is now: a copy has a ledger of its own.
    """

    # What is not usable may hold a secret: no error of pydantic's shows it.
    model_config = SettingsConfigDict(env_prefix="SEALED_", frozen=True, extra="forbid", hide_input_in_errors=True)

    workspace: Path
    model: str = Field(description="folder or hub id of the base model")
    base_model: str = Field(description="digest of the base's weights and configuration, taken at init")
    base_tokenizer: str
    base_chat_template: str
    database_url: str = Field(repr=False)
    tracking_uri: str = Field(repr=False)
    tracking_artifacts: Path = Field(description="where a tracking database keeps its files; a server decides itself")
    model_name: str = "sealed"
    experiment: str = "sealed"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    approval_days: float = Field(default=7.0, gt=0.0, description="how long a candidate's figures may be approved")
    review: Literal["single", "team"] = Field(default="single", description="whose approvals count: see docs/operating")
    approvers: int = Field(default=1, ge=1, le=2, description="how many different people must approve a release")
    signing_key: Path | None = Field(default=None, repr=False, description="a reviewer's private key; never a run's")
    trusted_keys: Path = Field(description="the folder of the public keys whose signatures count")
    ledger_mark: Path = Field(description="a file that says how far the ledger had come when it was last seen here")
    api_keys: Path = Field(description="a file of the digests of the gateway's API keys")
    alert_block: str | None = Field(default=None, description="Prefect notification block, TYPE/NAME, for the canary")
    engine: Literal["local", "openai", "vllm"] = Field(default="local", description="who writes the self-edits")
    serving: Literal["local", "vllm"] = Field(default="local", description="what answers behind `sealed serve`")
    server_url: str | None = Field(default=None, repr=False, description="an OpenAI-compatible server, without /v1")
    server_model: str | None = Field(default=None, description="its name for the base without an adapter")
    server_adapters: Path = Field(description="a folder that vLLM reads too: adapters are put there to be loaded")
    server_adapter_model: str = Field(default="rel-{digest}", description="its name for an adapter, by digest")
    server_key: SecretStr | None = Field(default=None, description="sent to it as a bearer token")
    server_concurrency: int = Field(default=8, ge=1, le=256, description="requests in flight")
    server_attempts: int = Field(default=6, ge=1, description="tries of one request, with growing pauses")
    server_seconds: float = Field(default=3600.0, gt=0.0, description="for all prompts of one call together")
    judge_url: str | None = Field(default=None, repr=False, description="a chat model's server, for a second opinion")
    judge_model: str | None = Field(default=None, description="its name there")
    judge_key: SecretStr | None = Field(default=None, description="sent to it as a bearer token")
    server_seeds: bool = Field(default=True, description="ask the server to sample by our seeds")

    @field_validator("database_url", "tracking_uri", mode="after")
    @classmethod
    def _an_address_can_be_read_in_one_way(cls, address: str) -> str:
        http = address.strip().lower().startswith(("http://", "https://"))
        return server_address(address) if http else database_address(address)

    @field_validator("server_url", "judge_url", mode="after")
    @classmethod
    def _a_server_can_be_reached(cls, address: str | None) -> str | None:
        return server_address(address) if address else None

    @field_validator("server_key", "judge_key", mode="after")
    @classmethod
    def _a_key_can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        return SecretStr(header_key(key.get_secret_value())) if key else None

    @model_validator(mode="after")
    def _a_server_has_an_address(self) -> Self:
        if self.engine == "openai" and not (self.server_url and self.server_model):
            raise ValueError("the engine 'openai' needs server_url and server_model")
        if (self.judge_url is None) != (self.judge_model is None):
            raise ValueError("a judge needs both judge_url and judge_model")
        if "vllm" in (self.engine, self.serving) and not self.server_url:
            raise ValueError("vllm needs server_url")
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
        """The settings of a folder whose file says `written`. Raises BadInput, without any value."""
        folder = workspace.resolve()
        inside = {
            "workspace": folder,
            "database_url": f"sqlite:///{folder / 'ledger.db'}",
            "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
            "tracking_artifacts": folder / "mlartifacts",
            "trusted_keys": folder / "keys" / "trusted",
            "ledger_mark": folder / "ledger-mark.json",
            "api_keys": folder / "api-keys.json",
            "server_adapters": folder / "served-adapters",
        }
        # A SEALED_WORKSPACE in the environment says which folder to read, and that was decided before.
        try:
            return cls.model_validate({**inside, **written}).model_copy(update={"workspace": folder})
        except ValidationError as error:
            raise BadInput(
                f"{folder / WORKSPACE_FILE}: {first_problem(error)}. Correct it, or its SEALED_ variable."
            ) from error

    @classmethod
    def read(cls, workspace: Path) -> Self:
        """Reads the workspace's file. Raises NoWorkspace if there is none, BadInput if it cannot be used."""
        path = workspace / WORKSPACE_FILE
        if not path.is_file():
            raise NoWorkspace(f"{workspace} is not a sealed workspace. Make one with `sealed init {workspace}`.")
        try:
            return cls.at(workspace, toml_of(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is not TOML: {error}. Correct it by hand.") from error

    @property
    def recipe_file(self) -> Path:
        return self.workspace / "recipe.toml"

    @property
    def incoming(self) -> Path:
        return self.workspace / "incoming"

    @property
    def rehearsal_prompts(self) -> Path:
        return self.workspace / "rehearsal_prompts"

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
    def private_key(self) -> Path | None:
        """Where the key that signs is: named by SEALED_SIGNING_KEY, else in a single person's workspace; else None."""
        if self.signing_key is not None or self.review == "team":
            return self.signing_key
        return self.workspace / "keys" / "signing.pem"

    @property
    def reports(self) -> Path:
        return self.workspace / "reports"


def expect_no_workspace(folder: Path) -> None:
    """Raises BadInput where there is a workspace, or a file, in the place of a new one."""
    if (folder / WORKSPACE_FILE).exists():
        raise BadInput(f"{folder} is a workspace already. See it with `sealed status`, or choose another folder.")
    if folder.is_file():
        raise BadInput(f"{folder} is a file. Give a folder, which may be new.")
