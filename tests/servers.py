"""A real HTTP server on the loopback that runs a real model behind /v1/models and /v1/completions, and can go wrong."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from pipeline.engines.base import BaseModel, with_adapter
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.engines.engine import SamplingParams

Answer = dict[str, Any]
Fault = Callable[["_Handler", Answer], None]


@dataclass
class ModelServer:
    """Serves `base` as "base" and each of `adapters` by its name. `faults` spoil one completion each, in order."""

    base: BaseModel
    adapters: dict[str, Path] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    listed: Answer = field(default_factory=dict)
    asked: list[Answer] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    url: str = ""
    gate: threading.Lock = field(default_factory=threading.Lock)
    running: threading.Lock = field(default_factory=threading.Lock)

    def models(self) -> Answer:
        return {"object": "list", "data": [{"id": name} | self.listed for name in ("base", *self.adapters)]}

    def complete(self, body: Answer) -> Answer:
        """One prompt of ids, `n` samples; a seed gives the same samples each time."""
        chance = torch.Generator()
        chance.manual_seed(body["seed"]) if "seed" in body else chance.seed()
        draws = torch.rand(body["n"], body["max_tokens"], generator=chance) if body["temperature"] else None
        with self.running, with_adapter(self.base, self.adapters.get(body["model"])) as model:
            params = SamplingParams(
                max_new_tokens=body["max_tokens"],
                temperature=body["temperature"],
                top_p=body["top_p"],
                samples=body["n"],
            )
            job = DecodingJob(
                prompts=[body["prompt"]],
                limits=[body["max_tokens"]],
                stops=frozenset(body["stop_token_ids"]),
                params=params,
                draws=draws,
            )
            written = decode(model, job)
            scored = self._scored(model, body["prompt"]) if "prompt_logprobs" in body else None
        texts = [self.base.tokenizer.decode(ids, skip_special_tokens=True) for ids in written]
        choices = [{"index": place, "text": text, "finish_reason": "stop"} for place, text in enumerate(texts)]
        if scored:
            choices = [choice | {"prompt_logprobs": scored} for choice in choices]
        return {"object": "text_completion", "model": body["model"], "choices": choices[::-1]}

    def _scored(self, model: Any, prompt: list[int]) -> list[Answer | None]:
        """As vLLM says it: nothing of the first token, of each other one its log-probability by its id."""
        with torch.inference_mode():
            scores = model(input_ids=torch.tensor([prompt])).logits[0].log_softmax(-1)
        told = [{str(token): {"logprob": float(scores[at, token])}} for at, token in enumerate(prompt[1:])]
        return [None, *told]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        """Tests read what was asked, not a log."""

    def do_GET(self) -> None:
        self.server.model.keys.append(self.headers.get("Authorization"))
        self.send(200, json.dumps(self.server.model.models()).encode())

    def do_POST(self) -> None:
        model = self.server.model
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with model.gate:
            model.asked.append(body)
            model.in_flight += 1
            model.most_in_flight = max(model.most_in_flight, model.in_flight)
            fault = model.faults.popleft() if model.faults else None
        try:
            answer = model.complete(body)
            fault(self, answer) if fault else self.send(200, json.dumps(answer).encode())
        finally:
            with model.gate:
                model.in_flight -= 1

    def send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    model: ModelServer


@contextmanager
def in_thread(server: ThreadingHTTPServer) -> Iterator[str]:
    """Lets the server answer from a thread while the context lasts; its address."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving(base: BaseModel, **given: Any) -> Iterator[ModelServer]:
    """Serves the model from a thread while the context lasts."""
    model = ModelServer(base, **given)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.model = model
    with in_thread(server) as model.url:
        yield model


def status(code: int, **headers: str) -> Fault:
    """The answer is lost, and the server says `code` with a word of explanation."""
    return lambda handler, answer: handler.send(code, b'{"error": "no \x1b[31mluck"}', **headers)


def dropped(handler: _Handler, answer: Answer) -> None:
    """The connection closes without an answer."""
    handler.close_connection = True
    handler.connection.close()


def cut(handler: _Handler, answer: Answer) -> None:
    """The connection closes in the middle of an answer."""
    content = json.dumps(answer).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def text(content: bytes) -> Fault:
    return lambda handler, answer: handler.send(200, content)


def changed(change: Callable[[Answer], object]) -> Fault:
    """The answer as it would be, changed in place."""

    def spoil(handler: _Handler, answer: Answer) -> None:
        change(answer)
        handler.send(200, json.dumps(answer).encode())

    return spoil
