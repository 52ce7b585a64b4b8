"""Which releases should answer, as the ledger says now. Knows no server."""

from dataclasses import dataclass

from pipeline.types import Release, ReleaseState
from registry.gateway.routing import Canary, Route
from registry.ledger import Ledger


@dataclass(frozen=True)
class LedgerSource:
    """Reads the newest deployment and its canary."""

    ledger: Ledger

    def desired(self) -> Route:
        """The route that should be in effect: the stable release, and the canary for its share if there is one.

        Cheap: it is asked for every second or less. Raises DatabaseFailed.
        """
        now = self.ledger.canaries.answering()
        canary = None if now.canary is None else Canary(release=now.canary, share=now.share)
        return Route(epoch=now.epoch, production=now.stable, canary=canary)

    def earlier(self) -> tuple[Release, ...]:
        """The releases that were production before and whose adapters are kept, newest first. Raises DatabaseFailed."""
        held = [one for one in self.ledger.releases.needed() if one.state is ReleaseState.SUPERSEDED]
        return tuple(sorted(held, key=lambda one: -one.number))
