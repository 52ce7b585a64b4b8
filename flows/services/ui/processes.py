"""Which processes make up `sealed ui`: their arguments, their environment, and how each is known to be ready. Pure.

Nothing is started here. Secrets go by the environment: other accounts can see arguments.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import flows
from flows.services.ui.accounts import Accounts
from flows.services.ui.ports import HOST, Addresses
from pipeline.config import Settings
from registry.mlflow.app.roles import Roles

# Says of each process, and of all that it starts in turn, which `sealed ui` it belongs to.
MARK = "SEALED_UI"
# Here lie the flows, and the deployments beside them, in a checkout as in an installation.
CODE = Path(flows.__file__).parents[1]
POOL = "sealed"
# Runs at a time: where reconciling takes longer than its schedule allows, late ones queue instead of piling up.
RUNS_AT_ONCE = 4
SOURCE_OF_VERSIONS = "^models:/m-[0-9a-f]{32}$"
_DRAIN_SECONDS = 65.0  # the gateway answers requests under way for a minute
_NOT_PASSED_ON = ("MLFLOW_TRACKING_", "PREFECT_API_", "PREFECT_PROFILE", "PREFECT_SERVER_")
Environment = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process. `ready`: the address that answers 200 once it does its work, or "". `grace`: seconds to its end."""

    name: str
    command: tuple[str, ...]
    environment: Environment = field(repr=False)
    log: Path
    folder: Path | None = None
    ready: str = ""
    grace: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all processes are derived from. `base`: the environment of whoever starts them; `roles`: those it names."""

    settings: Settings
    accounts: Accounts = field(repr=False)
    ports: tuple[int, int, int]
    roles: Roles
    base: Environment = field(repr=False)

    @property
    def folder(self) -> Path:
        """Where logs, accounts and addresses are kept."""
        return folder_of(self.settings.workspace)

    @property
    def own_mlflow(self) -> bool:
        """Whether the workspace keeps its MLflow store in a database, which needs a server to be seen."""
        return not self.settings.tracking_uri.startswith(("http://", "https://"))

    @property
    def addresses(self) -> Addresses:
        mlflow, prefect, gateway = (f"http://{HOST}:{port}" for port in self.ports)
        return Addresses(
            mlflow=mlflow if self.own_mlflow else self.settings.tracking_uri, prefect=prefect, gateway=gateway
        )

    @property
    def scheduler(self) -> dict[str, str]:
        """By what a process finds the Prefect server of this plan."""
        return scheduler_variables(self.settings.workspace, self.accounts, self.addresses)


def folder_of(workspace: Path) -> Path:
    """The folder of a workspace that is `sealed ui`'s own."""
    return workspace / "ui"


def mark_of(workspace: Path, name: str = "") -> str:
    """The value of MARK for a process of that name; all of a workspace's end alike."""
    return f"{name}@{workspace}"


def servers(plan: Plan) -> tuple[Process, ...]:
    """The servers, in the order in which they are started. They do not wait for one another."""
    return (prefect_server(plan), *([mlflow_server(plan)] if plan.own_mlflow else []), gateway(plan))


