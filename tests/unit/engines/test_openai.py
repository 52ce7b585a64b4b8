"""What the engine of a server asks for, and what it does with servers that are busy, broken, slow or wrong."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from pipeline.adapters.format import read_manifest
from pipeline.chat import encode_prompt
from pipeline.engines.base import BaseModel, ModelMetadata, load_base, load_metadata
from pipeline.engines.engine import SamplingParams
from pipeline.engines.http_calls import Server, calls
from pipeline.engines.local import LocalEngine
from pipeline.engines.openai import Names, OpenAIEngine
from pipeline.errors import BadInput, CorruptAdapter, EngineFailed
from pipeline.recipe import SelfEditRules, TrainingRules
from pipeline.self_edits import WriterContext, write_self_edits
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Checkpoint, Document, Example, ModelRef, SelfEdit, Update, UpdatePlan, Written
from tests.servers import Fault, ModelServer, changed, cut, dropped, serving, status, text

PROMPTS = ["Who owns it?", "A", "Which port does the Cinder service listen on at night?", "Port?", "Who?", "When?"]
SAMPLED = SamplingParams(max_new_tokens=5, temperature=1.0, top_p=0.9, samples=3, seed=4)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


@pytest.fixture(scope="module")
def metadata(tiny_model: Callable[..., Path]) -> ModelMetadata:
    return load_metadata(str(tiny_model("llama")))


@pytest.fixture
def server(base: BaseModel) -> Iterator[ModelServer]:
    with serving(base) as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.http_calls._PAUSE", 0.01)


@pytest.fixture(scope="module")
def adapter(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    update = Update(parent=ModelRef(base=base.identity.model), self_edits=(), examples_digest="x", recipe="r", seed=0)
    plan = UpdatePlan(update=update, examples=(Example(prompt="Who?", completion="Heron"),) * 4)
    out = tmp_path_factory.mktemp("adapters") / "release"
    rules = TrainingRules(rank=4, alpha=8, epochs=3, learning_rate=0.02)
    train_lora(base, plan, TrainingSettings(rules=rules, ledger="ledger"), parent=None, out=out)
    return out


def engine(metadata: ModelMetadata, server: ModelServer, **options: object) -> OpenAIEngine:
    patience = {key: options.pop(key) for key in ("attempts", "seconds", "key") if key in options}
    return OpenAIEngine(metadata, Server(url=server.url, **patience), Names(base="base"), **options)  # type: ignore[arg-type]


def test_greedy_answers_and_what_is_known_of_the_base_are_those_of_the_local_engine(
    metadata: ModelMetadata, server: ModelServer
) -> None:
    local, served = LocalEngine(server.base), engine(metadata, server)
    wanted = local.generate(PROMPTS, SamplingParams(max_new_tokens=12, samples=2), adapter=None)
    assert served.generate(PROMPTS, SamplingParams(max_new_tokens=12, samples=2), adapter=None) == wanted
    assert [body["n"] for body in server.asked] == [1] * len(PROMPTS)
    assert (served.base_digest, served.context) == (local.base_digest, local.context)
    assert served.token_count("<user> Port <end>") == local.token_count("<user> Port <end>")


def test_logprobs_are_those_of_the_local_engine_with_the_adapter_that_is_asked_for(
    metadata: ModelMetadata, base: BaseModel, adapter: Path
) -> None:
    pairs = [(prompt, answer) for prompt in PROMPTS for answer in ("Heron", "<end> of it")]
    digest = read_manifest(adapter).adapter
    with serving(base, adapters={f"rel-{digest}": adapter}) as server:
        served, local = engine(metadata, server), LocalEngine(base)
        for chosen in (None, adapter):
            wanted = local.logprobs(pairs, adapter=chosen)
            assert served.logprobs(pairs, adapter=chosen) == pytest.approx(wanted, abs=1e-4)
    assert {(body["max_tokens"], body["prompt_logprobs"]) for body in server.asked} == {(1, 0)}


def test_a_prompt_and_its_answer_leave_a_server_room_for_the_token_that_it_must_write(
    metadata: ModelMetadata, server: ModelServer
) -> None:
    prompt = len(encode_prompt(metadata.tokenizer, "Who?"))
    server.listed = {"max_model_len": prompt + 1}
    with pytest.raises(BadInput, match=f"have {prompt + 1} tokens"):
        engine(metadata, server).logprobs([("Who?", "A")], adapter=None)
    server.listed = {"max_model_len": prompt + 2}
    assert len(engine(metadata, server).logprobs([("Who?", "A")], adapter=None)) == 1


def test_a_server_that_returns_no_logprobs_is_refused(metadata: ModelMetadata, server: ModelServer) -> None:
    server.faults.append(changed(lambda answer: answer["choices"][0].pop("prompt_logprobs")))
    with pytest.raises(EngineFailed, match="does not say how likely"):
        engine(metadata, server).logprobs([("Who?", "Heron")], adapter=None)


@pytest.mark.parametrize("code", [400, 422])
def test_a_server_that_does_not_know_prompt_logprobs_is_told_so(
    metadata: ModelMetadata, server: ModelServer, code: int
) -> None:
    server.faults.append(status(code))
    with pytest.raises(EngineFailed, match=r"refused a request: .*Use a server that supports `prompt_logprobs`"):
        engine(metadata, server).logprobs([("Who?", "Heron")], adapter=None)


def test_all_samples_of_a_prompt_are_one_request_of_token_ids(metadata: ModelMetadata, server: ModelServer) -> None:
    answers = engine(metadata, server).generate(["<user>Who<end>", "Port?"], SAMPLED, adapter=None)
    assert [len(each) for each in answers] == [3, 3]
    bodies = sorted(server.asked, key=lambda body: len(body["prompt"]), reverse=True)
    assert [body["n"] for body in bodies] == [3, 3]
    assert bodies[0]["prompt"] == encode_prompt(metadata.tokenizer, "<user>Who<end>")
    assert [
        bodies[0]["prompt"].count(metadata.tokenizer.convert_tokens_to_ids(name)) for name in ("<user>", "<end>")
    ] == [
        1,
        0,
    ]
    assert (bodies[0]["top_k"], bodies[0]["repetition_penalty"]) == (-1, 1.0)


def test_a_seed_is_sent_only_where_the_server_is_asked_to_sample_by_it(
    metadata: ModelMetadata, server: ModelServer
) -> None:
    engine(metadata, server).generate(["Who?", "Who?"], SAMPLED, adapter=None)
    assert len({body["seed"] for body in server.asked}) == 2
    server.asked.clear()
    engine(metadata, server, seeded=False).generate(["Who?", "Who?"], SAMPLED, adapter=None)
    assert not any("seed" in body for body in server.asked)


def test_no_more_requests_are_in_flight_than_allowed(metadata: ModelMetadata, server: ModelServer) -> None:
    def slow(handler: object, answer: dict[str, object]) -> None:
        time.sleep(0.05)
        changed(lambda same: None)(handler, answer)  # type: ignore[arg-type]

    server.faults.extend([slow] * 12)
    engine(metadata, server, concurrency=3).generate(PROMPTS * 2, SAMPLED, adapter=None)
    assert server.most_in_flight == 3
    assert len(server.asked) == 12


@pytest.mark.parametrize(
    "fault", [status(500), status(503), status(429), dropped, cut], ids=["500", "503", "429", "dropped", "cut"]
)
def test_what_may_pass_is_tried_again_and_changes_no_answer(
    metadata: ModelMetadata, server: ModelServer, fault: Fault
) -> None:
    wanted = engine(metadata, server).generate(PROMPTS, SAMPLED, adapter=None)
    server.faults.extend([fault] * 3)
    server.asked.clear()
    assert engine(metadata, server).generate(PROMPTS, SAMPLED, adapter=None) == wanted
    assert len(server.asked) == len(PROMPTS) + 3


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_kept_as_seconds_or_as_a_date(metadata: ModelMetadata, server: ModelServer, date: bool) -> None:
    server.faults.append(status(429, Retry_After=formatdate(time.time() + 2, usegmt=True) if date else "0.3"))
    begun = time.monotonic()
    engine(metadata, server).generate(["Who?"], SAMPLED, adapter=None)
    assert time.monotonic() - begun > 0.3
    assert len(server.asked) == 2


def test_a_server_that_stays_broken_is_told_after_the_last_try(metadata: ModelMetadata, server: ModelServer) -> None:
    server.faults.extend([status(500)] * 3)
    with pytest.raises(EngineFailed, match=r"in 3 tries: status 500, '.*no \[31mluck.*start again when it is well"):
        engine(metadata, server, attempts=3).generate(["Who?"], SAMPLED, adapter=None)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("code", "words"), [(400, "docs/operating.md"), (401, "SEALED_SERVER_KEY"), (404, "SERVER_URL")]
)
def test_a_refusal_is_final(metadata: ModelMetadata, server: ModelServer, code: int, words: str) -> None:
    server.faults.append(status(code))
    with pytest.raises(EngineFailed, match=rf"status {code}.*{words}"):
        engine(metadata, server).generate(["Who?"], SAMPLED, adapter=None)
    assert len(server.asked) == 1


def test_a_slow_server_meets_the_deadline(metadata: ModelMetadata, server: ModelServer) -> None:
    release = threading.Event()
    server.faults.append(lambda handler, answer: release.wait(5) and None)
    begun = time.monotonic()
    with pytest.raises(EngineFailed, match=r"within 0\.4 s.*SEALED_SERVER_SECONDS"):
        engine(metadata, server, seconds=0.4).generate(["Who?"], SAMPLED, adapter=None)
    release.set()
    assert time.monotonic() - begun < 3


def test_patience_beyond_the_deadline_is_not_begun(metadata: ModelMetadata, server: ModelServer) -> None:
    server.faults.append(status(429, Retry_After="3600"))
    with pytest.raises(EngineFailed, match="3600 s of patience"):
        engine(metadata, server, seconds=5).generate(["Who?"], SAMPLED, adapter=None)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (changed(lambda answer: answer["choices"].pop()), "2 samples where 3 were asked"),
        (changed(lambda answer: answer["choices"].append(answer["choices"][0])), "4 samples where 3"),
        (changed(lambda answer: answer["choices"][0].update(index=0)), "not whole"),
        (changed(lambda answer: answer["choices"][0].update(text=None)), "not whole"),
        (changed(lambda answer: answer["choices"][0].update(finish_reason="abort")), "not whole"),
        (changed(lambda answer: answer.update(model="another")), "answered as 'another' where 'base'"),
        (changed(lambda answer: answer.pop("choices")), "without choices"),
        (text(b"<html>welcome</html>"), "no JSON: '<html>welcome</html>'"),
        (text(b"[]"), "JSON of another kind"),
    ],
    ids=["fewer", "more", "twice the same", "no text", "aborted", "another model", "none", "HTML", "a list"],
)
def test_an_answer_that_is_not_what_was_asked_is_refused(
    metadata: ModelMetadata, server: ModelServer, fault: Fault, words: str
) -> None:
    server.faults.append(fault)
    with pytest.raises(EngineFailed, match=words):
        engine(metadata, server).generate(["Who?"], SAMPLED, adapter=None)
    assert len(server.asked) == 1


def test_after_a_failure_nothing_more_is_asked(metadata: ModelMetadata, server: ModelServer) -> None:
    server.faults.extend([status(400)] * 20)
    with pytest.raises(EngineFailed):
        engine(metadata, server, concurrency=2).generate(PROMPTS * 3, SAMPLED, adapter=None)
    assert len(server.asked) <= 4


def test_nobody_there_is_a_typed_error(metadata: ModelMetadata, server: ModelServer) -> None:
    gone = OpenAIEngine(metadata, Server(url="http://127.0.0.1:9", attempts=2), Names(base="base"))
    with pytest.raises(EngineFailed, match="in 2 tries: ConnectError"):
        gone.generate(["Who?"], SAMPLED, adapter=None)


def test_pauses_double_and_are_drawn_from_their_upper_half(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    with calls(Server(url="http://127.0.0.1:9", attempts=8)) as job:
        monkeypatch.setattr(job.stopped, "wait", pauses.append)
        monkeypatch.setattr("pipeline.engines.http_calls._LONGEST_PAUSE", 0.2)
        with pytest.raises(EngineFailed, match="in 8 tries"):
            job.json("/v1/models")
    longest = [0.01, 0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))


def test_a_name_that_is_not_served_says_what_is(metadata: ModelMetadata, server: ModelServer) -> None:
    wrong = OpenAIEngine(metadata, Server(url=server.url), Names(base="other"))
    with pytest.raises(EngineFailed, match=r"does not serve 'other'; it serves base"):
        wrong.generate(["Who?"], SAMPLED, adapter=None)
    assert server.asked == []


def test_an_adapter_is_asked_for_by_its_digest(metadata: ModelMetadata, base: BaseModel, adapter: Path) -> None:
    name = f"rel-{read_manifest(adapter).adapter}"
    with serving(base, adapters={name: adapter}) as server:
        served, local = engine(metadata, server), LocalEngine(base)
        wanted = local.generate(PROMPTS, SamplingParams(max_new_tokens=8), adapter=adapter)
        assert served.generate(PROMPTS, SamplingParams(max_new_tokens=8), adapter=adapter) == wanted
        assert wanted != local.generate(PROMPTS, SamplingParams(max_new_tokens=8), adapter=None)
        assert {body["model"] for body in server.asked} == {name}


def test_an_adapter_that_is_not_served_or_not_whole_is_not_asked_for(
    metadata: ModelMetadata, server: ModelServer, adapter: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineFailed, match=r"does not serve 'rel-[0-9a-f]{64}'"):
        engine(metadata, server).generate(["Who?"], SAMPLED, adapter=adapter)
    damaged = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    with (damaged / "adapter_model.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(CorruptAdapter, match="bytes changed"):
        engine(metadata, server).generate(["Who?"], SAMPLED, adapter=damaged)
    assert server.asked == []


def test_notes_of_a_server_that_forgets_its_seeds_are_stored_once_and_never_asked_for_again(
    metadata: ModelMetadata, server: ModelServer
) -> None:
    documents = [
        Document(title=f"C{number}", body=f"Port {number} is where C{number} listens now.") for number in range(12)
    ]
    rules = SelfEditRules(styles=("rewrite",), samples=2, max_new_tokens=8)
    ledger: list[SelfEdit] = []

    def write(save: Callable[[Written], None]) -> None:
        context = WriterContext(
            engine=engine(metadata, server, seeded=False, attempts=1),
            rules=rules,
            writer=Checkpoint(ModelRef(base="base")),
            seed=1,
        )
        write_self_edits(context, documents, already={edit.document for edit in ledger}, save=save)

    server.faults.extend([changed(lambda answer: None)] * 8 + [status(500)] * 8)
    with pytest.raises(EngineFailed):
        write(lambda written: ledger.extend(written.edits))
    stored, first = list(ledger), len(server.asked)
    assert len({edit.document for edit in stored}) == 8
    server.faults.clear()
    write(lambda written: ledger.extend(written.edits))
    assert ledger[: len(stored)] == stored
    assert len({edit.document for edit in ledger}) == 12
    assert len(server.asked) - first == 4


def test_the_key_goes_with_each_request(metadata: ModelMetadata, server: ModelServer) -> None:
    engine(metadata, server, key="hush").generate(["Who?"], SAMPLED, adapter=None)
    assert server.keys == ["Bearer hush"] * len(server.keys) != []


def test_a_server_may_allow_less_than_the_model(metadata: ModelMetadata, server: ModelServer) -> None:
    server.listed = {"max_model_len": 24}
    served = engine(metadata, server)
    assert served.context == 24
    served.generate(["A"], SamplingParams(max_new_tokens=500), adapter=None)
    assert server.asked[0]["max_tokens"] + len(server.asked[0]["prompt"]) == 24
    with pytest.raises(BadInput, match="leaves no room"):
        served.generate(["z " * 40], SamplingParams(max_new_tokens=5), adapter=None)


def test_prompts_are_written_from_an_open_turn(metadata: ModelMetadata, server: ModelServer) -> None:
    written = engine(metadata, server).write_prompts(6, seed=5, max_new_tokens=10)
    assert len(set(written)) > 2
    assert all(body["n"] == 1 and body["temperature"] == 1.0 for body in server.asked)
