"""The adapters that a vLLM server has loaded: each verified here, loaded from its own folder, and proved to be applied.

Knows adapters and names; knows no release and no text. One thread at a time.
"""

import logging
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from pipeline.adapters.format import verify_adapter
from pipeline.adapters.identity import identify_base
from pipeline.chat import encode_prompt
from pipeline.engines.base import ModelMetadata, skeleton_of
from pipeline.engines.http_calls import Calls, Server, calls
from pipeline.engines.responses import ServedModel, served_models
from pipeline.errors import AdapterNotApplied, EngineFailed, WrongBase
from registry.servers.proof import PROMPTS, prove_applied
from registry.servers.server import PREFIX, SHORT
from registry.servers.vllm.folders import AdapterFolders, StoredAdapter
from registry.servers.vllm.likelihood import MOST_TOKENS, next_logprobs
from registry.servers.vllm.no_change import write_identity_adapter

_ATTEMPTS, _SECONDS = 2, 300.0  # of loading and proving an adapter
_LOOK_SECONDS = 3.0  # that a server gets to say how it is
_LOG = logging.getLogger(__name__)

Listing = Mapping[str, ServedModel]


@dataclass(frozen=True, kw_only=True)
class ServedBase:
    """The base model of a vLLM server: its metadata, and how the workspace names it."""

    metadata: ModelMetadata
    model: str


