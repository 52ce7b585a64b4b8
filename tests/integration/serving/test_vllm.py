"""What serving through vLLM must not fall for: each known trap of the server, on the small one and on vLLM itself."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from benchmarks import releases
from benchmarks.served import Client, served
from benchmarks.swap import MAX_TOKENS, PROMPTS, expected_texts
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.services.serving import before_vllm, make_gateway
from flows.wiring import Workspace
from pipeline.chat import encode_plain
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import AdapterNotApplied, BadInput, CorruptAdapter, EngineFailed, WrongBase
from pipeline.types import Release
from registry.servers.server import Generation, Server, served_name
from tests.gateways import next_number, running
from tests.vllm_servers import ServedByVllm, SmallServer, vllm_workspace

KINDS = ["small", pytest.param("vllm", marks=pytest.mark.vllm)]


@pytest.fixture(scope="module", params=KINDS)
def vllm(request: pytest.FixtureRequest) -> ServedByVllm:
    server: ServedByVllm = request.getfixturevalue("small" if request.param == "small" else "real")
    return server


@pytest.fixture(scope="module")
def made(vllm: ServedByVllm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with two releases."""
    workspace = vllm_workspace(tmp_path_factory.mktemp("vllm") / "workspace", vllm)
    for number in (1, 2):
        releases.make_release(workspace, number)
    yield workspace
    workspace.ledger.close()


