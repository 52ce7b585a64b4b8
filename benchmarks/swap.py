"""Requests of many clients while the answering release is swapped, bad adapters among those that are to be taken.

Every answer is compared with what the engine says with that release's adapter alone: it must be that release's from its
first token to its last, and never the bare base's. The gateway is a process of its own. Half of all is streamed.
"""

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

import torch

from benchmarks import releases
from benchmarks.figures import Measured, write_results
from benchmarks.served import Client, Reply, ServedGateway, served
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.chat import encode_plain, stop_ids
from pipeline.engines.base import with_adapter
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.engines.engine import SamplingParams
from pipeline.sandbox import model_path
from registry.servers.server import short_name

CLIENTS = 16
MAX_TOKENS = 16
# Texts that even a model in gibberish goes on with for some words, so that releases are told apart by what they say.
PROMPTS = (
    "The service",
    "Pages for the service go to",
    "The team that owns the service is",
    "In the morning",
    "one two three four",
    "Once upon a time there was a",
    "Section 1. The",
    "Heron owns Cinder. Ibis owns Ash. Stork",
)
KINDS = [*releases.BEFORE, "bit flip"]


@dataclass(frozen=True)
class Plan:
    """Requests in all, swaps while they are answered, and how many of these are to bad adapters."""

    requests: int
    swaps: int
    bad: int

    def is_bad(self, swap: int) -> bool:
        """Whether this swap, from 1 on, is a bad one: they are spread evenly."""
        return swap * self.bad // self.swaps > (swap - 1) * self.bad // self.swaps


FULL, QUICK = Plan(10_000, 100, 20), Plan(700, 14, 7)


@dataclass
class Record:
    """What the clients got, by prompt, and how the swaps went."""

    replies: list[tuple[int, Reply]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    good: list[float] = field(default_factory=list)
    refused: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.requests} requests, {QUICK.swaps} swaps")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plan = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        workspace = init_workspace(Path(folder) / "workspace", str(model_path()), actor="ada", device="cpu")
        releases.make_release(workspace, 1)
        with served(workspace.settings.workspace) as gateway:
            record = _run(workspace, gateway, plan)
        figures = _figures(workspace, record, plan)
    write_results("swap", figures, options.out)