class VllmAdapters:
    """Loads and unloads adapters. A name holds the adapter's digest, so it never gets another content."""

    def __init__(self, server: Server, base: ServedBase, root: Path, *, prefix: str = PREFIX) -> None:
        """`root`: the folder, of this process and of the server, in which adapters are put.

        `prefix`: of the names that this one gives and sees. The identity adapter has one name for all.
        """
        self._server = replace(server, attempts=_ATTEMPTS, seconds=_SECONDS)
        self._look = replace(server, attempts=1, seconds=_LOOK_SECONDS)
        self._base, self._prefix = base, prefix
        self._folders = AdapterFolders(root.resolve(), base.metadata.identity, skeleton_of(base.metadata))
        self._loaded: set[str] = set()  # by this process
        self._proved: set[str] = set()

    @cached_property
    def identity(self) -> str:
        """The name of the adapter under which the base model answers."""
        return f"{PREFIX}{self._identity.manifest.adapter}"

    def under(self, prefix: str) -> "VllmAdapters":
        """The same server, base and folder under other names: unloading one of those takes nothing from any other."""
        return VllmAdapters(self._server, self._base, self._folders.root, prefix=prefix)

    def name_of(self, adapter: str) -> str:
        """What the server calls the adapter of this digest."""
        return f"{self._prefix}{adapter}"

    @property
    def context(self) -> int:
        """The longest sequence in tokens that model and server allow. Raises EngineFailed, WrongBase."""
        with calls(self._server) as job:
            lengths = [one.context for one in self._listed(job).values() if one.context]
        return min([self._base.metadata.context, *lengths])

    @property
    def alive(self) -> bool:
        """Whether the server says that it is well, within a few seconds."""
        try:
            with calls(self._look) as job:
                job.content("/health")
        except EngineFailed as error:
            _LOG.warning("the vLLM server is not well: %s", error)
            return False
        return True

    def names(self) -> frozenset[str]:
        """The names of ours that the server has loaded. Raises EngineFailed."""
        with calls(self._look) as job:
            listed = served_models(job.server.name, job.json("/v1/models"))
        return frozenset(name for name in listed if name.startswith(self._prefix))

    def load(self, folder: Path | None, manifest_digest: str | None = None) -> str:
        """Loads the adapter in `folder`, None for the base's identity adapter, and returns its name. Idempotent.

        What was loaded before, by whomever, is proved again once in each process. Raises CorruptAdapter, WrongBase,
        AdapterNotApplied, EngineFailed, OSError.
        """
        identity = self.identity
        with calls(self._server) as job:
            listed = self._listed(job)
            self._put(job, listed, identity, self._identity)
            if folder is None:
                self._expect_numbers(job)
                return identity
            name = self.name_of(verify_adapter(folder, self._base.metadata.identity, manifest_digest).adapter)
            if name in self._proved and self._is_ours(listed, name):
                return name
            stored = self._folders.put(folder, manifest_digest)
            name = self.name_of(stored.manifest.adapter)
            self._put(job, listed, name, stored)
            self._prove(job, name)
        return name

    def unload(self, name: str) -> None:
        """Unloads an adapter; one that is not loaded is no error. Raises EngineFailed."""
        if name in self.names():
            with calls(self._server) as job:
                self._unload(job, name)

    def unload_others(self, wanted: Collection[str]) -> None:
        """Unloads our names, and removes their folders, but for these and the identity adapter. Raises EngineFailed."""
        kept = {*wanted, self.identity}
        for name in sorted(self.names() - kept):
            self.unload(name)
        self._folders.retain({_digest_in(name) for name in kept})

    @cached_property
    def _identity(self) -> StoredAdapter:
        metadata, folders = self._base.metadata, self._folders
        with tempfile.TemporaryDirectory(prefix="sealed-identity-") as name:
            write_identity_adapter(Path(name) / "adapter", metadata.identity, folders.skeleton)
            return folders.put(Path(name) / "adapter")

    @cached_property
    def _prompts(self) -> tuple[list[int], ...]:
        """The prompts of the proof, with room for the token that a server must write."""
        metadata = self._base.metadata
        rows = (encode_prompt(metadata.tokenizer, prompt) for prompt in PROMPTS)
        return tuple(ids[-(metadata.context - 1) :] for ids in rows)

    def _listed(self, job: Calls) -> Listing:
        """What the server has. Raises WrongBase where its base model is another."""
        listed = served_models(job.server.name, job.json("/v1/models"))
        roots = {one.root for one in listed.values() if one.parent is None}
        for root in roots - {self._base.model}:
            found = Path(root or "")
            if not root or not found.is_dir():
                raise WrongBase(
                    f"{job.server.name} serves the model {root!r}, which is not visible here, so it cannot be compared "
                    f"with the workspace's. Start vLLM with --model {self._base.model}."
                )
            if identify_base(found) != self._base.metadata.identity:
                raise WrongBase(
                    f"{job.server.name} serves {root}, which is not the base model of this workspace. "
                    f"Start vLLM with --model {self._base.model}."
                )
        return listed

    def _is_ours(self, listed: Listing, name: str) -> bool:
        return name in listed and listed[name].root == str(self._folders.root / _digest_in(name))

    def _put(self, job: Calls, listed: Listing, name: str, stored: StoredAdapter) -> None:
        """Loads a stored adapter, unless the server read just these bytes from just this place."""
        if self._is_ours(listed, name) and (name in self._loaded or not stored.written):
            return
        if name in listed:
            self._unload(job, name)
        self._proved.discard(name)
        try:
            job.content("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(stored.place)})
        except EngineFailed as error:
            # An answer may be lost, and another process may have been quicker: what is loaded now decides.
            if not self._is_ours(self._listed(job), name):
                rank = stored.manifest.rank
                raise EngineFailed(
                    f"{job.server.name} did not load {name}: {error} It must read {stored.place}, and run with "
                    f"--enable-lora, --max-lora-rank {rank} or more and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True."
                ) from error
        self._loaded.add(name)

    def _prove(self, job: Calls, name: str) -> None:
        """Raises AdapterNotApplied, and unloads what is not applied."""
        before, adapted, after = self._of_base(job), self._answers(job, name), self._of_base(job)
        try:
            noise = float((before - after).abs().max())
            difference = prove_applied(before, adapted, _short(name), noise=noise)
        except AdapterNotApplied:
            self._unload(job, name)
            raise
        self._proved.add(name)
        _LOG.info("%s is loaded: its known answers differ by %.3g nats", _short(name), difference)

    def _expect_numbers(self, job: Calls) -> None:
        """Once in each process and each life of the server: whether the base answers in numbers."""
        if self.identity not in self._proved:
            self._of_base(job)
            self._proved.add(self.identity)

    def _of_base(self, job: Calls) -> torch.Tensor:
        found = self._answers(job, self.identity)
        if not bool(torch.isfinite(found).all()):
            raise EngineFailed(f"{job.server.name} answers for the base model in no numbers. Start it again.")
        return found

    def _answers(self, job: Calls, name: str) -> torch.Tensor:
        """Known answers (prompts, tokens): log-probabilities of the same tokens after each prompt, computed anew."""
        tokens = list(dict.fromkeys(token for ids in self._prompts for token in ids))[:MOST_TOKENS]
        return torch.tensor([next_logprobs(job, name, ids, tokens) for ids in self._prompts])

    def _unload(self, job: Calls, name: str) -> None:
        self._proved.discard(name)
        self._loaded.discard(name)
        try:
            job.content("/v1/unload_lora_adapter", {"lora_name": name})
        except EngineFailed:
            if name in served_models(job.server.name, job.json("/v1/models")):
                raise
        _LOG.info("%s is unloaded", _short(name))


def _digest_in(name: str) -> str:
    return name.rpartition("-")[2]


def _short(name: str) -> str:
    return name.replace(digest := _digest_in(name), digest[:SHORT])
