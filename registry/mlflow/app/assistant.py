"""Refuses MLflow's assistant: it starts programs under the server's account, which may write to the ledger."""

from flask import Response, request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mlflow/assistant"
_REFUSAL = {
    "error_code": "PERMISSION_DENIED",
    "message": "the assistant is off here: it would act under the account that holds the ledger.",
}
# MLflow's page opens the assistant by itself, once, where its address is a local one; it then remembers that it did.
_HEAD, _REMEMBERED = b"<head>", "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"
_SCRIPT = f"<script>localStorage.setItem('{_REMEMBERED}', 'true')</script>".encode()


def without_panel(response: Response) -> Response:
    """MLflow's page, so that it opens no panel beside the review for what is off; any other response as it is."""
    if request.path == "/" and response.mimetype == "text/html" and response.status_code == 200:
        response.direct_passthrough = False
        response.set_data(response.get_data().replace(_HEAD, _HEAD + _SCRIPT, 1))
    return response


class WithoutAssistant:
    """Wraps an ASGI application; answers 403 to every request to the assistant, and passes on all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = scope["type"] == "http" and PATH in scope["path"]
        await (JSONResponse(_REFUSAL, 403) if refused else self._app)(scope, receive, send)
