"""vLLM servers for tests: the real one, and a small one of the same protocol for where the real one cannot run.

Both are real HTTP servers with a real model. The small one answers by PEFT, and can go wrong.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import httpx
import torch

from flows.services.initialisation import init_workspace
from flows.services.serving import before_vllm
from flows.wiring import Workspace
from pipeline.adapters.attachment import attach_for_good
from pipeline.adapters.held import view_of
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.engines.engine import SamplingParams
from tests.servers import in_thread

Json = dict[str, Any]
PYTHON = Path(os.environ.get("SEALED_TEST_VLLM_PYTHON", Path(__file__).parents[1] / ".venv-vllm/bin/python"))
_START_SECONDS = 400.0


class ServedByVllm(Protocol):
    """What a test asks of either."""

    @property
    def model(self) -> Path: ...

    @property
    def url(self) -> str: ...

    def restart(self) -> None:
        """Ends the server and starts another on the same port; it has no adapter."""
        ...


@dataclass
class SmallServer:
    """vLLM's paths on a base model. `unapplied`: names that load well and change nothing, as with foreign modules.

    `poisoned`: names that answer in NaN. `asked`: completions, in their order. `calls`: other paths, and names.
    """

    base: BaseModel
    views: dict[str, Any] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    unapplied: set[str] = field(default_factory=set)
    poisoned: set[str] = field(default_factory=set)
    asked: list[Json] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    well: bool = True
    endless: bool = False  # a stream goes on until its reader leaves
    broken_off: int = 0
    url: str = ""
    running: threading.Lock = field(default_factory=threading.Lock)

    @property
    def model(self) -> Path:
        return self.base.path

    def restart(self) -> None:
        """See `ServedByVllm`."""
        self.views.clear()
        self.roots.clear()

    def listed(self) -> Json:
        """See vLLM's OpenAIServingModels: adapters name their base, and no length."""
        base = {"id": "base", "root": str(self.model), "parent": None, "max_model_len": self.base.context}
        adapters = [{"id": name, "root": root, "parent": "base"} for name, root in self.roots.items()]
        return {"object": "list", "data": [base, *adapters]}

    def load(self, body: Json) -> tuple[int, str]:
        """Takes whatever PEFT can attach; an adapter of an unapplied name is read and forgotten."""
        name, path = body["lora_name"], body["lora_path"]
        assert not body.get("load_inplace")
        if name in self.roots:
            return 400, json.dumps({"error": {"message": f"The lora adapter '{name}' has already been loaded."}})
        view = view_of(self.base.model)
        if name not in self.unapplied:
            attach_for_good(view, Path(path))
        self.views[name], self.roots[name] = view.eval(), path
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, body: Json) -> tuple[int, str]:
        """Forgets the name."""
        name = body["lora_name"]
        if name not in self.roots:
            return 404, json.dumps({"error": {"message": f"The lora adapter '{name}' cannot be found."}})
        del self.views[name], self.roots[name]
        return 200, f"Success: LoRA adapter '{name}' removed successfully."

    @torch.inference_mode()
    def complete(self, body: Json) -> tuple[list[int], str, Json]:
        """The ids of one text, why it ended, and the log-probabilities of its first token if they are asked for."""
        model = self.views[body["model"]]
        params = SamplingParams(max_new_tokens=body["max_tokens"], temperature=body["temperature"], top_p=body["top_p"])
        job = DecodingJob(
            prompts=[body["prompt"]],
            limits=[body["max_tokens"]],
            stops=frozenset(body["stop_token_ids"]),
            params=params,
            draws=torch.rand(1, body["max_tokens"]) if body["temperature"] else None,
        )
        with self.running:
            (ids,) = decode(model, job)
            scores = model(input_ids=torch.tensor([body["prompt"]])).logits[0, -1].log_softmax(-1)
        nan = float("nan") if body["model"] in self.poisoned else 0.0
        told = {f"token_id:{token}": float(scores[token]) + nan for token in body.get("logprob_token_ids", [])}
        return list(ids), "stop" if len(ids) < body["max_tokens"] else "length", {"top_logprobs": [told]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        """Tests read what was asked, not a log."""

    def do_GET(self) -> None:
        small = self.server.small
        if self.path == "/health":
            self._send(200 if small.well else 503, "")
        else:
            self._send(200, json.dumps(small.listed()))

    def do_POST(self) -> None:
        small = self.server.small
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/completions":
            small.calls.append((self.path, body["lora_name"]))
            self._send(*(small.load(body) if self.path == "/v1/load_lora_adapter" else small.unload(body)))
            return
        small.asked.append(body)
        if body["model"] not in small.views:
            self._send(404, json.dumps({"error": {"message": f"The model `{body['model']}` does not exist."}}))
            return
        ids, finish, told = small.complete(body)
        if body.get("stream"):
            self._stream(body, ids, finish)
            return
        text = small.base.tokenizer.decode(ids, skip_special_tokens=True)
        choice = {"index": 0, "text": text, "finish_reason": finish, "token_ids": ids, "logprobs": told}
        self._send(200, json.dumps({"model": body["model"], "choices": [choice] * body["n"]}))

    def _stream(self, body: Json, ids: list[int], finish: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        word = self.server.small.base.tokenizer("a").input_ids[-1:]
        try:
            while self.server.small.endless:
                self._stream_part(body, word, None)
                time.sleep(0.05)
            for token in ids[:-1]:
                self._stream_part(body, [token], None)
            self._stream_part(body, ids[-1:], finish)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.small.broken_off += 1

    def _stream_part(self, body: Json, ids: list[int], finish: str | None) -> None:
        choice = {"index": 0, "text": "", "token_ids": ids, "finish_reason": finish}
        said = json.dumps({"model": body["model"], "choices": [choice]})
        self.wfile.write(f"data: {said}\n\n".encode())
        self.wfile.flush()

    def _send(self, status: int, content: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    small: SmallServer


@contextmanager
def small_server(model: Path) -> Iterator[SmallServer]:
    """Serves the model from threads while the context lasts."""
    small = SmallServer(load_base(str(model), device="cpu", dtype="float32"))
    server = _Server(("127.0.0.1", 0), _Handler)
    server.small = small
    with in_thread(server) as small.url:
        yield small


@dataclass
class RealServer:
    """vLLM in a process of its own, on the CPU and in float32, so that its greedy tokens are PEFT's."""

    model: Path
    log: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it is well."""
        options = {"max-lora-rank": 16, "max-loras": 4, "max-cpu-loras": 16, "max-num-batched-tokens": 2048}
        command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(self.model)]
        command += ["--served-model-name", "base", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--enable-lora", "--dtype", "float32", "--enforce-eager", "--disable-log-stats"]
        command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        own = {
            "VLLM_HOST_IP": "127.0.0.1",
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        }
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SEALED_"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**outer, **own}, start_new_session=True, cwd=self.log.parent
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_well():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise RuntimeError(f"vLLM did not start: {said}")
            time.sleep(0.25)

    def stop(self) -> None:
        """Ends it with all its processes."""
        if self.process is not None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait(timeout=30)

    def restart(self) -> None:
        """See `ServedByVllm`."""
        self.stop()
        self.start()

    def _is_well(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def real_server(model: Path, folder: Path, port: int) -> Iterator[RealServer]:
    """Serves the model while the context lasts; its log is in `folder`."""
    server = RealServer(model=model, log=folder / "vllm.log", port=port)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def vllm_workspace(folder: Path, server: ServedByVllm) -> Workspace:
    """A workspace on the server's model, whose releases it serves."""
    made = init_workspace(folder, str(server.model), actor="ada", device="cpu")
    return before_vllm(made, server.url, None)
