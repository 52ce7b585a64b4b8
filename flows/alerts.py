"""Calls somebody through a Prefect notification block. That it could not is said in the log, and fails nothing."""

import asyncio
import inspect
import logging

import httpx
import prefect.blocks.notifications  # noqa: F401  (makes Prefect's own types of blocks known)
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block, UnknownBlockType
from prefect.exceptions import PrefectHTTPStatusError

log = logging.getLogger("sealed")

_FAILURES = (
    ValueError,  # no such block, or what it holds is not valid
    UnknownBlockType,
    NotificationError,
    httpx.HTTPError,
    PrefectHTTPStatusError,
    OSError,
    RuntimeError,  # no server of Prefect's could be started
)


def raise_alert(block: str | None, subject: str, body: str) -> bool:
    """Sends an alert through the block TYPE/NAME, such as "slack-webhook/on-call". Returns whether it was sent.

    Always logs it. Without a block, or where it does not answer, the log line is all there is.
    """
    log.warning("%s: %s", subject, body)
    if block is None:
        return False
    try:
        _send(block, subject, body)
    except _FAILURES as error:
        log.warning("the alert was not sent through the block %s: %s. Correct alert_block.", block, error)
        return False
    return True


def _send(name: str, subject: str, body: str) -> None:
    found = Block.load(name)
    if not isinstance(found, NotificationBlock):
        raise ValueError(f"it is a {type(found).__name__}, which notifies nobody")
    with found.raise_on_failure():
        # Prefect's own blocks have sent it by then; one of somebody else's may give a coroutine back.
        sent: object = found.notify(body=body, subject=subject)
        if inspect.iscoroutine(sent):
            asyncio.run(sent)
