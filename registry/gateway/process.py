"""Runs a gateway as a process: it listens, follows the ledger, at once on SIGHUP, and ends in order on SIGTERM."""

import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from pipeline.errors import BadInput, ExternalError
from registry.gateway.app import create_app
from registry.gateway.connections import BoundedConnection
from registry.gateway.gateway import Gateway

_IDLE_SECONDS = 75  # that a connection without a request stays open
_DRAIN_SECONDS = 60  # that requests under way get before they are broken off


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a gateway listens. Port 0: a free one."""

    host: str = "127.0.0.1"
    port: int = 8080

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def run_gateway(gateway: Gateway, address: Address, listening: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; requests that are under way then are answered to their end.

    `listening` is called with the address once it takes requests. Raises ExternalError where it cannot listen.
    """
    bound, server = listen(address), server_of(gateway)
    with _signals(gateway, server), bound:
        gateway.pointer.start()
        listening(url_of(bound))
        try:
            server.run(sockets=[bound])
        finally:
            gateway.pointer.stop()
            gateway.server.close()


def server_of(gateway: Gateway) -> uvicorn.Server:
    """The HTTP server of a gateway, to be run on a socket that listens."""
    configuration = uvicorn.Config(
        create_app(gateway),
        access_log=False,
        log_config=None,
        lifespan="off",
        http=BoundedConnection,
        ws="none",  # no path speaks it, and an upgrade would not be an HTTP request that the guard sees
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return uvicorn.Server(configuration)


@contextmanager
def _signals(gateway: Gateway, server: uvicorn.Server) -> Iterator[None]:
    """SIGHUP wakes the pointer. SIGTERM and SIGINT end the server, also before it runs; that is no failure."""

    def wake(*_: object) -> None:
        gateway.pointer.wake()

    def end(*_: object) -> None:
        server.should_exit = True  # uvicorn, which has handlers of its own while it runs, raises the signal again

    wanted = {signal.SIGHUP: wake, signal.SIGTERM: end, signal.SIGINT: end}
    before = {number: signal.signal(number, does) for number, does in wanted.items()}
    try:
        yield
    finally:
        for number, does in before.items():
            signal.signal(number, does)


def listen(address: Address) -> socket.socket:
    """A listening socket. Raises BadInput, ExternalError."""
    if not 0 <= address.port <= 65_535:
        raise BadInput(f"there is no port {address.port}. Take one from 1 to 65535, or 0 for a free one.")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        # Made with its protocol's number: asyncio sends small answers at once only on such a socket (else 40 ms late).
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
    except OSError as error:
        raise ExternalError(
            f"cannot listen on {address.host}:{address.port}: {error}. Take another --port, or end what listens there."
        ) from error
    bound.listen(2048)
    return bound


def url_of(bound: socket.socket) -> str:
    """The address of a listening socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
