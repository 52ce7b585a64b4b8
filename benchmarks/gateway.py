"""What the gateway costs beside the engine called directly: latency of one client, and throughput of sixteen.

The direct engine has the release's adapter attached once, and gets sixteen prompts in one call: the best it can do. The
gateway is a process of its own, asked over HTTP. Both take turns in one run, on the embedded model, whose answers take
milliseconds, and on a random model of 102 million parameters, which is more like what is served.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch

from benchmarks import releases
from benchmarks.figures import Measured, write_results
from benchmarks.peers.random_model import LLAMA_100M, make_random_model
from benchmarks.served import Client, Reply, ServedGateway, served
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.adapters.held import hold_adapter
from pipeline.chat import encode_plain, stop_ids
from pipeline.engines.base import BaseModel
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.engines.engine import SamplingParams
from pipeline.sandbox import model_path

CLIENTS = 16
MAX_TOKENS = 32
SLOWER, LEAST = 1.1, 0.9
# Texts that even a model in gibberish goes on with for some words.
BEGINNINGS = ("Once upon a time there was a", "The team that owns it is", "In the morning", "one two three four")
PROMPTS = tuple(f"Section {number}. {BEGINNINGS[number % 4]}" for number in range(CLIENTS))


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured: turns, requests of one client a turn, and rounds of sixteen a turn."""

    turns: int
    alone: int
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Seconds of the median request of one client, and requests a second of sixteen; each of both ways."""

    direct_seconds: float
    gateway_seconds: float
    direct_rate: float
    gateway_rate: float


@dataclass(frozen=True)
class Direct:
    """The engine's decoding without anything around it."""

    base: BaseModel

    def texts(self, prompts: Sequence[str]) -> list[str]:
        """The greedy continuations, all written together."""
        tokenizer = self.base.tokenizer
        job = DecodingJob(
            prompts=[encode_plain(tokenizer, prompt) for prompt in prompts],
            limits=[MAX_TOKENS] * len(prompts),
            stops=frozenset(stop_ids(tokenizer, self.base.model)),
            params=SamplingParams(max_new_tokens=MAX_TOKENS),
        )
        return [
            tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            for ids in decode(self.base.model, job)
        ]


EFFORTS = {
    "embedded model": (Effort(turns=7, alone=40, rounds=20), Effort(turns=2, alone=10, rounds=4)),
    "102 M parameters": (Effort(turns=5, alone=5, rounds=2), Effort(turns=1, alone=2, rounds=1)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (full, quick) in EFFORTS.items():
            model = model_path() if name == "embedded model" else _large(Path(folder) / "large")
            workspace = init_workspace(Path(folder) / name.replace(" ", "-"), str(model), actor="ada", device="cpu")
            figures += _measured(workspace, name, quick if options.quick else full)
    write_results("gateway", figures, options.out)


def _large(folder: Path) -> Path:
    return make_random_model(folder, LLAMA_100M)


def _measured(workspace: Workspace, name: str, effort: Effort) -> Iterator[Measured]:
    release = releases.make_release(workspace, 1)
    folder = workspace.held_adapter(release)
    assert folder is not None
    held = hold_adapter(workspace.base.model, workspace.base.identity, folder)
    engine = Direct(replace(workspace.base, model=held.model))
    with served(workspace.settings.workspace) as gateway:
        same = _same(engine, gateway)
        turns = [_turn(engine, gateway, effort, number) for number in range(effort.turns)]
    yield Measured(name=f"{name}: answers alike", value=same, unit="share", goal="= 1", n=CLIENTS, met=same == 1.0)
    slower = median(turn.gateway_seconds / turn.direct_seconds for turn in turns)
    faster = median(turn.gateway_rate / turn.direct_rate for turn in turns)
    yield Measured(
        name=f"{name}: p50 latency, gateway / engine",
        value=slower,
        unit="x",
        goal=f"<= {SLOWER:g}",
        n=effort.turns * effort.alone,
        met=slower <= SLOWER,
    )
    yield Measured(
        name=f"{name}: requests a second at 16 clients, gateway / engine",
        value=faster,
        unit="x",
        goal=f">= {LEAST:g}",
        n=effort.turns * effort.rounds * CLIENTS,
        met=faster >= LEAST,
    )
    for way, seconds, rate in (
        ("engine", [t.direct_seconds for t in turns], [t.direct_rate for t in turns]),
        ("gateway", [t.gateway_seconds for t in turns], [t.gateway_rate for t in turns]),
    ):
        yield Measured(name=f"{name}: p50 latency, {way}", value=1e3 * median(seconds), unit="ms", n=effort.turns)
        yield Measured(name=f"{name}: {way} at 16", value=median(rate), unit="requests/s", n=effort.turns)


def _turn(engine: Direct, gateway: ServedGateway, effort: Effort, number: int) -> Turn:
    """All four, one after another; in every second turn the gateway goes first."""
    clients = [Client(gateway.address) for _ in range(CLIENTS)]
    found: dict[str, float] = {}

    def direct() -> None:
        found["direct_seconds"] = _median_seconds(lambda prompt: engine.texts([prompt]), effort.alone)
        found["direct_rate"] = _rate(lambda: [engine.texts(PROMPTS) for _ in range(effort.rounds)], effort)

    def through() -> None:
        found["gateway_seconds"] = _median_seconds(lambda prompt: _through(clients[0], prompt), effort.alone)
        found["gateway_rate"] = _rate(lambda: _together(clients, effort.rounds), effort)

    for way in (direct, through) if number % 2 == 0 else (through, direct):
        way()
    for client in clients:
        client.close()
    turn = Turn(**found)
    print(f"turn {number}: {turn}", flush=True)
    return turn


def _median_seconds(ask: Callable[[str], object], count: int) -> float:
    seconds = []
    for number in range(count):
        begun = time.perf_counter()
        ask(PROMPTS[number % CLIENTS])
        seconds.append(time.perf_counter() - begun)
    return median(seconds)


def _rate(work: Callable[[], object], effort: Effort) -> float:
    begun = time.perf_counter()
    work()
    return CLIENTS * effort.rounds / (time.perf_counter() - begun)


def _together(clients: Sequence[Client], rounds: int) -> None:
    """Each client takes the next request as soon as it has its answer."""
    waiting = iter(PROMPTS * rounds)
    lock = threading.Lock()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(_ask, client, waiting, lock) for client in clients]:
            done.result()


def _ask(client: Client, waiting: Iterator[str], lock: threading.Lock) -> None:
    while True:
        with lock:
            prompt = next(waiting, None)
        if prompt is None:
            return
        _through(client, prompt)


def _through(client: Client, prompt: str) -> Reply:
    return client.complete({"prompt": prompt, "max_tokens": MAX_TOKENS, "temperature": 0})


def _same(engine: Direct, gateway: ServedGateway) -> float:
    """The share of prompts that both answer alike."""
    client = Client(gateway.address)
    pairs = [(engine.texts([prompt])[0], _through(client, prompt).text) for prompt in PROMPTS]
    client.close()
    return sum(direct == served for direct, served in pairs) / len(pairs)


if __name__ == "__main__":
    main()
