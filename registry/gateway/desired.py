"""Which releases should answer, as the ledger says now. Knows no server."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.types import Release, ReleaseState
from registry.gateway.routing import Canary, Route
from registry.ledger import Ledger


def _no_canary(production: Release) -> Canary | None:
    del production
    return None


@dataclass(frozen=True)
class LedgerSource:
    """Reads the newest deployment. `canary`: which canary stands beside a production release, if any."""

    ledger: Ledger
    canary: Callable[[Release], Canary | None] = _no_canary

    def desired(self) -> Route:
        """The route that should be in effect. Cheap: it is asked for every second or less. Raises DatabaseFailed."""
        deployment, release = self.ledger.releases.deployed()
        return Route(epoch=deployment.epoch, production=release, canary=self.canary(release))

    def earlier(self) -> tuple[Release, ...]:
        """The releases that were production before and whose adapters are kept, newest first. Raises DatabaseFailed."""
        held = [one for one in self.ledger.releases.needed() if one.state is ReleaseState.SUPERSEDED]
        return tuple(sorted(held, key=lambda one: -one.number))
