"""A client cannot send more, or more often, than it may."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pipeline.errors import RequestTooLarge, RequestTooSlow, TooManyRequests
from registry.gateway.limits import Buckets, read_body


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


def test_a_body_is_read_up_to_its_limit_and_not_a_byte_further() -> None:
    assert len(asyncio.run(read_body(chunks(4, 6), 10, seconds=1.0))) == 10
    with pytest.raises(RequestTooLarge, match="more than 10 bytes"):
        asyncio.run(read_body(chunks(4, 7), 10, seconds=1.0))


def test_a_body_that_never_comes_to_an_end_is_not_waited_for() -> None:
    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    with pytest.raises(RequestTooSlow, match=r"more than 0\.1 s to arrive"):
        asyncio.run(read_body(dripping(), 1_000_000, seconds=0.1))


def test_a_client_may_do_so_many_a_minute_and_others_are_not_disturbed() -> None:
    now = [0.0]
    buckets = Buckets(60, clock=lambda: now[0])
    for _ in range(60):
        buckets.take("one")
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("one")
    assert refused.value.seconds == pytest.approx(1.0)
    buckets.take("two")
    now[0] += 1.0
    buckets.take("one")
    with pytest.raises(TooManyRequests):
        buckets.take("one")


def test_only_so_many_clients_are_remembered() -> None:
    buckets = Buckets(60, clock=lambda: 0.0)
    for number in range(10_050):
        buckets.take(str(number))
    assert len(buckets._left) == 10_000
