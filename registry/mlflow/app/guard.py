"""Holds each request that would change MLflow's registry until the rules have decided, and writes the decision first.

It runs inside MLflow's server after the sign-in. All effects are here; the rules are in `rules`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from flask import g, request
from flask.typing import ResponseReturnValue
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE
from mlflow.server import handlers

from pipeline.errors import DatabaseFailed
from registry.mlflow.app.ledger import ServerLedger
from registry.mlflow.app.parsing import changes_registry, parse
from registry.mlflow.app.requests import RegistryRequest
from registry.mlflow.app.roles import Roles
from registry.mlflow.app.rules import Record, Refuse, decide

log = logging.getLogger("sealed")

LEDGER_DOWN = (
    "the ledger does not answer, so nothing was decided and nothing was changed. Try again in a minute. If it stays "
    "so, see the log of this server."
)


@dataclass(frozen=True)
class Guard:
    """Who may do what, and the ledger that every decision is judged by and written to."""

    roles: Roles
    ledger: ServerLedger

    def before_request(self) -> ResponseReturnValue | None:
        """None lets MLflow go on; a response ends the request: 403 with a sentence, or 503 without the ledger."""
        answer: Callable[[], ResponseReturnValue | None] = handlers.catch_mlflow_exception(self._hold)
        return answer()

    def permitted(self, own: Callable[[], bool]) -> Callable[[], bool]:
        """MLflow's `own` permission for one route, for all but those who have a role: the guard decides about those.

        Without it, a reviewer would also need a permission of MLflow's that lets them change every tag.
        """

        def permission() -> bool:
            who = _signed_in()
            if who in self.roles.everybody or own():
                return True
            _refuse(
                f"{who} may not change the registry: the configuration of this server gives {who} no role. Ask whoever "
                "runs it to name you a reviewer."
            )

        return permission

    def _hold(self) -> None:
        path = request.url_rule.rule if request.url_rule else request.path
        if not changes_registry(path, request.method, request.endpoint or ""):
            return
        who = _signed_in()
        asked = parse(request)
        try:
            self._judge(asked, who)
        except DatabaseFailed as error:
            log.warning("%s may not %s now: %s", who, asked.action, error)
            raise MlflowException(LEDGER_DOWN, error_code=TEMPORARILY_UNAVAILABLE) from None

    def _judge(self, asked: RegistryRequest, who: str) -> None:
        ruling = decide(asked, who, self.roles, self.ledger.view(), datetime.now(UTC))
        if isinstance(ruling, Refuse):
            _refuse(ruling.sentence)
        if isinstance(ruling, Record):
            self.ledger.record(ruling.decision)
            log.info("%s: %s of release %d", who, ruling.decision.kind, ruling.decision.release)


def _signed_in() -> str:
    """The name that MLflow's sign-in proved."""
    who: Any = g.get("mlflow_authenticated_user")
    if not who:
        _refuse("nobody is signed in: sign in to MLflow, then try again.")
    return str(who)


def _refuse(sentence: str) -> NoReturn:
    log.info("refused: %s", sentence)
    raise MlflowException(sentence, error_code=PERMISSION_DENIED)