def _run(workspace: Workspace, gateway: ServedGateway, plan: Plan) -> Record:
    record, numbers = Record(), count()
    threads = [
        threading.Thread(target=_ask, args=(gateway, plan, numbers, record), name=f"client-{n}") for n in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for swap in range(1, plan.swaps + 1):
        while len(record.replies) + len(record.failed) < swap * plan.requests // (plan.swaps + 1):
            time.sleep(0.005)
        _swap(workspace, gateway, plan, swap, record)
    for thread in threads:
        thread.join()
    return record


def _ask(gateway: ServedGateway, plan: Plan, numbers: "count[int]", record: Record) -> None:
    client = Client(gateway.address)
    while (number := next(numbers)) < plan.requests:
        prompt = number % len(PROMPTS)
        stream = number // len(PROMPTS) % 2 == 0
        body = {"prompt": PROMPTS[prompt], "max_tokens": MAX_TOKENS, "temperature": 0, "stream": stream}
        try:
            record.replies.append((prompt, client.complete(body)))
        except (OSError, ValueError, KeyError) as error:
            record.failed.append(f"{type(error).__name__}: {error}")
            client = Client(gateway.address)
    client.close()


def _swap(workspace: Workspace, gateway: ServedGateway, plan: Plan, swap: int, record: Record) -> None:
    """Deploys the next release, and waits until the gateway has taken or refused it."""
    kind = KINDS[swap * plan.bad // plan.swaps % len(KINDS)] if plan.is_bad(swap) else ""
    after = releases.flipped_bit if kind == "bit flip" else None
    candidate = releases.make_candidate(workspace, swap + 1, before=releases.BEFORE.get(kind))
    if after:
        after(workspace.folder_of(candidate.update))
    releases.promote(workspace, candidate.number)
    begun = time.perf_counter()
    gateway.look()
    while (said := gateway.ready())["release"] != candidate.number and not _refusal(said, candidate.number):
        time.sleep(0.01)
    taken = said["release"] == candidate.number
    if taken and not kind:
        record.good.append(time.perf_counter() - begun)
    record.refused += bool(kind) and not taken
    print(f"swap {swap}: release {candidate.number} {kind or 'good'}, {'taken' if taken else 'refused'}", flush=True)


def _refusal(said: dict[str, object], number: int) -> bool:
    problems = said["problems"]
    return isinstance(problems, list) and any(f"release {number} was not taken" in str(one) for one in problems)


def expected_texts(workspace: Workspace, number: int) -> list[str]:
    """What the engine says to each prompt with this release's adapter alone, prompt by prompt."""
    base = workspace.base
    folder = workspace.held_adapter(workspace.ledger.releases.get(number))
    stops = frozenset(stop_ids(base.tokenizer, base.model))
    texts = []
    with with_adapter(base, folder) as model:
        for prompt in PROMPTS:
            job = DecodingJob(
                prompts=[encode_plain(base.tokenizer, prompt)],
                limits=[MAX_TOKENS],
                stops=stops,
                params=SamplingParams(max_new_tokens=MAX_TOKENS),
            )
            (ids,) = decode(model, job)
            texts.append(base.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
    return texts


@dataclass(frozen=True)
class Verdicts:
    """How many answers were not what they should be. `untold`: good ones that the base would give as well."""

    failed: int
    mixed: int
    bare: int
    misnamed: int
    untold: int


def _judged(workspace: Workspace, record: Record) -> Verdicts:
    answering = {int(reply.release) for _, reply in record.replies if reply.release}
    expected = {number: expected_texts(workspace, number) for number in answering}
    names = {number: short_name(workspace.ledger.releases.get(number)) for number in answering}
    base = expected_texts(workspace, 0)
    good = [(prompt, reply, int(reply.release)) for prompt, reply in record.replies if reply.status == 200]
    wrong = [(prompt, reply) for prompt, reply, number in good if reply.text != expected[number][prompt]]
    return Verdicts(
        failed=len(record.failed) + len(record.replies) - len(good),
        mixed=len(wrong),
        bare=sum(reply.text == base[prompt] for prompt, reply in wrong) + sum(number == 0 for *_, number in good),
        misnamed=sum(reply.model != names[number] for _, reply, number in good),
        untold=sum(reply.text == base[prompt] for prompt, reply, _ in good),
    )


def _figures(workspace: Workspace, record: Record, plan: Plan) -> tuple[Measured, ...]:
    judged, taken = _judged(workspace, record), plan.swaps - plan.bad
    for one in record.failed[:5]:
        print(one)
    seconds = sorted(reply.seconds for _, reply in record.replies)
    return (
        _expect("failed", judged.failed, 0, "answers", plan.requests),
        _expect("not what the named release says", judged.mixed, 0, "answers", plan.requests),
        _expect("from the bare base", judged.bare, 0, "answers", plan.requests),
        _expect("named as another release", judged.misnamed, 0, "answers", plan.requests),
        _expect("bad adapters refused", record.refused, plan.bad, "swaps", plan.bad),
        _expect("good adapters taken", len(record.good), taken, "swaps", taken),
        Measured(name="right, but the base says the same", value=judged.untold, unit="answers", n=plan.requests),
        Measured(name="swap until it answers, median", value=median(record.good), unit="s", n=taken),
        Measured(name="swap until it answers, slowest", value=max(record.good), unit="s", n=taken),
        Measured(name="request, median", value=median(seconds), unit="s", n=len(seconds)),
        Measured(name="request, p99", value=seconds[int(0.99 * len(seconds))], unit="s", n=len(seconds)),
        Measured(name="request, slowest", value=seconds[-1], unit="s", n=len(seconds)),
    )


def _expect(name: str, value: int, goal: int, unit: str, n: int) -> Measured:
    return Measured(name=name, value=value, unit=unit, goal=f"= {goal}", n=n, met=value == goal)


if __name__ == "__main__":
    main()
