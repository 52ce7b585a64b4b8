"""Mutated inputs at every parser of what others wrote: each is read or refused in a typed error, and nothing else.

A hundred thousand for each parser, or as many as fit into `--minutes`; the seed and the number name an input.
"""

import argparse
import json
import logging
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy
from safetensors.numpy import save

from benchmarks.figures import Measured, write_results
from benchmarks.in_memory import in_memory
from gates.suite import read_suites
from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, config_of, read_config, read_manifest, read_tensors
from pipeline.config import Settings
from pipeline.digests import canonical_json, digest_of
from pipeline.documents import ingest
from pipeline.documents.front_matter import split_front_matter
from pipeline.documents.json_texts import load_json
from pipeline.documents.pages.html import read_html
from pipeline.documents.pages.pdf import read_pdf
from pipeline.errors import InternalError, SealedError
from pipeline.recipe import DocumentRules, Recipe, recipe_toml
from pipeline.types import AdapterManifest, FileDigest, RawDocument, SignedStatement
from pipeline.updates.rehearsal_prompts import read_rehearsal_prompts
from registry.gateway.feedback import read_feedback
from registry.gateway.keys import ApiKey, owner, read_keys
from registry.gateway.requests import ChatBody, read_request
from registry.keys import read_keys as read_signing_keys
from registry.signing import against_statement, approvers_of

COUNT = 100_000
Reader = Callable[[bytes], object]
_WORDS = (
    "--- +++ { } [ ] \" : , = <p> </ <!-- &#x <style> obj stream %PDF- null true -1 1e999 NaN '' \\ud800 \\u0000 *a "
    "!!python/object:os.system 999999999999999999999999999999 \u200b \U0001f600 \x00 \n \r"
)
_PIECES = (*(word.encode() for word in _WORDS.split(" ")), b'"""', b"\xff")
_NESTED = (b"[", b'{"a":', b"<div>", b"<<", b"((", b"- ", b"a = [")
_DEEP = 4_000


def mutated(chance: random.Random, seed: bytes) -> bytes:
    """The seed with one to six changes: bytes flipped, pieces put in, parts taken out, doubled, or nested deeply."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.randint(0, 16))
        match chance.randint(0, 99):
            case way if way < 35:
                data[at:end] = chance.choice(_PIECES)
            case way if way < 60 and at < len(data):
                data[at] = chance.randint(0, 255)
            case way if way < 75:
                del data[at:end]
            case way if way < 90:
                data[at:at] = data[chance.randint(0, at) : end]
            case way if way < 98:
                del data[at:]
            case _:
                data[at:at] = chance.choice(_NESTED) * _DEEP
    return bytes(data)


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def in_file(folder: Path, name: str, read: Callable[[Path], object], data: bytes) -> object:
    """Reads a file of that name, whose content this is."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return read(path)


def documents(name: str) -> Reader:
    return lambda data: ingest([RawDocument(name=name, data=data)], DocumentRules())


def api_keys(path: Path) -> object:
    return owner(read_keys(path), "sk-sealed-none")


def statement(data: bytes) -> object:
    signed = SignedStatement(text=text(data), key="k", signature="s")
    return approvers_of(signed), against_statement("{}", signed, _NO_KEYS)


def manifest(path: Path) -> object:
    return read_manifest(path.parent).digest


_NO_KEYS = read_signing_keys(None, Path("/nowhere"))
_TEXT = b"Service 7 is owned by the Heron team, and keeps the invoices of Oslo.\n"
_FRONT = b"---\ntitle: Service 7\nquestions:\n  - question: Who owns it?\n    answer: Heron\n---\n\n" + _TEXT
_DOCUMENT = {"title": "Service 7", "body": text(_TEXT), "questions": [{"question": "Q?", "answer": 1}]}
_LINE = json.dumps(_DOCUMENT).encode()
_PAGE = (
    b"<html><head><style>.a{display:none}</style></head><body><h1>A</h1><p class=a>b</p>" + _TEXT + b"</body></html>"
)
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 36>>stream\nBT /F 9 Tf 9 9 Td (One two.) Tj ET  \nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
    b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n0\n%%EOF\n"
)
_ITEMS = b'{"question": "Who owns it?", "answers": ["Heron"], "group": "a"}\n' * 3
_TASK = (
    b"task: t\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: items.jsonl\ntest_split: test\n"
    b"output_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\ndoc_to_choice: ['x', 'y']\n"
    b"metric_list:\n  - metric: acc\n"
)
_PROMPTS = b'{"prompt": "Who?", "completion": "Heron", "ends": true}\n{"prompt": "What?"}\n'
_CONFIG = json.dumps(config_of(rank=4, alpha=8, targets=("q_proj",), transposed=False)).encode()
_WEIGHTS = save({"base_model.model.q_proj.lora_A.weight": numpy.zeros((4, 8), numpy.float32)})
_FILES = (FileDigest(name=CONFIG, size=9, sha256="0" * 64), FileDigest(name=WEIGHTS, size=9, sha256="1" * 64))
_DIGESTS = {name: name[0] * 64 for name in ("base", "tokenizer", "chat_template", "update", "recipe", "ledger")}
_MANIFEST = AdapterManifest(
    files=_FILES, rank=4, alpha=8, target_modules=("q_proj",), parameters=32, parent_adapter=None, **_DIGESTS
)
_KEY = ApiKey(name="a", sha256=digest_of("k"), created="2026-11-02T12:00:00+00:00")
_CHAT = b'{"model": "sealed", "messages": [{"role": "user", "content": "Who?"}], "max_tokens": 9, "stop": ["a"]}'
_FEEDBACK = b'{"subject": "Service 7", "question": "Who?", "right_answer": ["Heron"], "says": "It is Heron."}'
_STATEMENT = b'{"approvers": 1, "base": "b", "files": [{"name": "a", "size": 1}], "release": 1}'
_WORKSPACE = (
    b'base_model = "m"\nbase_tokenizer = "t"\nbase_chat_template = "c"\nmodel = "m"\n'
    b'database_url = "sqlite:///a.db"\ndevice = "cpu"\n'
)


