"""Which release answers whom: production, or the canary for a share of the keys. Pure."""

import hashlib
from dataclasses import dataclass

from pipeline.errors import BadInput, NoSuchModel
from pipeline.types import Release
from registry.servers.server import served_name, short_name


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A release that answers a share, from 0 to 1, of the keys."""

    release: Release
    share: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise BadInput(f"a canary's share is {self.share}; it must be from 0 to 1.")


@dataclass(frozen=True, kw_only=True)
class Route:
    """Which releases answer since which epoch. One value: whoever reads it sees one moment."""

    epoch: int
    production: Release
    canary: Canary | None = None

    @property
    def answering(self) -> tuple[Release, ...]:
        return (self.production, self.canary.release) if self.canary else (self.production,)


def choose(route: Route, key: str) -> Release:
    """The release that answers this key: always the same while the share only grows.

    Each canary draws other keys, so that the same users are not asked to try every one of them.
    """
    canary = route.canary
    if canary is None or place(f"{canary.release.number}:{key}") >= canary.share:
        return route.production
    return canary.release


def place(key: str) -> float:
    """Where a key stands from 0 to 1, spread evenly."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7]) / 2**56


def is_named(release: Release, model: str | None) -> bool:
    """Whether `model` is a name of the release: the short or the whole one of its adapter, or its number."""
    return model in (short_name(release), served_name(release), str(release.number))


def resolve(route: Route, model: str | None, key: str, alias: str) -> Release:
    """The release that a request for `model` gets: by `key` for the name `alias` or none, else the one that is named.

    Only releases that answer now can be named, so that nobody keeps one alive that was rolled back. Raises NoSuchModel.
    """
    if model in (None, "", alias):
        return choose(route, key)
    for release in route.answering:
        if is_named(release, model):
            return release
    known = ", ".join([alias, *map(short_name, route.answering)])
    raise NoSuchModel(f"there is no model {str(model)[:100]!r} here. Ask for one of: {known}.", param="model")