@pytest.fixture(scope="module")
def on_small(small: SmallServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace for what only the small server can do wrong."""
    workspace = vllm_workspace(tmp_path_factory.mktemp("small") / "workspace", small)
    releases.make_release(workspace, 1)
    yield workspace
    workspace.ledger.close()


def server_of(workspace: Workspace) -> Server:
    """A serving target as a new process makes it: it remembers nothing."""
    fresh = replace(workspace, settings=workspace.settings)
    return make_gateway(fresh, keep=2).server


def release(workspace: Workspace, number: int) -> Release:
    return workspace.ledger.releases.get(number)


def roll_back(workspace: Workspace) -> None:
    review.rollback(workspace, None, actor="grace", reason="it cannot be served")


def names(url: str) -> dict[str, str]:
    """What the server lists, with the folders that it read."""
    listed = httpx.get(f"{url}/v1/models").json()["data"]
    return {one["id"]: one["root"] for one in listed if one["id"].startswith("rel-")}


def texts(workspace: Workspace, server: Server, *numbers: int, times: int = 1) -> list[list[str]]:
    """What each release says to the prompts; all are asked at once."""
    tokenizer = workspace.metadata.tokenizer
    prompts = [tuple(encode_plain(tokenizer, prompt)) for prompt in PROMPTS]

    async def ask() -> list[str]:
        params = SamplingParams(max_new_tokens=MAX_TOKENS)
        asked = [
            server.generate(Generation(ids=ids, params=params), number)
            for number in numbers
            for _ in range(times)
            for ids in prompts
        ]
        return [piece.text for piece in await asyncio.gather(*asked)]

    said, many = asyncio.run(ask()), len(prompts) * times
    return [said[start : start + many] for start in range(0, len(said), many)]


def whole(answers: list[tuple[str, ...]]) -> list[str]:
    """The texts without a last character that is cut off: vLLM leaves it out."""
    return [text.rstrip("\ufffd") for (text,) in answers]


def test_the_base_beside_adapted_answers_is_still_the_base(made: Workspace) -> None:
    server = server_of(made)
    for number in (0, 1, 2):
        server.hold(release(made, number))
    wanted = [expected_texts(made, number) for number in (0, 1, 2)]
    assert len({tuple(each) for each in wanted}) == 3
    for _ in range(3):
        assert texts(made, server, 0, 1, 2, times=2) == [each * 2 for each in wanted]


def test_what_is_spoiled_is_refused_before_it_reaches_the_server(made: Workspace, vllm: ServedByVllm) -> None:
    server = server_of(made)
    server.activate(release(made, 2))
    known = names(vllm.url)
    for kind in ("NaN", "wrong base", "missing layer", "rank lie", "renamed keys"):
        bad = releases.make_release(made, next_number(made), before=releases.BEFORE[kind])
        with pytest.raises(WrongBase if kind == "wrong base" else CorruptAdapter):
            server.activate(bad)
        assert names(vllm.url) == known
        if isinstance(vllm, SmallServer):
            assert vllm.calls[-1][1] != served_name(bad)
        roll_back(made)
    assert server.loaded()[0].number == 2
    assert texts(made, server, 2) == [expected_texts(made, 2)]


def test_an_adapter_that_changes_nothing_is_refused_and_unloaded(made: Workspace, vllm: ServedByVllm) -> None:
    server = server_of(made)
    idle = releases.make_release(made, next_number(made), before=releases.no_change)
    with pytest.raises(AdapterNotApplied, match="answers just as the base"):
        server.activate(idle)
    assert served_name(idle) not in names(vllm.url)
    roll_back(made)


def test_a_load_that_matches_no_module_is_refused_and_unloaded(on_small: Workspace, small: SmallServer) -> None:
    one = release(on_small, 1)
    small.unapplied.add(served_name(one))
    try:
        with pytest.raises(AdapterNotApplied, match="answers just as the base"):
            server_of(on_small).activate(one)
    finally:
        small.unapplied.clear()
    assert ("/v1/load_lora_adapter", served_name(one)) in small.calls
    assert served_name(one) not in small.roots


def test_answers_that_are_no_numbers_are_refused(on_small: Workspace, small: SmallServer) -> None:
    server, one = server_of(on_small), release(on_small, 1)
    server.hold(release(on_small, 0))
    (identity,) = names(small.url)
    for poisoned, error in ((served_name(one), AdapterNotApplied), (identity, EngineFailed)):
        small.poisoned.add(poisoned)
        try:
            with pytest.raises(error, match=r"not finite|no numbers"):
                server.activate(one)
        finally:
            small.poisoned.clear()
    server.activate(one)


def test_another_base_model_on_the_server_is_refused(vllm: ServedByVllm, tiny_model: object, tmp_path: Path) -> None:
    other = tiny_model("llama", head=64, seed=1)  # type: ignore[operator]
    workspace = init_workspace(tmp_path / "workspace", str(other), actor="ada", device="cpu")
    with pytest.raises(WrongBase, match="is not the base model of this workspace"):
        make_gateway(before_vllm(workspace, vllm.url, None), keep=0)
    workspace.ledger.close()


def test_a_base_model_that_cannot_be_seen_is_refused(small: SmallServer, on_small: Workspace, tmp_path: Path) -> None:
    shutil.copytree(small.model, tmp_path / "elsewhere")
    seen = small.listed
    for place, refused in ((str(tmp_path / "elsewhere"), False), ("/models/of/another/host", True)):
        small.listed = lambda place=place: {"data": [seen()["data"][0] | {"root": place}]}  # type: ignore[method-assign,misc]
        try:
            if refused:
                with pytest.raises(WrongBase, match="not visible here"):
                    make_gateway(on_small, keep=0)
            else:
                make_gateway(replace(on_small), keep=0)
        finally:
            del small.listed  # type: ignore[method-assign]


def test_new_content_is_never_served_under_an_old_name(made: Workspace, vllm: ServedByVllm) -> None:
    one, two = release(made, 1), release(made, 2)
    server_of(made).activate(one)
    name, digest = served_name(one), str(one.model.adapter)
    # Somebody loads another adapter under the release's name.
    for call, body in (
        ("unload_lora_adapter", {"lora_name": name}),
        ("load_lora_adapter", {"lora_name": name, "lora_path": str(made.folder_of(two.update))}),
    ):
        assert httpx.post(f"{vllm.url}/v1/{call}", json=body).status_code == 200
    server = server_of(made)
    server.activate(one)
    assert names(vllm.url)[name] == str(made.settings.server_adapters / digest)
    assert texts(made, server, 1) == [expected_texts(made, 1)]
    # Somebody writes into the folder that the server reads.
    weights = made.settings.server_adapters / digest / "adapter_model.safetensors"
    good = weights.read_bytes()
    weights.unlink()
    shutil.copyfile(made.folder_of(two.update) / weights.name, weights)
    server = server_of(made)
    server.activate(one)
    assert weights.read_bytes() == good
    assert texts(made, server, 1) == [expected_texts(made, 1)]


def test_a_new_process_proves_again_what_it_wants_and_unloads_the_rest(made: Workspace, vllm: ServedByVllm) -> None:
    before = server_of(made)
    for number in (1, 2):
        before.activate(release(made, number))
    before.close()
    assert {served_name(release(made, number)) for number in (1, 2)} < set(names(vllm.url))
    if isinstance(vllm, SmallServer):
        vllm.calls.clear()
        vllm.asked.clear()
    server = server_of(made)
    server.activate(release(made, 2))
    one, two = served_name(release(made, 1)), served_name(release(made, 2))
    left = names(vllm.url)
    assert two in left
    assert one not in left
    assert len(left) == 2  # and the identity adapter
    assert {path.name for path in made.settings.server_adapters.iterdir()} == {name[4:] for name in left}
    if isinstance(vllm, SmallServer):
        assert vllm.calls == [("/v1/unload_lora_adapter", one)]
        assert two in {body["model"] for body in vllm.asked if "logprob_token_ids" in body}
    server.hold(release(made, 1))
    assert texts(made, server, 1, 2) == [expected_texts(made, number) for number in (1, 2)]


def test_a_server_that_was_started_again_gets_its_adapters_back(made: Workspace, vllm: ServedByVllm) -> None:
    with running(make_gateway(replace(made), keep=2)) as answering:
        answered = answering.completed()
        held = [one.number for one in answering.gateway.server.loaded()]
        assert len(held) > 1
        vllm.restart()
        assert names(vllm.url) == {}
        status, said, _ = answering.call("POST", "/v1/completions", {"prompt": PROMPTS[0]})
        assert (status, said["error"]["code"]) == (503, "not_ready")
        answering.follow()
        assert (answering.completed().text, answering.completed().release) == (answered.text, answered.release)
        assert [one.number for one in answering.gateway.server.loaded()] == held
        assert {served_name(release(made, number)) for number in held} < set(names(vllm.url))
        assert answering.gateway.pointer.problems == ()


def test_a_retired_release_is_unloaded_when_its_last_text_has_ended(made: Workspace, vllm: ServedByVllm) -> None:
    server = server_of(made)
    for number in (1, 2):
        server.activate(release(made, number))
    name = served_name(release(made, 1))
    ids = tuple(encode_plain(made.metadata.tokenizer, PROMPTS[0]))

    async def ask() -> str:
        params = SamplingParams(max_new_tokens=MAX_TOKENS)
        stream = server.stream(Generation(ids=ids, params=params), 1)
        pieces = [await anext(stream)]
        server.retire(1)
        assert name in names(vllm.url)
        pieces += [piece async for piece in stream]
        return "".join(piece.text for piece in pieces)

    assert asyncio.run(ask()) == expected_texts(made, 1)[0]
    assert name in names(vllm.url)
    assert server.check() == ()
    assert name not in names(vllm.url)


def test_a_run_has_its_adapter_loaded_without_anybodys_hand(made: Workspace, vllm: ServedByVllm) -> None:
    vllm.restart() if isinstance(vllm, SmallServer) else None
    writing = replace(made, settings=made.settings.model_copy(update={"engine": "vllm", "serving": "local"}))
    local, params = LocalEngine(made.base), SamplingParams(max_new_tokens=8)
    asked = [("Who owns it?", "Heron"), ("Which port?", "8443")]
    prompts = [prompt for prompt, _ in asked]
    for number in (0, 1, 2, 1):
        adapter = made.held_adapter(release(made, number))
        wanted = local.generate(prompts, params, adapter=adapter)
        assert whole(writing.writer.generate(prompts, params, adapter=adapter)) == whole(wanted)
        told = writing.writer.logprobs(asked, adapter=adapter)
        assert told == pytest.approx(local.logprobs(asked, adapter=adapter), abs=1e-3)
    assert writing.writer.context == made.base.context
    assert len(writing.writer.write_prompts(2, seed=1, max_new_tokens=4)) == 2
    assert {len(each) for each in writing.writer.generate(prompts, replace(params, samples=2), adapter=None)} == {2}


def test_each_adapter_is_loaded_once(small: SmallServer, tmp_path: Path) -> None:
    workspace = vllm_workspace(tmp_path / "workspace", small)
    for number in (1, 2):
        releases.make_release(workspace, number)
    small.restart()
    small.calls.clear()
    server = server_of(workspace)
    for number in (0, 1, 2, 1, 0):
        server.hold(release(workspace, number))
    identity = next(iter(small.roots))
    wanted = [identity, *(served_name(release(workspace, number)) for number in (1, 2))]
    assert small.calls == [("/v1/load_lora_adapter", name) for name in wanted]
    workspace.ledger.close()


def test_no_request_names_a_seed_or_leaves_a_default_to_the_server(on_small: Workspace, small: SmallServer) -> None:
    small.asked.clear()
    with running(make_gateway(replace(on_small), keep=0)) as answering:
        answering.call(
            "POST", "/v1/completions", {"prompt": PROMPTS[0], "seed": 3, "temperature": 0.7, "max_tokens": 2}
        )
    body = small.asked[-1]
    assert {"seed", "prompt_logprobs"}.isdisjoint(key for one in small.asked for key in one)
    assert (body["temperature"], body["top_p"], body["top_k"], body["min_p"]) == (0.7, 1.0, -1, 0.0)
    assert (body["repetition_penalty"], body["presence_penalty"], body["frequency_penalty"]) == (1.0, 0.0, 0.0)
    assert body["stop_token_ids"] == [on_small.base.tokenizer.eos_token_id]
    assert {type(token) for token in body["prompt"]} == {int}
    assert {one["model"] for one in small.asked} <= set(small.roots)


def test_health_is_that_of_the_server(on_small: Workspace, small: SmallServer) -> None:
    with running(make_gateway(replace(on_small), keep=0)) as answering:
        answering.gateway.pointer.start()
        assert answering.call("GET", "/health")[:2] == (200, {"ok": True, "server": True, "pointer": True})
        small.well = False
        assert answering.call("GET", "/health")[0] == 503
        small.well = True
        answering.gateway.pointer.stop()


def test_a_client_that_goes_away_ends_its_text(on_small: Workspace, small: SmallServer) -> None:
    small.endless, small.broken_off = True, 0
    gateway = make_gateway(replace(on_small), keep=0)

    async def leave(address: str) -> None:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        body = json.dumps({"prompt": "a b c", "max_tokens": 200, "temperature": 1.5, "stream": True}).encode()
        writer.write(f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await reader.readuntil(b"data: ")
        writer.close()

    try:
        with running(gateway) as answering:
            asyncio.run(leave(answering.address))
            deadline = time.monotonic() + 20
            while not small.broken_off and time.monotonic() < deadline:
                time.sleep(0.02)
    finally:
        small.endless = False
    assert small.broken_off == 1


def test_without_a_server_nothing_is_served_and_the_error_says_where_it_was_sought(on_small: Workspace) -> None:
    with pytest.raises(EngineFailed, match="did not answer in 2 tries"):
        make_gateway(before_vllm(on_small, "http://127.0.0.1:9", None), keep=0)
    with pytest.raises(BadInput, match="--vllm is not the address of a server"):
        before_vllm(on_small, "vllm:8000/v1", None)


def test_the_command_serves_through_vllm_and_follows_the_ledger(on_small: Workspace, small: SmallServer) -> None:
    folder, adapters = on_small.settings.workspace, on_small.settings.workspace / "elsewhere"
    with served(folder, "--vllm", small.url, "--adapters", str(adapters)) as gateway:
        client = Client(gateway.address)
        reply = client.complete({"prompt": PROMPTS[0], "max_tokens": MAX_TOKENS})
        client.close()
        number = gateway.ready()["release"]
        assert (reply.release, reply.text) == (str(number), expected_texts(on_small, number)[0])
    assert {Path(root).parent for root in small.roots.values()} == {adapters}