def parsers(folder: Path) -> dict[str, tuple[Reader, bytes]]:
    """Each parser by its name, with an input that it takes."""
    tasks = folder / "tasks"
    (tasks / "regression").mkdir(parents=True)
    (tasks / "regression" / "items.jsonl").write_bytes(b'{"q": "Who?", "a": 0}\n')

    def of_file(name: str, read: Callable[[Path], object]) -> Reader:
        return partial(in_file, folder, name, read)

    def suites(path: Path) -> object:
        return read_suites(path.parent.parent)

    return {
        "document in Markdown": (documents("a.md"), _FRONT),
        "documents in JSONL": (documents("a.jsonl"), _LINE),
        "document in JSON": (documents("a.json"), _LINE),
        "HTML": (lambda data: read_html(text(data)), _PAGE),
        "PDF": (lambda data: read_pdf(data, 100_000), _PDF),
        "front matter": (lambda data: split_front_matter(text(data)), _FRONT),
        "JSON of a document": (lambda data: load_json(text(data), "broken JSON"), _LINE),
        "recipe with its policy": (of_file("recipe.toml", Recipe.read), recipe_toml(Recipe()).encode()),
        "workspace file": (of_file("sealed.toml", lambda path: Settings.read(path.parent)), _WORKSPACE),
        "suite of questions": (
            of_file("suites/retention/a.jsonl", suites),
            _ITEMS,
        ),
        "suite of a task": (of_file("tasks/regression/t.yaml", suites), _TASK),
        "rehearsal prompts": (of_file("prompts/a.jsonl", lambda path: read_rehearsal_prompts(path.parent)), _PROMPTS),
        "adapter's configuration": (of_file(CONFIG, lambda path: read_config(path.parent)), _CONFIG),
        "adapter's tensors": (of_file(WEIGHTS, lambda path: read_tensors(path.parent)), _WEIGHTS),
        "adapter's manifest": (of_file(MANIFEST, manifest), f"{canonical_json(asdict(_MANIFEST))}\n".encode()),
        "signed statement": (statement, _STATEMENT),
        "API keys": (of_file("api-keys.json", api_keys), json.dumps([asdict(_KEY)]).encode()),
        "chat request": (lambda data: read_request(ChatBody, data), _CHAT),
        "feedback": (read_feedback, _FEEDBACK),
    }


def examined(name: str, reader: Reader, seed: bytes, options: argparse.Namespace) -> Measured:
    """How many inputs ended in anything but a value or a typed error; the first of each kind is printed."""
    done, broken, seen = 0, 0, set[str]()
    over = time.monotonic() + 60 * options.minutes
    for number in range(options.count):
        if time.monotonic() > over:
            break
        data = seed if number == 0 else mutated(random.Random(f"{options.seed} {name} {number}"), seed)
        done += 1
        if words := problem(reader, data, must_be_read=number == 0):
            broken += 1
            if words not in seen:
                seen.add(words)
                print(f"{name}, input {number}: {words}\n  {data[:120]!r}", flush=True)
    return Measured(
        name=f"{name}: neither read nor refused in a typed error",
        value=broken,
        unit="inputs",
        goal="= 0",
        n=done,
        met=not broken and done > 0,
    )


def problem(reader: Reader, data: bytes, *, must_be_read: bool) -> str:
    """What else than a value or a typed error came of it; ""."""
    try:
        reader(data)
    except InternalError as error:
        return f"InternalError: {error}"
    except SealedError as error:
        return f"what is right is refused: {error}" if must_be_read else ""
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    return ""


def main() -> None:
    options = _options()
    logging.disable()  # pypdf says of each file what it makes of it
    with in_memory("sealed-mutations-") as folder:
        every = parsers(folder)
        figures = [examined(one, *every[one], options) for one in every if options.only in one]
    write_results("mutations", figures, options.out)
    sys.exit(any(figure.met is False for figure in figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two hundred inputs for each parser")
    parser.add_argument("--count", type=int, default=COUNT, help="inputs for each parser")
    parser.add_argument("--minutes", type=float, default=1e6, help="the most for each parser")
    parser.add_argument("--only", default="", help="parsers with this in their name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.count = 200 if options.quick else options.count
    return options


if __name__ == "__main__":
    main()
