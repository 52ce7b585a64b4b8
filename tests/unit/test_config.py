"""Settings: the environment wins over the workspace's file, and mistakes are named."""

import shutil
from pathlib import Path

import pytest

from pipeline.config import Settings
from pipeline.errors import BadInput, NoWorkspace


def written_down(folder: Path, **more: str) -> None:
    named = dict.fromkeys(("model", "base_model", "base_tokenizer", "base_chat_template"), "x") | more
    (folder / "sealed.toml").write_text("".join(f'{name} = "{value}"\n' for name, value in named.items()), "utf-8")


def test_the_environment_wins_over_the_workspace_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written_down(tmp_path, tracking_uri="http://elsewhere:5000", database_url="sqlite:////elsewhere/ledger.db")
    monkeypatch.setenv("SEALED_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("SEALED_WORKSPACE", "/another/folder")
    settings = Settings.read(tmp_path)
    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.database_url == "sqlite:////elsewhere/ledger.db"
    assert settings.workspace == tmp_path.resolve()
    assert settings.tracking_artifacts == tmp_path.resolve() / "mlartifacts"


def test_what_nobody_names_lies_in_the_folder_wherever_that_is(tmp_path: Path) -> None:
    written_down(tmp_path)
    copy = Path(shutil.copytree(tmp_path, tmp_path.with_name("copy")))
    for folder in (tmp_path.resolve(), copy.resolve()):
        settings = Settings.read(folder)
        assert settings.database_url == f"sqlite:///{folder / 'ledger.db'}"
        assert settings.tracking_uri == f"sqlite:///{folder / 'mlflow.db'}"
        assert settings.tracking_artifacts == folder / "mlartifacts"


def test_a_folder_without_the_file_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(NoWorkspace, match="sealed init"):
        Settings.read(tmp_path)


def test_a_server_that_writes_needs_an_address_and_a_name_by_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("workspace", "model", "base_model", "base_tokenizer", "base_chat_template", "database_url", "tracking_uri")
    (tmp_path / "sealed.toml").write_text("".join(f'{name} = "x"\n' for name in names), encoding="utf-8")
    assert Settings.read(tmp_path).engine == "local"
    monkeypatch.setenv("SEALED_ENGINE", "openai")
    with pytest.raises(BadInput, match="needs server_url and server_model"):
        Settings.read(tmp_path)
    monkeypatch.setenv("SEALED_SERVER_URL", "http://vllm:8000")
    monkeypatch.setenv("SEALED_SERVER_MODEL", "base")
    monkeypatch.setenv("SEALED_SERVER_KEY", "hush")
    assert "hush" not in repr(Settings.read(tmp_path))
    monkeypatch.setenv("SEALED_SERVER_ADAPTER_MODEL", "live")
    with pytest.raises(BadInput, match="told apart"):
        Settings.read(tmp_path)


@pytest.mark.parametrize("setting", ["SEALED_ENGINE", "SEALED_SERVING"])
def test_vllm_needs_an_address_and_gets_a_folder_of_adapters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    written_down(tmp_path)
    monkeypatch.setenv(setting, "vllm")
    with pytest.raises(BadInput, match="vllm needs server_url"):
        Settings.read(tmp_path)
    monkeypatch.setenv("SEALED_SERVER_URL", "http://vllm:8000")
    assert Settings.read(tmp_path).server_adapters == tmp_path.resolve() / "served-adapters"
