"""Which ports the servers listen on: the usual ones where they are free, others where they are not."""

import socket
from dataclasses import dataclass

from pipeline.errors import ExternalError

HOST = "127.0.0.1"
MLFLOW, PREFECT, GATEWAY = 5000, 4200, 8080


@dataclass(frozen=True, kw_only=True)
class Ports:
    """A port for each server. As a wish: None is the usual one or, where that is taken, a free one; 0 is a free one."""

    mlflow: int | None = None
    prefect: int | None = None
    gateway: int | None = None


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the servers answer, as URLs. `mlflow` is the server of the settings where the workspace names one."""

    mlflow: str
    prefect: str
    gateway: str


def free_ports(wanted: Ports) -> tuple[int, int, int]:
    """Free ports for MLflow, Prefect and the gateway, all different. Raises ExternalError where a given one is taken.

    All are held until all are chosen; between that and a server's own start another program can still take one.
    """
    asked = ((wanted.mlflow, MLFLOW), (wanted.prefect, PREFECT), (wanted.gateway, GATEWAY))
    held: list[socket.socket] = []
    try:
        for port, usual in asked:
            held.append(_usual_or_free(usual) if port is None else _bound(port))
        mlflow, prefect, gateway = (int(one.getsockname()[1]) for one in held)
    finally:
        for one in held:
            one.close()
    return mlflow, prefect, gateway


def _usual_or_free(usual: int) -> socket.socket:
    try:
        return _bound(usual)
    except ExternalError:
        return _bound(0)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        raise ExternalError(
            f"cannot listen on {HOST}:{port}: {error}. Give another port, 0 for a free one, or end what listens there."
        ) from error
    return bound
