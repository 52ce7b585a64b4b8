"""What every serving target promises of releases: this process, a small server of vLLM's protocol, and vLLM itself."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks import releases
from benchmarks.served import Client
from benchmarks.swap import PROMPTS, expected_texts
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.services.serving import make_gateway
from flows.wiring import Workspace
from pipeline.sandbox import model_path
from pipeline.types import Release
from registry.servers.server import short_name
from tests.gateways import MAX_TOKENS, Running, next_number, production, running
from tests.vllm_servers import ServedByVllm, vllm_workspace


@pytest.fixture(scope="module", params=["local", "small", pytest.param("vllm", marks=pytest.mark.vllm)])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("served") / "workspace"
    if request.param == "local":
        workspace = init_workspace(folder, str(model_path()), actor="ada", device="cpu")
    else:
        server: ServedByVllm = request.getfixturevalue("small" if request.param == "small" else "real")
        workspace = vllm_workspace(folder, server)
    releases.make_release(workspace, 1)
    yield workspace
    workspace.ledger.close()


@pytest.fixture
def served(made: Workspace) -> Iterator[Running]:
    """Production is a good release, whatever the test before left there: some spoil it."""
    releases.make_release(made, next_number(made))
    with running(make_gateway(made, keep=2)) as found:
        yield found


def test_a_text_is_continued_as_the_engine_does_whole_and_streamed(served: Running, made: Workspace) -> None:
    expected = expected_texts(made, production(made).number)
    for prompt, text in zip(PROMPTS, expected, strict=True):
        asked: Any = {"model": "sealed", "prompt": prompt, "max_tokens": MAX_TOKENS}
        assert served.client().completions.create(**asked).choices[0].text == text
        streamed = served.client().completions.create(stream=True, **asked)
        assert "".join(one.choices[0].text for one in streamed) == text


def test_a_swap_answers_from_the_new_release_at_once_and_a_rollback_goes_back(served: Running, made: Workspace) -> None:
    before = production(made)
    after = releases.make_release(made, next_number(made))
    assert served.completed().release == str(before.number)
    served.follow()
    assert served.completed().release == str(after.number)
    assert [one.number for one in served.gateway.server.loaded()][-2:] == [before.number, after.number]
    review.rollback(made, None, actor="grace", reason="it answers badly")
    served.follow()
    assert served.completed().release == str(before.number)
    assert after.number not in [one.number for one in served.gateway.server.loaded()]
    assert served.call("POST", "/v1/completions", {"prompt": "x", "model": short_name(after)})[0] == 404


BAD: dict[str, Callable[[Workspace, int], Release]] = {
    **{
        name: lambda made, number, damage=damage: releases.make_release(made, number, before=damage)  # type: ignore[misc]
        for name, damage in releases.BEFORE.items()
    },
    "bit flip": lambda made, number: releases.make_release(made, number, after=releases.flipped_bit),
    "gone": lambda made, number: releases.make_release(made, number, after=releases.removed),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_adapter_is_refused_and_the_old_release_goes_on(served: Running, made: Workspace, kind: str) -> None:
    good = releases.make_release(made, next_number(made))
    served.follow()
    bad = BAD[kind](made, next_number(made))
    served.follow()
    assert served.completed().release == str(good.number)
    said = served.call("GET", "/ready")[1]
    assert (said["ready"], said["release"]) == (True, good.number)
    assert any(one.startswith(f"release {bad.number} was not taken (") for one in said["problems"])
    assert str(made.settings.workspace) not in json.dumps(said)
    assert 'sealed_swaps_total{outcome="failed"}' in served.call("GET", "/metrics")[1]


def test_what_is_loaded_is_what_was_verified_whatever_lies_there_later(served: Running, made: Workspace) -> None:
    release = releases.make_release(made, next_number(made))
    served.follow()
    text = served.completed().text
    releases.flipped_bit(made.folder_of(release.update))
    assert (served.completed().text, served.completed().release) == (text, str(release.number))


def test_under_load_every_answer_is_wholly_of_the_release_it_names(served: Running, made: Workspace) -> None:
    releases.make_release(made, next_number(made))
    served.follow()
    replies: list[tuple[int, Any]] = []
    over = threading.Event()

    def ask(client: Client, start: int) -> None:
        number = start
        while not over.is_set():
            prompt, number = number % len(PROMPTS), number + 1
            body = {"prompt": PROMPTS[prompt], "max_tokens": MAX_TOKENS, "stream": number % 2 == 0}
            replies.append((prompt, client.complete(body)))

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, served.connection(), start) for start in range(8)]
        for swap in range(6):
            count = len(replies)
            damage = releases.BEFORE["NaN"] if swap % 3 == 1 else None
            releases.make_release(made, next_number(made), before=damage)
            served.follow()
            while len(replies) < count + 16:
                time.sleep(0.01)
        over.set()
        for done in asking:
            done.result()
    numbers = {int(reply.release) for _, reply in replies}
    said = {number: expected_texts(made, number) for number in numbers}
    assert len(numbers) >= 4
    assert [reply.status for _, reply in replies if reply.status != 200] == []
    assert [reply for prompt, reply in replies if reply.text != said[int(reply.release)][prompt]] == []


def test_a_stream_that_began_ends_with_its_release_after_that_was_retired(served: Running, made: Workspace) -> None:
    before, number = production(made), production(made).number
    stream = served.client().completions.create(model="sealed", prompt=PROMPTS[0], max_tokens=MAX_TOKENS, stream=True)
    parts = [next(stream)]
    for _ in range(4):
        releases.make_release(made, next_number(made))
        served.follow()
    assert number not in [one.number for one in served.gateway.server.loaded()]
    parts += list(stream)
    assert "".join(part.choices[0].text for part in parts) == expected_texts(made, number)[0]
    assert {part.model for part in parts} == {short_name(before)}


def test_a_stop_string_ends_a_text_and_is_left_out(served: Running) -> None:
    asked: Any = {"model": "sealed", "prompt": PROMPTS[0], "max_tokens": 12}
    whole = served.client().completions.create(**asked).choices[0].text
    for stream in (False, True):
        body = {"prompt": PROMPTS[0], "max_tokens": 12, "stop": [whole[5:8]], "stream": stream}
        assert served.connection().complete(body).text == whole[: whole.index(whole[5:8])]


def test_samples_of_one_request_differ(served: Running) -> None:
    sampled = served.client().completions.create(
        model="sealed", prompt=PROMPTS[0], max_tokens=12, n=3, temperature=1.0, seed=7
    )
    assert len({one.text for one in sampled.choices}) > 1
