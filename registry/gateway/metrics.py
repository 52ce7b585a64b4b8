"""What Prometheus reads of a gateway. Each gateway has a registry of its own, so that two may live in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from registry.gateway.routing import Route

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts requests, tokens, swaps and feedback. Safe in every thread."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        by = ["path", "status", "release"]
        self._requests = Counter("sealed_requests", "Requests, by what became of them.", by, registry=own)
        self._seconds = Histogram(
            "sealed_request_seconds",
            "Seconds until the whole answer was sent.",
            ["path"],
            buckets=_SECONDS,
            registry=own,
        )
        self._first = Histogram(
            "sealed_first_piece_seconds", "Seconds until a stream's first piece.", buckets=_SECONDS, registry=own
        )
        self._tokens = Counter("sealed_tokens", "Tokens read and written.", ["kind", "release"], registry=own)
        self.under_way = Gauge("sealed_requests_under_way", "Requests that are being answered.", registry=own)
        self._production = Gauge("sealed_production_release", "The release that answers here.", registry=own)
        self._epoch = Gauge("sealed_production_epoch", "The deployment that is in effect here.", registry=own)
        self._canary = Gauge("sealed_canary_share", "Share of the keys that a canary answers.", registry=own)
        self._swaps = Counter("sealed_swaps", "Changes of the answering release.", ["outcome"], registry=own)
        self._swap = Histogram("sealed_swap_seconds", "Seconds to load and flip.", buckets=_SECONDS, registry=own)
        self._ledger = Gauge("sealed_ledger_up", "1 where the ledger answered last.", registry=own)
        self._feedback = Counter("sealed_feedback", "Feedback, by what became of it.", ["outcome"], registry=own)

    def exposed(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def answered(self, path: str, status: int, release: str, seconds: float) -> None:
        """A request was answered; `release` is its number, or "" where none answered."""
        self._requests.labels(path, str(status), release).inc()
        self._seconds.labels(path).observe(seconds)

    def wrote(self, release: int, *, read: int, written: int) -> None:
        """Tokens of one request."""
        self._tokens.labels("read", str(release)).inc(read)
        self._tokens.labels("written", str(release)).inc(written)

    def began(self, seconds: float) -> None:
        """A stream's first piece was there after so many seconds."""
        self._first.observe(seconds)

    def swapped(self, route: Route, seconds: float) -> None:
        """Another route is in effect; it took so many seconds."""
        self._swaps.labels("done").inc()
        self._swap.observe(seconds)
        self._production.set(route.production.number)
        self._epoch.set(route.epoch)
        self._canary.set(route.canary.share if route.canary else 0.0)

    def swap_failed(self) -> None:
        """A release could not be loaded; the one before answers."""
        self._swaps.labels("failed").inc()

    def ledger_answered(self, up: bool) -> None:
        """Whether the ledger could be read."""
        self._ledger.set(up)

    def feedback(self, outcome: str) -> None:
        """A feedback was "taken" or "refused"."""
        self._feedback.labels(outcome).inc()
