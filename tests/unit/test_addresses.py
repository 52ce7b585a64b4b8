"""No password of an address is shown, wherever the address stands."""

import pytest

from pipeline.addresses import shown


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("postgresql+psycopg://sealed:s3cret@db:5432/ledger", "postgresql+psycopg://sealed:***@db:5432/ledger"),
        ("MLflow at https://rita:p%40ss@mlflow/ failed", "MLflow at https://rita:***@mlflow/ failed"),
        ("http://:token@server", "http://:***@server"),
        ("sqlite:////srv/w/ledger.db", "sqlite:////srv/w/ledger.db"),
        ("http://mlflow:5000/#/models", "http://mlflow:5000/#/models"),
    ],
)
def test_a_password_is_not_shown(address: str, safe: str) -> None:
    assert shown(address) == safe
