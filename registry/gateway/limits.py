"""How much a client may send and how often: bounds on bytes and seconds, and a bucket of requests for each client."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from pipeline.errors import RequestTooLarge, RequestTooSlow, TooManyRequests

_CLIENTS = 10_000  # whose buckets are remembered


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes of a request and of a feedback, requests under way at once, and what one API key may send a minute.

    `body_seconds`: within which a body must be there, since a request that is being read takes a place of those.
    `grades_per_minute`: a key may stand for a whole product, whose users' grades are all evidence on a canary; each is
    a small row, and 20 a second leave the ledger idle. `corrections_per_minute`: each is a document that runs learn,
    gates examine and a person reads.
    """

    body_bytes: int = 1_000_000
    body_seconds: float = 30.0
    feedback_bytes: int = 16_384
    under_way: int = 256
    grades_per_minute: int = 1_200
    corrections_per_minute: int = 30


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
    """Lets each client do `per_minute` things a minute, and that many at once after a pause (a token bucket).

    Safe in every thread.
    """

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def take(self, client: str) -> None:
        """Takes one. Raises TooManyRequests with the seconds until there is one again."""
        rate = self.per_minute / 60.0
        with self._turn:
            now = self.clock()
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
