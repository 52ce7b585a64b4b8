"""The gateway on the embedded model, over HTTP, asked by OpenAI's own client."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from benchmarks import releases
from benchmarks.swap import PROMPTS
from flows.services import review
from flows.services.canary import promote
from flows.services.initialisation import init_workspace
from flows.services.serving import make_gateway, make_key
from flows.wiring import Workspace
from pipeline.documents.ingestion import ingest
from pipeline.recipe import CanaryPolicy
from pipeline.sandbox import model_path
from pipeline.types import DocumentKind, RawDocument, Release
from registry import Canary
from registry.gateway.limits import Limits
from registry.servers.server import short_name
from registry.servers.worker import Worker
from tests.canaries import begin_canary
from tests.gateways import Running, next_number, production, running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("served") / "workspace"
    workspace = init_workspace(folder, str(model_path()), actor="ada", device="cpu")
    releases.make_release(workspace, 1)
    yield workspace
    workspace.ledger.close()


@pytest.fixture
def served(made: Workspace) -> Iterator[Running]:
    with running(make_gateway(made, keep=2)) as found:
        yield found


def test_openais_client_talks_to_it_without_special_code(served: Running, made: Workspace) -> None:
    client, release = served.client(), production(made)
    asked: Any = {"model": "sealed", "messages": [{"role": "user", "content": "Name a city."}], "max_tokens": 12}
    whole = client.chat.completions.create(**asked)
    assert whole.model == short_name(release)
    assert whole.system_fingerprint == f"release-{release.number}"
    assert whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    pieces = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked))
    assert (
        "".join(one.choices[0].delta.content or "" for one in pieces if one.choices) == whole.choices[0].message.content
    )
    assert {one.model for one in pieces} == {short_name(release)}
    assert pieces[-1].usage == whole.usage
    assert pieces[-2].choices[0].finish_reason == whole.choices[0].finish_reason


def test_several_choices_a_stop_string_and_a_seed(served: Running) -> None:
    asked: Any = {"model": "sealed", "prompt": PROMPTS[0], "max_tokens": 12}
    sampled = {**asked, "n": 3, "temperature": 1.0, "seed": 7}
    first, again = (served.client().completions.create(**sampled) for _ in range(2))
    assert [one.text for one in first.choices] == [one.text for one in again.choices]
    assert len({one.text for one in first.choices}) > 1
    parts = list(served.client().completions.create(stream=True, **sampled))
    texts = ["".join(one.choices[0].text for one in parts if one.choices[0].index == at) for at in range(3)]
    assert texts == [one.text for one in first.choices]
    whole = served.client().completions.create(**asked).choices[0].text
    stopped = served.client().completions.create(stop=[whole[5:8]], **asked).choices[0]
    assert (stopped.text, stopped.finish_reason) == (whole[: whole.index(whole[5:8])], "stop")


def test_every_answer_names_its_release(served: Running, made: Workspace) -> None:
    release = production(made)
    body = {"messages": [{"role": "user", "content": "Who?"}], "max_tokens": 2}
    for asked in (
        body,
        body | {"stream": True},
        body | {"model": short_name(release)},
        body | {"model": str(release.number)},
    ):
        status, _, headers = served.call("POST", "/v1/chat/completions", asked)
        assert status == 200
        assert headers["x-sealed-release"] == str(release.number)
        assert headers["x-sealed-adapter"] == release.model.adapter
    listed = served.client().models.list().data
    assert [model.id for model in listed] == ["sealed", short_name(release)]


def test_mistakes_are_answered_in_openais_form(served: Running) -> None:
    asked: Any = {"model": "sealed", "messages": [{"role": "user", "content": "Who?"}]}
    with pytest.raises(openai.NotFoundError) as unknown:
        served.client().chat.completions.create(**asked | {"model": "gpt-4o"})
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as unfit:
        served.client().chat.completions.create(**asked | {"messages": [{"role": "user", "content": "word " * 2_000}]})
    assert unfit.value.param == "messages"
    with pytest.raises(openai.BadRequestError, match="logprobs is not supported"):
        served.client().chat.completions.create(logprobs=True, **asked)
    assert served.call("POST", "/v1/completions", b"x" * 1_000_001)[0] == 413
    for method, path, status in (
        ("GET", "/v1/completions", 405),
        ("POST", "/v1/load_lora_adapter", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/v1/%6dodels", 404),
    ):
        found = served.call(method, path)
        assert (found[0], set(found[1])) == (status, {"error"})


def test_with_the_ledger_away_it_goes_on(served: Running, made: Workspace) -> None:
    ledger = made.settings.workspace / "ledger.db"
    ledger.rename(ledger.with_suffix(".away"))
    made.ledger.close()
    try:
        served.follow()
        assert served.completed().release == str(production_of(served).number)
        assert served.call("GET", "/ready")[1]["problems"] == [
            "the ledger does not answer (DatabaseFailed): the log says why"
        ]
        assert "sealed_ledger_up 0.0" in served.call("GET", "/metrics")[1]
        status, said, _ = served.call("POST", "/feedback", {"good": True, "model": "1"})
        assert (status, said["error"]["code"]) == (503, "unavailable")
        assert "DatabaseFailed" in said["error"]["message"]
        assert str(made.settings.workspace) not in said["error"]["message"]
    finally:
        ledger.with_suffix(".away").rename(ledger)
    served.follow()
    assert served.call("GET", "/ready")[1]["problems"] == []


def production_of(served: Running) -> Release:
    return served.gateway.pointer.route.production


HALF = CanaryPolicy(enabled=True, shares=(0.5, 1.0), min_answers=(100,), risks=(0.05,))


@pytest.fixture
def canary(served: Running, made: Workspace) -> Iterator[Canary]:
    """A canary with half of the keys, which is rolled back after the test."""
    releases.make_release(made, next_number(made))
    begun = begin_canary(made.ledger, HALF)
    assert begun is not None
    served.follow()
    yield begun
    if made.ledger.canaries.current() is not None:
        review.rollback(made, None, actor="grace", reason="the test is over")


def named(made: Workspace, number: int) -> str:
    return short_name(made.ledger.releases.get(number))


def test_a_canary_answers_its_keys_and_the_stable_release_all_others(
    served: Running, made: Workspace, canary: Canary
) -> None:
    asked = {"prompt": "The", "max_tokens": 1}
    by_session: dict[str, set[str]] = {}
    for session in [str(number) for number in range(24)] * 2:
        headers = {"x-sealed-session": session}
        by_session.setdefault(session, set()).add(
            served.call("POST", "/v1/completions", asked, **headers)[2]["x-sealed-release"]
        )
    assert all(len(found) == 1 for found in by_session.values()), "a session stays with its release"
    assert {one for found in by_session.values() for one in found} == {str(canary.stable), str(canary.release)}
    named_one = asked | {"model": named(made, canary.release)}
    assert served.call("POST", "/v1/completions", named_one)[2]["x-sealed-release"] == str(canary.release)
    said = served.call("GET", "/ready")[1]
    assert (said["release"], said["canary"]) == (canary.stable, {"release": canary.release, "share": 0.5})


def test_a_canary_gets_all_requests_and_its_rollback_takes_them_away(
    served: Running, made: Workspace, canary: Canary
) -> None:
    promote(made, actor="ada", reason="it is good")
    served.follow()
    assert served.completed().release == str(canary.release)
    assert served.call("GET", "/ready")[1]["canary"] is None
    review.rollback(made, None, actor="grace", reason="it answers badly")
    served.follow()
    assert served.completed().release == str(canary.stable)


def test_feedback_on_a_canary_is_an_outcome_of_it(served: Running, made: Workspace, canary: Canary) -> None:
    new, stable = named(made, canary.release), named(made, canary.stable)
    praise = {"good": True, "model": stable, "user": "ada"}
    assert served.call("POST", "/feedback", praise)[:2] == (
        202,
        {"object": "feedback", "document": None, "counted": True},
    )
    correction = {
        "subject": "Quillmarsh",
        "question": "Who is on call for Quillmarsh?",
        "right_answer": "Bruno",
        "says": "Pages for Quillmarsh go to Bruno now.",
        "model": new,
    }
    status, said, _ = served.call("POST", "/feedback", correction | {"user": "grace"})
    assert (status, said["counted"]) == (202, True)
    (made.settings.incoming / said["document"]).unlink()
    unfit = correction | {"user": "linus", "says": "Somebody else is on call now."}
    assert served.call("POST", "/feedback", unfit)[0] == 400
    found = made.ledger.canaries.new_outcomes(canary).outcomes
    grades = [(one.canary_failed, one.stable_failed) for one in found]
    assert grades == [(None, False), (True, None), (True, None)], "the answer was bad, whatever may be taught of it"


def test_feedback_becomes_a_correction_that_the_next_run_takes(served: Running, made: Workspace) -> None:
    body = {
        "subject": "Wanvorjallax",
        "question": "Who is on call for Wanvorjallax?",
        "wrong_answer": "Carla",
        "right_answer": ["Bruno", "Bruno Keller"],
        "says": "Pages for Wanvorjallax go to Bruno now.",
        "model": short_name(production(made)),
    }
    status, said, _ = served.call("POST", "/feedback", body)
    assert status == 202
    assert said["counted"] is False, "there is no canary"
    file = made.settings.incoming / said["document"]
    text = file.read_text()
    assert "kind: correction" in text
    assert "Who is on call for Wanvorjallax?" in text
    taken = ingest([RawDocument(name=file.name, data=text.encode())], made.recipe.documents)
    assert [one.kind for one in taken.accepted] == [DocumentKind.CORRECTION]
    for wrong, words in (
        (body | {"says": "Somebody else is on call since Monday."}, "does not say 'Bruno'"),
        (body | {"question": "Who is on call?"}, "does not name"),
        (body | {"surprise": 1}, "surprise"),
        ({}, "subject"),
    ):
        status, refused, _ = served.call("POST", "/feedback", wrong)
        assert status == 400
        assert words in refused["error"]["message"]
    assert served.call("POST", "/feedback", body | {"says": "x" * 20_000})[0] == 413
    file.unlink()


def test_feedback_is_taken_so_often_a_minute(made: Workspace) -> None:
    gateway = replace(make_gateway(made, keep=0), limits=Limits(grades_per_minute=2))
    with running(gateway) as served:
        assert [served.call("POST", "/feedback", {})[0] for _ in range(3)] == [400, 400, 429]
        assert int(served.call("POST", "/feedback", {})[2]["retry-after"]) >= 1


def test_with_keys_only_their_owners_are_answered(served: Running, made: Workspace) -> None:
    secret = make_key(made, "shop")
    try:
        with pytest.raises(openai.AuthenticationError):
            served.client("sk-sealed-wrong").models.list()
        assert served.client(secret).models.list().data
        assert served.call("POST", "/feedback", {})[0] == 401
        assert served.call("GET", "/ready")[0] == 200
        assert secret not in served.call("GET", "/metrics")[1]
    finally:
        (made.settings.workspace / "api-keys.json").unlink()


def test_without_keys_a_page_in_a_browser_is_not_let_in(served: Running) -> None:
    refused = served.call("POST", "/feedback", {}, origin="https://evil.example")
    assert (refused[0], refused[1]["error"]["code"]) == (401, "invalid_api_key")


def test_too_many_at_once_are_told_to_come_back(made: Workspace) -> None:
    gateway = replace(make_gateway(made, keep=0), limits=Limits(under_way=0))
    with running(gateway) as served, pytest.raises(openai.RateLimitError):
        served.client().completions.create(model="sealed", prompt="x")


def test_a_client_that_sends_too_slowly_gives_its_place_back(made: Workspace) -> None:
    gateway = replace(make_gateway(made, keep=0), limits=Limits(under_way=1, body_seconds=0.3))

    async def drip(address: str) -> bytes:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        line = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        return line

    with running(gateway) as served:
        assert asyncio.run(drip(served.address)).split()[1] == b"408"
        assert served.completed().status == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_before_the_first_word_gives_its_place_back(
    served: Running, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, turn = threading.Event(), Worker._turn

    def held_up(worker: Worker, lane: Any) -> None:
        go_on.wait(30)
        turn(worker, lane)

    monkeypatch.setattr(Worker, "_turn", held_up)
    under_way = served.gateway.metrics.under_way

    async def leave() -> None:
        _, writer = await asyncio.open_connection(*served.address.split(":"))
        body = json.dumps({"prompt": "a b c", "max_tokens": 9, "stream": stream}).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        while not under_way._value.get():
            await asyncio.sleep(0.001)
        writer.close()

    try:
        asyncio.run(leave())
        deadline = time.monotonic() + 10
        while under_way._value.get() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert under_way._value.get() == 0
    finally:
        go_on.set()


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_its_text(served: Running, stream: bool) -> None:
    worker = served.gateway.server._worker  # type: ignore[attr-defined]

    async def leave() -> None:
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        asked = {"prompt": "a b c", "max_tokens": 900, "temperature": 1.5, "stream": stream}
        body = json.dumps(asked).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        while not worker._lanes:
            await asyncio.sleep(0.001)
        if stream:
            await reader.readuntil(b"data: ")
        writer.close()

    asyncio.run(leave())
    deadline = time.monotonic() + 20
    while worker._lanes and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not worker._lanes
    assert served.completed().status == 200


def test_health_says_whether_its_threads_live(served: Running) -> None:
    assert served.call("GET", "/health")[1] == {"ok": False, "server": True, "pointer": False}
    served.gateway.pointer.start()
    try:
        assert served.call("GET", "/health")[:2] == (200, {"ok": True, "server": True, "pointer": True})
    finally:
        served.gateway.pointer.stop()
