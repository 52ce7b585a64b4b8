"""The key with which MLflow's server signs decisions: it does not start without one that counts."""

from pathlib import Path

import pytest

from pipeline.errors import BadInput
from registry import keys
from registry.mlflow.app.ledger import LedgerAddress, ledger_address, server_keys


def test_a_server_away_from_the_workspace_signs_with_the_key_that_its_environment_names(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "server.pem", None)
    named = {"SEALED_DATABASE_URL": "sqlite:///ledger.db", "SEALED_SIGNING_KEY": str(tmp_path / "server.pem")}
    ring = server_keys(ledger_address(named))
    assert ring.expect_own().public_key() in ring.trusted.values()


@pytest.mark.parametrize("key", ["missing.pem", None])
def test_a_server_without_a_key_does_not_start(tmp_path: Path, key: str | None) -> None:
    place = tmp_path / key if key else None
    with pytest.raises(BadInput, match="this server has no key to sign decisions with"):
        server_keys(LedgerAddress("sqlite:///ledger.db", "sealed", place))


def test_a_server_whose_key_nobody_trusts_does_not_start(tmp_path: Path) -> None:
    public = keys.new_key(tmp_path / "server.pem", None)
    address = LedgerAddress("sqlite:///ledger.db", "sealed", tmp_path / "server.pem", tmp_path / "trusted")
    with pytest.raises(BadInput, match="nothing that is decided here would count"):
        server_keys(address)
    keys.trust(public, tmp_path / "trusted", only_decisions=True)
    assert server_keys(address).own is not None
