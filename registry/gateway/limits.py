"""How much a client may send and how often: bounds on bytes and seconds, and a bucket of requests for each client."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from pipeline.errors import RequestTooLarge, RequestTooSlow, TooManyRequests

_CLIENTS = 10_000  # whose buckets are remembered


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes of a request and of a feedback, requests under way at once, and feedbacks a minute of one client.

    `body_seconds`: within which a body must be there, since a request that is being read takes a place of those.
    """

    body_bytes: int = 1_000_000
    body_seconds: float = 30.0
    feedback_bytes: int = 16_384
    under_way: int = 256
    feedback_per_minute: int = 30


async def read_body(chunks: AsyncIterator[bytes], most: int, seconds: float) -> bytes:
    """The whole body. Raises RequestTooLarge as soon as it has more than `most` bytes, RequestTooSlow."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                body += chunk
                if len(body) > most:
                    raise RequestTooLarge(f"the request has more than {most:,} bytes. Send less.")
    except TimeoutError as error:
        raise RequestTooSlow(f"the request took more than {seconds:g} s to arrive. Send it faster.") from error
    return bytes(body)


@dataclass
class Buckets:
    """Lets each client do `per_minute` things a minute, and that many at once after a pause (a token bucket)."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, client: str) -> None:
        """Takes one. Raises TooManyRequests with the seconds until there is one again."""
        now, rate = self.clock(), self.per_minute / 60.0
        left, at = self._left.pop(client, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - at) * rate)
        self._left[client] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        if left < 1.0:
            seconds = (1.0 - left) / rate
            raise TooManyRequests(
                f"more than {self.per_minute} a minute. Try again in {seconds:.0f} s.", seconds=seconds
            )
