"""Keeps a server at the release that the ledger deployed: loads, proves, flips, then lets the old one drain.

The route is one attribute, and requests read it once. What fails leaves the old route in effect, and is reported.
"""

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.errors import DatabaseFailed, NotServing, SealedError
from pipeline.types import Release
from registry.gateway.metrics import Metrics
from registry.gateway.routing import Route
from registry.servers.server import Server

_LOG = logging.getLogger(__name__)
_FAILURES = (SealedError, OSError, RuntimeError)  # RuntimeError: of torch, as where a card has no memory left
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds between tries of a swap that fails


class Source(Protocol):
    """Says which releases should answer; see `LedgerSource`."""

    def desired(self) -> Route: ...

    def earlier(self) -> tuple[Release, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A swap that failed: the route that was wanted, why not, how often it was tried, and when it is tried again."""

    route: Route
    sentence: str
    tries: int
    again: float


class Pointer:
    """Which releases answer now."""

    def __init__(
        self, source: Source, server: Server, metrics: Metrics, *, keep: int = 2, seconds: float = 0.5
    ) -> None:
        """`keep`: earlier production releases that stay loaded. `seconds`: between two looks at the ledger."""
        self._source, self._server, self._metrics = source, server, metrics
        self._keep, self._seconds = keep, seconds
        self._route: Route | None = None
        self._failure: Failure | None = None
        self._ledger: str | None = None
        self._warm: tuple[str, ...] = ()
        self._news, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealed-pointer", daemon=True)

    @property
    def current(self) -> Route | None:
        """The route in effect; None before the first release is loaded."""
        return self._route

    @property
    def route(self) -> Route:
        """The route in effect. Raises NotServing before the first release is loaded."""
        route = self._route
        if route is None:
            raise NotServing(f"no release answers yet: {'; '.join(self.problems) or 'it is being loaded'}. Try again.")
        return route

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not as the ledger wants it, or could not be read, in sentences."""
        failure, warm = self._failure, self._warm
        return tuple(one for one in (self._ledger, failure.sentence if failure else None, *warm) if one)

    @property
    def alive(self) -> bool:
        """Whether the thread that follows the ledger lives."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Follows the ledger from now on, in a thread."""
        self._thread.start()

    def wake(self) -> None:
        """Makes the thread look at once."""
        self._news.set()

    def stop(self) -> None:
        """Ends the thread; the route stays."""
        self._stopped.set()
        self._news.set()
        if self.alive:
            self._thread.join()

    def follow(self) -> None:
        """One look at the ledger, and what follows from it. Raises nothing of ours."""
        try:
            wanted = self._source.desired()
            self._ledger = None
        except DatabaseFailed as error:
            self._report_ledger(error)
            return
        self._metrics.ledger_answered(True)
        lost = self._server.check()
        if wanted == self._route and not lost:
            self._failure = None
        elif self._due(wanted):
            self._try(wanted)
            self._restore(lost)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._news.clear()
            self.follow()
            self._news.wait(self._seconds)

    def _report_ledger(self, error: DatabaseFailed) -> None:
        if self._ledger is None:
            _LOG.warning("the ledger does not answer, so nothing is swapped: %s", error)
        self._ledger = _seen("the ledger does not answer", error)
        self._metrics.ledger_answered(False)

    def _due(self, wanted: Route) -> bool:
        failure = self._failure
        return failure is None or failure.route != wanted or time.monotonic() >= failure.again

    def _try(self, wanted: Route) -> None:
        begun = time.perf_counter()
        try:
            self._server.activate(wanted.production)
        except _FAILURES as error:
            self._fail(wanted, wanted.production, error)
            return
        self._flip(self._with_canary(wanted), time.perf_counter() - begun)

    def _with_canary(self, wanted: Route) -> Route:
        """The wanted route, without its canary where that cannot be loaded: production does not wait for it."""
        if wanted.canary is None:
            self._failure = None
            return wanted
        try:
            self._server.hold(wanted.canary.release)
        except _FAILURES as error:
            self._fail(wanted, wanted.canary.release, error)
            return replace(wanted, canary=None)
        self._failure = None
        return wanted

    def _flip(self, route: Route, seconds: float) -> None:
        if route == self._route:
            return
        self._route = route
        self._metrics.swapped(route, seconds)
        _LOG.info("release %d answers, by deployment %d", route.production.number, route.epoch)
        self._tidy(route)

    def _restore(self, lost: tuple[Release, ...]) -> None:
        """Loads again what the server lost, of the releases that are still to be ready."""
        if lost and self._route and self._failure is None:
            _LOG.warning("the server had lost releases %s", ", ".join(str(one.number) for one in lost))
            self._tidy(self._route)

    def _fail(self, wanted: Route, release: Release, error: Exception) -> None:
        before = self._failure
        tries = 1 + (before.tries if before and before.route == wanted else 0)
        again = time.monotonic() + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries - 1))
        what = f"release {release.number} was not taken"
        self._failure = Failure(route=wanted, sentence=_seen(what, error), tries=tries, again=again)
        self._metrics.swap_failed()
        _LOG.error("%s, %s: %s", what, self._answering(), error)

    def _answering(self) -> str:
        return f"release {self._route.production.number} goes on answering" if self._route else "nothing answers"

    def _tidy(self, route: Route) -> None:
        """Loads the releases before, which a rollback goes back to, and lets go of all others."""
        try:
            earlier = self._source.earlier()
        except DatabaseFailed as error:
            self._report_ledger(error)
            return
        kept, problems = {one.number for one in route.answering}, list[str]()
        for one in earlier:
            if len(kept) < self._keep + len(route.answering):
                problem = self._warmed(one)
                problems += [problem] if problem else []
                kept |= set() if problem else {one.number}
        self._warm = tuple(problems)
        for release in self._server.loaded():
            if release.number not in kept:
                self._server.retire(release.number)

    def _warmed(self, release: Release) -> str | None:
        """Loads a release that may be rolled back to. Why it cannot be, or None."""
        try:
            self._server.hold(release)
        except _FAILURES as error:
            _LOG.warning("release %d cannot be kept ready for a rollback: %s", release.number, error)
            return _seen(f"release {release.number} is not ready for a rollback", error)
        return None


def _seen(what: str, error: Exception) -> str:
    """A problem as clients without a key may see it: without paths and addresses, which stand in the log."""
    return f"{what} ({type(error).__name__}): the log says why"
