"""Several streams as one, each part with the place of its stream. Knows no HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from pipeline.errors import SealedError
from registry.servers.server import Piece

Indexed = tuple[int, Piece]


async def merged(streams: Sequence[AsyncGenerator[Piece, None]]) -> AsyncGenerator[Indexed, None]:
    """The pieces of all streams as they come. An error of one ends all; closing this closes them."""
    arrived: asyncio.Queue[Indexed | SealedError | None] = asyncio.Queue()
    tasks = [asyncio.ensure_future(_forward(place, stream, arrived)) for place, stream in enumerate(streams)]
    left = len(tasks)
    try:
        while left:
            found = await arrived.get()
            if isinstance(found, SealedError):
                raise found
            if found is None:
                left -= 1
            else:
                yield found
    finally:
        for task in tasks:
            task.cancel()
        # Shielded: who waits may be cancelled again, and a second cancellation would leave a connection open.
        await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))


async def _forward(
    place: int, stream: AsyncGenerator[Piece, None], arrived: asyncio.Queue[Indexed | SealedError | None]
) -> None:
    """Puts the pieces into the queue, then None; or the error, which is raised where the pieces are read."""
    try:
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                arrived.put_nowait((place, piece))
    except SealedError as error:
        arrived.put_nowait(error)
    else:
        arrived.put_nowait(None)
