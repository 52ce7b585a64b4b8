"""What any serving target can do, and what it is asked. Knows no HTTP and no ledger."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from pipeline.engines.engine import SamplingParams
from pipeline.types import Release

PREFIX = "rel-"  # of the names of what is served
TRIAL_PREFIX = f"{PREFIX}trial-"  # of what a gate tries, whatever serves clients beside it
SHORT = 12  # digits of a digest that name a release


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One text to generate: the prompt's ids, how to sample, and strings that end it and are left out of it."""

    ids: tuple[int, ...]
    params: SamplingParams
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The next part of a text, the tokens generated so far, and why it ended ("stop", "length"; None: it goes on)."""

    text: str
    tokens: int
    finish: str | None = None


class Server(Protocol):
    """Serves one base model with the adapters of several releases. Each text is wholly of the release it began with.

    `activate`, `hold`, `retire` and `check` come from one thread at a time; texts are asked for meanwhile, in a loop.
    """

    def hold(self, release: Release) -> None:
        """Loads a release beside the active one, verified and proved to be applied. Idempotent.

        Raises CorruptAdapter, WrongBase, AdapterNotApplied or EngineFailed; all others then answer as before.
        """
        ...

    def activate(self, release: Release) -> None:
        """Holds the release and makes it the active one. Raises as `hold` does; the old one is then still active."""
        ...

    def retire(self, number: int) -> None:
        """Takes no new text for a release; it is unloaded when its last one has ended. Idempotent, and does not wait.

        Raises InternalError for the active release.
        """
        ...

    def active(self) -> Release | None:
        """The release that was activated last."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it can answer at all. Finding out may take a second or two."""
        ...

    def check(self) -> tuple[Release, ...]:
        """Called every second or so: unloads retired releases whose last text has ended.

        Returns the releases that it held and no longer has, as after what does the work was started again; `hold` and
        `activate` load them again. What it cannot find out now it does not name, and raises nothing of ours.
        """
        ...

    def loaded(self) -> tuple[Release, ...]:
        """The releases that take new texts, by number."""
        ...

    async def generate(self, asked: Generation, release: int) -> Piece:
        """The whole text. Raises ReleaseNotLoaded where the release takes no new text; EngineFailed."""
        ...

    def stream(self, asked: Generation, release: int) -> AsyncGenerator[Piece, None]:
        """The text in pieces, of which the last has a `finish`. Closing the iterator ends the text. Raises likewise."""
        ...

    def close(self) -> None:
        """Ends what is being generated, and takes no more; memory of this process is freed."""
        ...


def served_name(release: Release) -> str:
    """The name by which a server knows a release: `rel-` and the adapter's digest, of release 0 the base's."""
    return f"{PREFIX}{release.model.adapter or release.model.base}"


def short_name(release: Release) -> str:
    """`served_name` with the first digits of the digest, as answers show it."""
    return served_name(release)[: len(PREFIX) + SHORT]