def mlflow_server(plan: Plan) -> Process:
    """MLflow with our plugin, over the workspace's own store: the one that runs write to as well."""
    port, reviewer = plan.ports[0], {plan.accounts.reviewer}
    roles = {
        "SEALED_REVIEWERS": ",".join(sorted(plan.roles.reviewers | reviewer)),
        "SEALED_ON_CALL": ",".join(sorted(plan.roles.on_call | reviewer)),
        "SEALED_TRAINERS": ",".join(sorted(plan.roles.trainers)),
    }
    own = {
        "MLFLOW_BACKEND_STORE_URI": plan.settings.tracking_uri,
        "MLFLOW_AUTH_CONFIG_PATH": str(sign_in_file(plan)),
        "MLFLOW_AUTH_ADMIN_PASSWORD": plan.accounts.admin_password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": plan.accounts.cookies,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": SOURCE_OF_VERSIONS,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return Process(
        name="mlflow",
        command=(
            *_python("mlflow", "server", "--app-name", "sealed", "--workers", "1", "--host", HOST, "--port", str(port)),
            *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
            *("--artifacts-destination", str(plan.settings.tracking_artifacts)),
        ),
        environment=_environment(plan, "mlflow", roles | own),
        log=plan.folder / "mlflow.log",
        ready=f"{plan.addresses.mlflow}/health",
    )


def sign_in_file(plan: Plan) -> Path:
    """The file by which MLflow finds its accounts."""
    return plan.folder / "sign-in.ini"


def sign_in_text(plan: Plan) -> str:
    """What that file says. Everybody who has an account may read; the plugin decides about the rest."""
    database = f"sqlite:///{plan.folder / 'accounts.db'}".replace("%", "%%")
    return (
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\nadmin_username = {plan.accounts.admin}\n"
        # Each page asks dozens of times, and a password is hashed slowly on purpose.
        "auth_cache_ttl_seconds = 60\n"
    )


def prefect_server(plan: Plan) -> Process:
    """Prefect over the workspace's records. It asks for a sign-in: any page of a browser can reach a local port."""
    own = {
        "PREFECT_SERVER_API_AUTH_STRING": plan.accounts.scheduler_sign_in,
        # A schedule of 15 seconds would else fill an hour, in one long write to SQLite.
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT5M",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The newer pages ask an analytics service of others, before anybody could have told them not to.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    return Process(
        name="prefect",
        command=_python("prefect", "server", "start", "--host", HOST, "--port", str(plan.ports[1])),
        environment=_environment(plan, "prefect", plan.scheduler | own),
        log=plan.folder / "prefect.log",
        ready=f"{plan.addresses.prefect}/api/health",
    )


def gateway(plan: Plan) -> Process:
    """`sealed serve`."""
    where = ("-w", str(plan.settings.workspace), "--host", HOST, "--port", str(plan.ports[2]))
    return Process(
        name="gateway",
        command=_python("flows.cli", "serve", *where),
        environment=_environment(plan, "gateway", {}),
        log=plan.folder / "gateway.log",
        ready=f"{plan.addresses.gateway}/ready",
        grace=_DRAIN_SECONDS,
    )


def deploying(plan: Plan) -> tuple[Process, ...]:
    """What is run once, one after the other, before the worker: the work pool, and the deployments in it."""
    pool = ("work-pool", "create", POOL, "--type", "process", "--overwrite")
    deploy = ("deploy", "--all", "--no-prompt", "--prefect-file", "flows/prefect.yaml")
    return tuple(_client(plan, "deploy", *words) for words in (pool, deploy))


def worker(plan: Plan) -> Process:
    """The worker in which runs and reconciliation take place."""
    return _client(plan, "worker", "worker", "start", "--pool", POOL, "--type", "process", "--limit", str(RUNS_AT_ONCE))


def _client(plan: Plan, name: str, *words: str) -> Process:
    return Process(
        name=name,
        command=_python("prefect", *words),
        environment=_environment(plan, name, plan.scheduler),
        log=plan.folder / f"{name}.log",
        folder=CODE,
    )


def scheduler_variables(workspace: Path, accounts: Accounts, addresses: Addresses) -> dict[str, str]:
    """By what a process finds the Prefect server of the workspace."""
    return {
        "PREFECT_API_URL": f"{addresses.prefect}/api",
        "PREFECT_API_AUTH_STRING": accounts.scheduler_sign_in,
        "PREFECT_HOME": str(workspace / "prefect"),
    }


def _python(module: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *words)


def _environment(plan: Plan, name: str, own: Environment) -> dict[str, str]:
    """What the caller has, without what would lead to other servers, and then what is the process's own."""
    kept = {key: value for key, value in plan.base.items() if not key.startswith(_NOT_PASSED_ON)}
    # A server elsewhere takes the sign-in that the caller has for it.
    away = {} if plan.own_mlflow else {key: value for key, value in plan.base.items() if key.startswith("MLFLOW_TRA")}
    shared = {
        "SEALED_WORKSPACE": str(plan.settings.workspace),
        MARK: mark_of(plan.settings.workspace, name),
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }
    return {**kept, **away, **shared, **own}
