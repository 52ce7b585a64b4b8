"""What serves a workspace's releases: the gateway before this process or a vLLM server, its API keys, its feedback."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flows.services.documents import deliver_correction
from flows.wiring import Workspace
from pipeline.addresses import server_address
from pipeline.errors import BadInput, PolicyError
from registry.gateway.desired import LedgerSource
from registry.gateway.feedback import Deliver, Feedback
from registry.gateway.gateway import Gateway
from registry.gateway.grades import LedgerGrades
from registry.gateway.keys import ApiKey, KeyRing, add_key, read_keys, remove_key
from registry.gateway.metrics import Metrics
from registry.gateway.pointer import Pointer
from registry.gateway.process import Address, run_gateway
from registry.gateway.prompts import Prompts
from registry.servers.server import Server

_LOG = logging.getLogger(__name__)


def serve(workspace: Workspace, address: Address, *, keep: int, listening: Callable[[str], None]) -> None:
    """Serves production until the process is told to end. `listening` is called with the address.

    `keep`: earlier production releases that stay loaded. Raises PolicyError where others than this machine would reach
    it without a key; ModelMissing, ModelChanged, ExternalError.
    """
    if not address.local and not list_keys(workspace):
        raise PolicyError(
            f"{address.host} is reached from other machines, and no API key is set. Make one with "
            "`sealed api-keys add NAME`, or serve on 127.0.0.1."
        )
    run_gateway(make_gateway(workspace, keep=keep, keys_required=not address.local), address, listening)


def make_gateway(workspace: Workspace, *, keep: int, keys_required: bool = False) -> Gateway:
    """The parts of a gateway for a workspace; nothing is loaded but the base.

    Raises ModelMissing, ModelChanged; with vLLM EngineFailed, WrongBase.
    """
    counted = Metrics()
    server, prompts = _before_vllm(workspace) if workspace.settings.serving == "vllm" else _in_process(workspace)
    return Gateway(
        server=server,
        pointer=Pointer(LedgerSource(workspace.ledger), server, counted, keep=keep),
        prompts=prompts,
        keys=KeyRing(workspace.settings.api_keys, required=keys_required),
        deliver=_deliverer(workspace),
        record=LedgerGrades(workspace.ledger).record,
        metrics=counted,
        alias=workspace.settings.model_name,
    )


def before_vllm(workspace: Workspace, url: str, adapters: Path | None) -> Workspace:
    """The workspace, served by the vLLM server at `url`; `adapters`: a folder that it reads. Raises BadInput."""
    try:
        changes: dict[str, object] = {"serving": "vllm", "server_url": server_address(url)}
    except ValueError as error:
        raise BadInput(f"--vllm {error}.") from error
    changes |= {"server_adapters": adapters.resolve()} if adapters else {}
    return replace(workspace, settings=workspace.settings.model_copy(update=changes))


def _in_process(workspace: Workspace) -> tuple[Server, Prompts]:
    from registry.servers.local import LocalServer

    base = workspace.base
    prompts = Prompts(base.tokenizer, base.model.config.get_text_config().vocab_size, base.context)
    return LocalServer(base, workspace.held_adapter), prompts


def _before_vllm(workspace: Workspace) -> tuple[Server, Prompts]:
    from registry.servers.vllm.server import VllmServer, texts_of

    metadata, adapters = workspace.metadata, workspace.vllm_adapters
    server = VllmServer(metadata, adapters, texts_of(metadata, workspace.server), workspace.held_adapter)
    vocabulary = metadata.config.get_text_config().vocab_size
    return server, Prompts(metadata.tokenizer, vocabulary, adapters.context)


def list_keys(workspace: Workspace) -> tuple[ApiKey, ...]:
    """The API keys, without their secrets. Raises BadDataFile."""
    return read_keys(workspace.settings.api_keys)


def make_key(workspace: Workspace, name: str) -> str:
    """A new API key of that name; its secret is shown this once. Raises BadInput, BadDataFile."""
    return add_key(workspace.settings.api_keys, name)


def drop_key(workspace: Workspace, name: str) -> None:
    """Removes an API key; who uses it is refused at once. Raises BadInput, BadDataFile."""
    remove_key(workspace.settings.api_keys, name)


def _deliverer(workspace: Workspace) -> Deliver:
    """Delivers feedback one after another: two may be about the same correction."""
    lock = threading.Lock()

    def deliver(given: Feedback) -> str:
        with lock:
            file = deliver_correction(workspace, given.subject, given.says, [given.question], given.right_answers)
        _LOG.info("feedback by %s on release %s became %s", given.caller, given.release or "?", file.name)
        return file.name

    return deliver
