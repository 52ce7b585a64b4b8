"""Tries a candidate in the engine that serves: whether it loads, is applied, and answers in time. No client sees it."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.wiring import Workspace
from gates.served import Served
from pipeline.chat import encode_prompt
from pipeline.engines.engine import SamplingParams
from pipeline.errors import AdapterNotApplied, CorruptAdapter, EngineFailed, ExternalError, WrongBase
from pipeline.progress import step
from pipeline.types import AdapterManifest, Checkpoint, ReleaseState
from registry.servers.local import LocalServer
from registry.servers.proof import PROMPTS
from registry.servers.server import TRIAL_PREFIX, Generation

if TYPE_CHECKING:
    from registry.servers.vllm.adapters import VllmAdapters

_LOG = logging.getLogger(__name__)
_TOKENS, _ROUNDS = 8, 2  # of each answer, and how often each is asked
_BASE, _CANDIDATE = 0, 1  # what the server calls them here
_Ask = Callable[[str, int], str]


def try_serving(workspace: Workspace, candidate: Checkpoint, manifest: AdapterManifest) -> Served:
    """What became of the candidate there. An engine that does not answer is no finding about the candidate."""
    settings = workspace.settings
    engine = "vllm" if "vllm" in (settings.engine, settings.serving) else "local"
    loading = _on_vllm if engine == "vllm" else _in_process
    started = time.monotonic()
    try:
        with step("trying the serving engine"), loading(workspace, candidate, manifest) as ask:
            return _compared(Served(engine=engine, load_seconds=time.monotonic() - started), ask)
    except (AdapterNotApplied, CorruptAdapter, WrongBase) as error:
        return Served(engine=engine, broken=str(error))
    except (ExternalError, OSError) as error:
        return Served(engine=engine, failure=f"{engine} could not be tried: {error}")


def _compared(served: Served, ask: _Ask) -> Served:
    """Asks both in turn, so that what slows the machine slows both."""
    seconds: dict[int, list[float]] = {_BASE: [], _CANDIDATE: []}
    said: dict[int, list[str]] = {}
    for _ in range(_ROUNDS):
        for model, taken in seconds.items():
            started = time.monotonic()
            said[model] = [ask(prompt, model) for prompt in PROMPTS]
            taken.append((time.monotonic() - started) / len(PROMPTS))
    changed = sum(one != other for one, other in zip(said[_BASE], said[_CANDIDATE], strict=True))
    return replace(
        served,
        seconds=min(seconds[_CANDIDATE]),
        base_seconds=min(seconds[_BASE]),
        changed=changed,
        asked=len(PROMPTS),
    )


@contextmanager
def _in_process(workspace: Workspace, candidate: Checkpoint, manifest: AdapterManifest) -> Iterator[_Ask]:
    base, folders = workspace.base, {_BASE: None, _CANDIDATE: candidate.folder}
    first = workspace.ledger.releases.get(0)
    release = replace(
        first,
        number=_CANDIDATE,
        state=ReleaseState.CANDIDATE,
        model=candidate.ref,
        manifest=manifest.digest,
        update=manifest.update,
    )
    server = LocalServer(base, lambda one: folders[one.number])
    try:
        server.hold(first)
        server.hold(release)

        def ask(prompt: str, model: int) -> str:
            ids = tuple(encode_prompt(base.tokenizer, prompt)[-(base.context - _TOKENS) :])
            asked = Generation(ids=ids, params=SamplingParams(max_new_tokens=_TOKENS))
            return asyncio.run(server.generate(asked, model)).text

        yield ask
    finally:
        server.close()


@contextmanager
def _on_vllm(workspace: Workspace, candidate: Checkpoint, manifest: AdapterManifest) -> Iterator[_Ask]:
    """Beside what the server has loaded for clients, which stays, also where that is this very adapter."""
    adapters = workspace.vllm_adapters.under(TRIAL_PREFIX)
    engine = workspace.vllm_engine.on(adapters)
    name = adapters.name_of(manifest.adapter)
    try:
        adapters.load(candidate.folder, manifest.digest)

        def ask(prompt: str, model: int) -> str:
            folder = candidate.folder if model == _CANDIDATE else None
            ((text,),) = engine.generate([prompt], SamplingParams(max_new_tokens=_TOKENS), adapter=folder)
            return text

        yield ask
    finally:
        _forget(adapters, name)


def _forget(adapters: "VllmAdapters", name: str) -> None:
    """Unloads it, or says that it stays until the gateway starts again: what was found of the candidate counts."""
    try:
        adapters.unload(name)
    except EngineFailed as error:
        _LOG.warning("%s stays on the vLLM server until the gateway starts again: %s", name, error)
