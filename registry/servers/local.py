"""The serving target in this process: one base model, and the adapters of several releases attached to views of it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pipeline import faults
from pipeline.adapters.held import hold_adapter
from pipeline.chat import encode_prompt, stop_ids
from pipeline.engines.base import BaseModel
from pipeline.engines.batching import TokenSequence, Written
from pipeline.engines.cache import token_bytes
from pipeline.errors import CorruptAdapter, EngineFailed, InternalError, ReleaseNotLoaded
from pipeline.types import Release
from registry.servers.proof import PROMPTS, known_answers, prove_applied
from registry.servers.server import Generation, Piece, short_name
from registry.servers.text import TextAssembly, text_of
from registry.servers.worker import Worker

_CACHE_BYTES = 2 * 2**30  # what keys and values of one release's texts may take
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Held:
    """A release in memory. Its sequences keep the model alive, so that a retired one lasts until its last has ended."""

    release: Release
    model: Any


class LocalServer:
    """Keeps the `Server` protocol."""

    def __init__(self, base: BaseModel, adapter_of: Callable[[Release], Path | None], *, most_rows: int = 64) -> None:
        """`adapter_of`: the folder of a release's adapter, None for release 0; raises where it may not be served.

        `most_rows`: texts of one release that are written together.
        """
        self._base, self._adapter_of = base, adapter_of
        self._held: dict[int, _Held] = {}
        self._active: Release | None = None
        most_tokens = _CACHE_BYTES // token_bytes(base.model)
        stops = frozenset(stop_ids(base.tokenizer, base.model))
        self._worker = Worker(stops, most_rows=most_rows, most_tokens=most_tokens)

    @property
    def alive(self) -> bool:
        """Whether the thread that runs the model lives."""
        return self._worker.alive

    @faults.effect("server.hold", failure=EngineFailed)
    def hold(self, release: Release) -> None:
        """See `Server.hold`."""
        held = self._held.get(release.number)
        if held is None or held.release.manifest != release.manifest:
            with _memory(release):
                loaded = _Held(release, self._load(release))
            self._held = {**self._held, release.number: loaded}

    @faults.effect("server.activate", failure=EngineFailed)
    def activate(self, release: Release) -> None:
        """See `Server.activate`."""
        self.hold(release)
        self._active = release

    @faults.effect("server.retire", failure=EngineFailed)
    def retire(self, number: int) -> None:
        """See `Server.retire`."""
        if self._active is not None and self._active.number == number:
            raise InternalError(f"release {number} is active, so it cannot be retired. Please report it.")
        self._held = {other: held for other, held in self._held.items() if other != number}

    def active(self) -> Release | None:
        """See `Server.active`."""
        return self._active

    def check(self) -> tuple[Release, ...]:
        """See `Server.check`: memory of this process loses nothing."""
        return ()

    def loaded(self) -> tuple[Release, ...]:
        """See `Server.loaded`."""
        return tuple(held.release for _, held in sorted(self._held.items()))

    async def generate(self, asked: Generation, release: int) -> Piece:
        """See `Server.generate`. The event loop hears of the text once, when it is whole."""
        if asked.stop:
            pieces = [piece async for piece in self.stream(asked, release)]
            return Piece(text="".join(one.text for one in pieces), tokens=pieces[-1].tokens, finish=pieces[-1].finish)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Written] = loop.create_future()
        ids: list[int] = []

        def deliver(one: Written | EngineFailed) -> None:
            if isinstance(one, Written) and one.token is not None:
                ids.append(one.token)
            if isinstance(one, EngineFailed) or one.finish:
                _call(loop, _settle, ended, one)

        key = self._worker.submit(self._model(release), _sequence(asked), deliver)
        try:
            last = await ended
        finally:
            if not ended.done() or ended.cancelled():
                self._worker.cancel(key)
        return Piece(text=text_of(self._base.tokenizer, ids), tokens=len(ids), finish=last.finish)

    async def stream(self, asked: Generation, release: int) -> AsyncGenerator[Piece, None]:
        """See `Server.stream`."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Written | EngineFailed] = asyncio.Queue()
        assembly = TextAssembly(self._base.tokenizer, asked.stop)

        def deliver(one: Written | EngineFailed) -> None:
            _call(loop, arrived.put_nowait, one)

        key = self._worker.submit(self._model(release), _sequence(asked), deliver)
        tokens, finish = 0, None
        try:
            while finish is None:
                one = await arrived.get()
                if isinstance(one, EngineFailed):
                    raise one
                tokens += one.token is not None
                text = "" if one.token is None else assembly.push(one.token)
                finish = "stop" if assembly.stopped else one.finish
                text += assembly.end() if finish else ""
                if text or finish:
                    yield Piece(text=text, tokens=tokens, finish=finish)
        finally:
            self._worker.cancel(key)

    def close(self) -> None:
        """See `Server.close`."""
        self._worker.close()
        self._held, self._active = {}, None

    def _model(self, release: int) -> Any:
        held = self._held.get(release)
        if held is None:
            raise ReleaseNotLoaded(f"release {release} is not loaded. Ask for the production release.")
        return held.model

    def _load(self, release: Release) -> Any:
        folder = self._adapter_of(release)
        if folder is None:
            return self._base.model
        held = hold_adapter(self._base.model, self._base.identity, folder, release.manifest)
        if held.manifest.adapter != release.model.adapter:
            raise CorruptAdapter(
                f"the adapter of release {release.number} has the digest {held.manifest.adapter[:12]}, and the ledger "
                "names another. Fetch it again, or roll back."
            )
        difference = prove_applied(self._base_answers, known_answers(held.model, self._prompts), short_name(release))
        _LOG.info("release %d is loaded: its known answers differ by %.3g nats", release.number, difference)
        return held.model

    @cached_property
    def _prompts(self) -> list[list[int]]:
        return [encode_prompt(self._base.tokenizer, prompt)[-self._base.context :] for prompt in PROMPTS]

    @cached_property
    def _base_answers(self) -> torch.Tensor:
        return known_answers(self._base.model, self._prompts)


@contextmanager
def _memory(release: Release) -> Iterator[None]:
    """Too little memory of a card tells nothing of the release: raises EngineFailed."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EngineFailed(
            f"the card has too little memory to load release {release.number}: {error}. Make room, and try again."
        ) from error


def _sequence(asked: Generation) -> TokenSequence:
    return TokenSequence(ids=asked.ids, limit=asked.params.max_new_tokens, params=asked.params)


def _settle(ended: "asyncio.Future[Written]", one: Written | EngineFailed) -> None:
    if ended.done():
        return
    if isinstance(one, EngineFailed):
        ended.set_exception(one)
    else:
        ended.set_result(one)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> None:
    """Calls in the loop's own thread; a loop that was closed meanwhile wants nothing any more."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)
