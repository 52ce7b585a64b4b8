"""The serving target in front of a running vLLM server: which releases it holds, and the texts that are asked of it."""

import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline import faults
from pipeline.chat import stop_ids
from pipeline.engines.base import ModelMetadata
from pipeline.engines.http_calls import Server as HttpServer
from pipeline.errors import CorruptAdapter, EngineFailed, InternalError, ReleaseNotLoaded
from pipeline.types import Release
from registry.servers.server import Generation, Piece, served_name
from registry.servers.text import TextAssembly, text_of
from registry.servers.vllm.adapters import VllmAdapters
from registry.servers.vllm.texts import VllmTexts

_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class _Held:
    """A release on the server, and how many texts of it are under way.

    `salt`: parts the server's cached prefixes from those of whatever else ever had the name.
    """

    release: Release
    name: str
    salt: str = field(default_factory=lambda: uuid4().hex)
    texts: int = 0


class VllmServer:
    """Keeps the `Server` protocol. One for each vLLM server: another would unload what this one holds."""

    def __init__(
        self,
        metadata: ModelMetadata,
        adapters: VllmAdapters,
        texts: VllmTexts,
        adapter_of: Callable[[Release], Path | None],
    ) -> None:
        """`adapter_of`: the folder of a release's adapter, None for release 0; raises where it may not be served."""
        self._tokenizer: Any = metadata.tokenizer
        self._adapters, self._texts, self._adapter_of = adapters, texts, adapter_of
        self._held: dict[int, _Held] = {}
        self._ended: tuple[_Held, ...] = ()  # retired, but not yet unloaded
        self._lost: frozenset[int] = frozenset()
        self._active: Release | None = None
        self._tidy = False  # whether what an earlier process loaded was unloaded
        self._counting = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether vLLM's /health says so."""
        return self._adapters.alive

    @faults.effect("server.hold", failure=EngineFailed)
    def hold(self, release: Release) -> None:
        """See `Server.hold`. The first one also unloads what an earlier process left, and this one does not want."""
        number, held = release.number, self._held.get(release.number)
        if held and held.release.manifest == release.manifest and number not in self._lost:
            return
        try:
            name = self._load(release)
        except Exception:
            if number in self._lost and not self._is_active(number):
                self._forget(number)
            raise
        with self._counting:
            self._held = {**self._held, number: _Held(release, name)}
            self._ended = (*self._ended, held) if held else self._ended
        self._lost -= {number}
        if not self._tidy:
            self._adapters.unload_others({one.name for one in self._held.values()})
            self._tidy = True

    @faults.effect("server.activate", failure=EngineFailed)
    def activate(self, release: Release) -> None:
        """See `Server.activate`. vLLM knows nothing of it: which release answers is decided here alone."""
        self.hold(release)
        self._active = release

    @faults.effect("server.retire", failure=EngineFailed)
    def retire(self, number: int) -> None:
        """See `Server.retire`."""
        if self._is_active(number):
            raise InternalError(f"release {number} is active, so it cannot be retired. Please report it.")
        self._forget(number)
        self._unload_ended()

    def active(self) -> Release | None:
        """See `Server.active`."""
        return self._active

    def check(self) -> tuple[Release, ...]:
        """See `Server.check`: a vLLM server that was started again has no adapter any more."""
        self._unload_ended()
        if not self._held:
            return ()
        try:
            names = self._adapters.names()
        except EngineFailed as error:
            _LOG.warning("the vLLM server does not say what it has loaded: %s", error)
            return ()
        lost = {number: held for number, held in self._held.items() if held.name not in names}
        self._lost = frozenset(lost)
        return tuple(held.release for _, held in sorted(lost.items()))

    def loaded(self) -> tuple[Release, ...]:
        """See `Server.loaded`."""
        return tuple(held.release for _, held in sorted(self._held.items()))

    async def generate(self, asked: Generation, release: int) -> Piece:
        """See `Server.generate`."""
        if asked.stop:
            pieces = [piece async for piece in self.stream(asked, release)]
            return Piece(text="".join(one.text for one in pieces), tokens=pieces[-1].tokens, finish=pieces[-1].finish)
        with self._text_of(release) as held:
            found = await self._texts.whole(self._body(asked, held))
        return Piece(text=text_of(self._tokenizer, found.ids), tokens=len(found.ids), finish=found.finish)

    async def stream(self, asked: Generation, release: int) -> AsyncGenerator[Piece, None]:
        """See `Server.stream`."""
        assembly, tokens = TextAssembly(self._tokenizer, asked.stop), 0
        with self._text_of(release) as held:
            async with aclosing(self._texts.stream(self._body(asked, held))) as arriving:
                async for found in arriving:
                    text = ""
                    for token in found.ids:
                        if not assembly.stopped:
                            tokens += 1
                            text += assembly.push(token)
                    finish = "stop" if assembly.stopped else found.finish
                    text += assembly.end() if finish else ""
                    if text or finish:
                        yield Piece(text=text, tokens=tokens, finish=finish)
                    if finish:
                        return

    def close(self) -> None:
        """See `Server.close`. The adapters stay on the vLLM server: the next process takes them over."""
        with self._counting:
            self._held, self._ended, self._active = {}, (), None

    def _is_active(self, number: int) -> bool:
        return self._active is not None and self._active.number == number

    def _load(self, release: Release) -> str:
        name = self._adapters.load(self._adapter_of(release), release.manifest)
        if release.model.adapter is not None and name != served_name(release):
            raise CorruptAdapter(
                f"the adapter of release {release.number} is {name[:16]}, and the ledger names another. "
                "Fetch it again, or roll back."
            )
        return name

    def _forget(self, number: int) -> None:
        with self._counting:
            held = self._held.get(number)
            self._held = {other: one for other, one in self._held.items() if other != number}
            self._ended = (*self._ended, held) if held else self._ended
        self._lost -= {number}

    def _unload_ended(self) -> None:
        """Unloads retired releases without a text under way. What cannot be unloaded now is tried again."""
        with self._counting:
            running = tuple(held for held in self._ended if held.texts)
            idle = [held for held in self._ended if not held.texts]
            needed = {held.name for held in (*self._held.values(), *running)} | {self._adapters.identity}
        failed = []
        for held in idle:
            try:
                if held.name not in needed:
                    self._adapters.unload(held.name)
            except EngineFailed as error:
                _LOG.warning("release %d is not unloaded yet: %s", held.release.number, error)
                failed.append(held)
        self._ended = (*running, *failed)

    @contextmanager
    def _text_of(self, release: int) -> Iterator[_Held]:
        """The release while a text of it is under way, which keeps it loaded. Raises ReleaseNotLoaded."""
        with self._counting:
            held = self._held.get(release)
            if held is None:
                raise ReleaseNotLoaded(f"release {release} is not loaded. Ask for the production release.")
            held.texts += 1
        try:
            yield held
        finally:
            with self._counting:
                held.texts -= 1

    def _body(self, asked: Generation, held: _Held) -> dict[str, Any]:
        """One request. The server's defaults are switched off. No seed is sent: that can end its CPU build."""
        return {
            "model": held.name,
            "prompt": list(asked.ids),
            "max_tokens": asked.params.max_new_tokens,
            "temperature": asked.params.temperature,
            "top_p": asked.params.top_p,
            "n": 1,
            "stop_token_ids": sorted(self._texts.stops),
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "return_token_ids": True,
            "cache_salt": held.salt,
        }


def texts_of(metadata: ModelMetadata, server: HttpServer) -> VllmTexts:
    """What asks this server for texts of this model, with the ids that end them."""
    return VllmTexts(server, frozenset(stop_ids(metadata.tokenizer, metadata)))
