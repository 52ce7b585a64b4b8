"""Refuses MLflow's assistant: it starts programs under the server's account, which may write to the ledger."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mlflow/assistant"
_REFUSAL = {
    "error_code": "PERMISSION_DENIED",
    "message": "the assistant is off here: it would act under the account that holds the ledger.",
}


class WithoutAssistant:
    """Wraps an ASGI application; answers 403 to every request to the assistant, and passes on all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = scope["type"] == "http" and PATH in scope["path"]
        await (JSONResponse(_REFUSAL, 403) if refused else self._app)(scope, receive, send)
