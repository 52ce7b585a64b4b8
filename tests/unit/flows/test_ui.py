"""What `sealed ui` would start: arguments, environments, ports and accounts, without starting anything."""

import socket
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from flows.services.ui import ports, processes
from flows.services.ui.accounts import FILE, Accounts, accounts_of, read_accounts
from flows.services.ui.ports import HOST, Ports, free_ports
from flows.services.ui.processes import MARK, Plan
from pipeline.config import Settings
from pipeline.errors import BadDataFile, BadInput, ExternalError
from registry.mlflow.app.roles import Roles

ACCOUNTS = Accounts(reviewer="grace", reviewer_password="of-grace", admin_password="of-admin", cookies="of-cookies")
PARTS = ("prefect", "mlflow", "gateway", "deploy", "deploy", "worker")


def plan(workspace: Path, base: dict[str, str] | None = None, roles: Roles | None = None, **settings: str) -> Plan:
    named = dict.fromkeys(("model", "base_model", "base_tokenizer", "base_chat_template"), "x")
    return Plan(
        settings=Settings.at(workspace, {**named, **settings}),
        accounts=ACCOUNTS,
        ports=(5000, 4200, 8080),
        roles=roles or Roles(),
        base=base or {"PATH": "/bin"},
    )


def every(planned: Plan) -> tuple[processes.Process, ...]:
    return (*processes.servers(planned), *processes.deploying(planned), processes.worker(planned))


def test_all_parts_run_by_this_interpreter_and_listen_on_this_machine_alone(tmp_path: Path) -> None:
    parts = every(plan(tmp_path))
    assert tuple(part.name for part in parts) == PARTS
    for part in parts:
        assert part.command[:2] == (sys.executable, "-m")
        assert "0.0.0.0" not in part.command
    for server in parts[:3]:
        assert server.command[server.command.index("--host") + 1] == HOST
        assert server.ready.startswith(f"http://{HOST}:")


def test_no_secret_is_an_argument_or_shown(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    for part in every(planned):
        assert not any(secret in word for secret in ACCOUNTS.secrets for word in part.command)
    assert not any(secret in repr((planned, every(planned))) for secret in ACCOUNTS.secrets)


def test_mlflow_serves_the_store_that_runs_write_to_with_our_plugin_and_its_switches(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    server = processes.mlflow_server(planned)
    environment = server.environment
    assert server.command[server.command.index("--app-name") + 1] == "sealed"
    assert environment["MLFLOW_BACKEND_STORE_URI"] == planned.settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert str(planned.settings.tracking_artifacts) in server.command
    assert f"{HOST}:5000,localhost:5000" in server.command
    assert environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] == ACCOUNTS.cookies
    assert environment["SEALED_WORKSPACE"] == str(tmp_path)


def test_the_reviewer_reviews_and_rolls_back_beside_those_that_the_caller_names(tmp_path: Path) -> None:
    roles = Roles(reviewers=frozenset({"ada"}), trainers=frozenset({"trainer"}))
    environment = processes.mlflow_server(plan(tmp_path, roles=roles)).environment
    assert environment["SEALED_REVIEWERS"] == "ada,grace"
    assert environment["SEALED_ON_CALL"] == "grace"
    assert environment["SEALED_TRAINERS"] == "trainer"


def test_the_sign_in_file_holds_no_password(tmp_path: Path) -> None:
    text = processes.sign_in_text(plan(tmp_path))
    assert f"sqlite:///{tmp_path}/ui/accounts.db" in text
    assert not any(secret in text for secret in ACCOUNTS.secrets)


def test_prefect_asks_for_a_sign_in_and_its_clients_have_it(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    server = processes.prefect_server(planned).environment
    assert server["PREFECT_SERVER_API_AUTH_STRING"] == "admin:of-admin"
    assert server["PREFECT_HOME"] == str(tmp_path / "prefect")
    for client in (*processes.deploying(planned), processes.worker(planned)):
        assert client.environment["PREFECT_API_URL"] == f"http://{HOST}:4200/api"
        assert client.environment["PREFECT_API_AUTH_STRING"] == "admin:of-admin"
        assert "PREFECT_SERVER_API_AUTH_STRING" not in client.environment


def test_the_deployments_lie_where_they_are_deployed_from(tmp_path: Path) -> None:
    deploy = processes.deploying(plan(tmp_path))[-1]
    assert deploy.folder
    assert (deploy.folder / deploy.command[-1]).is_file()


def test_what_leads_to_other_servers_is_not_passed_on(tmp_path: Path) -> None:
    base = {
        "PATH": "/bin",
        "MLFLOW_TRACKING_URI": "http://elsewhere",
        "PREFECT_API_URL": "http://elsewhere/api",
        "PREFECT_API_KEY": "theirs",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    for part in every(plan(tmp_path, base)):
        assert part.environment["PATH"] == "/bin"
        assert part.environment["PREFECT_LOGGING_LEVEL"] == "DEBUG"
        assert part.environment[MARK] == f"{part.name}@{tmp_path}"
        assert not any("elsewhere" in value or value == "theirs" for value in part.environment.values())


def test_a_workspace_with_an_mlflow_server_keeps_it(tmp_path: Path) -> None:
    base = {"MLFLOW_TRACKING_USERNAME": "trainer", "MLFLOW_TRACKING_PASSWORD": "word"}
    planned = plan(tmp_path, base, tracking_uri="https://mlflow.example.com")
    assert [part.name for part in processes.servers(planned)] == ["prefect", "gateway"]
    assert planned.addresses.mlflow == "https://mlflow.example.com"
    assert processes.worker(planned).environment["MLFLOW_TRACKING_PASSWORD"] == "word"


def test_accounts_are_made_once_in_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    accounts, made = accounts_of(tmp_path, None, "somebody")
    assert made
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert accounts_of(tmp_path, None, "somebody") == (accounts, False)
    assert len({*accounts.secrets}) == 3
    assert min(map(len, accounts.secrets)) >= 24
    assert tomllib.loads((tmp_path / FILE).read_text("utf-8"))["reviewer"] == "reviewer"


@pytest.mark.parametrize("name", ["", "admin", "grаce"], ids=["empty", "admin", "two alphabets"])
def test_a_name_that_proves_nothing_makes_no_account(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        accounts_of(tmp_path, name or "-", "somebody")
    assert not (tmp_path / FILE).exists()


def test_the_reviewer_is_neither_the_proposer_nor_changed_later(tmp_path: Path) -> None:
    accounts_of(tmp_path, "grace", "somebody")
    with pytest.raises(BadInput, match="the reviewer of this workspace is grace"):
        accounts_of(tmp_path, "ada", "somebody")
    with pytest.raises(BadInput, match="could be taken for one person"):
        accounts_of(tmp_path, None, "Grace")


def test_accounts_that_cannot_be_read_are_named_without_their_text(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('reviewer_password = "hush\n', encoding="utf-8")
    with pytest.raises(BadDataFile, match=FILE) as caught:
        read_accounts(tmp_path)
    assert "hush" not in str(caught.value)


def test_a_usual_port_that_is_taken_gives_way_and_a_given_one_is_an_error() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ExternalError, match="Give another port"):
            free_ports(Ports(mlflow=0, prefect=port, gateway=0))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ports, "GATEWAY", port)
            found = free_ports(Ports(mlflow=0, prefect=0))
    assert len({*found, port}) == 4
