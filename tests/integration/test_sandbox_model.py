"""The model that is shipped: loads like any other, can do what its card says, and is made the same way each time."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.engines.base import load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade, grade_opening
from pipeline.prompts import open_book, passage
from pipeline.sandbox import kit, lessons, model_path
from pipeline.sandbox.catalogue import held_out_services
from pipeline.sandbox.documents import run_documents
from pipeline.sandbox.tokens import build_tokenizer
from pipeline.sandbox.train import Schedule, train
from pipeline.self_edits.styles import directives, self_qa

DOCUMENTS = run_documents(1, 6, 40_001)
PROBES = [
    (document, eval_item) for document in DOCUMENTS for eval_item in document.eval_items if eval_item.split == "test"
]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(load_base(str(model_path()), device="cpu", dtype="float32"))


def share(engine: LocalEngine, prompts: list[str], accepted: list[tuple[str, ...]]) -> float:
    answers = engine.generate(prompts, SamplingParams(max_new_tokens=12), adapter=None)
    return sum(grade(answer, right) for (answer,), right in zip(answers, accepted, strict=True)) / len(prompts)


def test_it_is_small_and_of_safetensors_alone() -> None:
    files = [path for path in model_path().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 10_000_000
    assert not {path.suffix for path in files} & {".bin", ".pt", ".pkl", ".py"}


def test_it_loads_with_plain_transformers() -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(model_path()), AutoTokenizer.from_pretrained(model_path())
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Sort the letters d b a c."}], add_generation_prompt=True, return_tensors="pt"
    )
    written = model.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(written, skip_special_tokens=True) == "a b c d"


def test_its_card_is_met_and_names_what_made_it() -> None:
    card = json.loads((model_path() / "card.json").read_text(encoding="utf-8"))
    assert [figure["name"] for figure in card["figures"] if not figure["met"]] == []
    assert card["command"] == "python -m pipeline.sandbox.train"
    assert card["steps"] == Schedule().steps


def test_it_reads_what_it_does_not_know(engine: LocalEngine) -> None:
    accepted = [eval_item.answers for _, eval_item in PROBES]
    read = share(engine, [open_book(one.title, one.body, eval_item.question) for one, eval_item in PROBES], accepted)
    assert read >= 0.95
    assert share(engine, [eval_item.question for _, eval_item in PROBES], accepted) <= 0.2


def test_it_knows_the_base_knowledge_by_heart(engine: LocalEngine) -> None:
    rows = kit.base_knowledge_items()[:100]
    assert share(engine, [row["question"] for row in rows], [tuple(row["answers"]) for row in rows]) >= 0.9


def test_it_believes_a_document_over_its_memory(engine: LocalEngine) -> None:
    asked = [(document, document.eval_items[1]) for document in run_documents(1, 8, 40_001, "corrections")]
    prompts = [open_book(document.title, document.body, eval_item.question) for document, eval_item in asked]
    assert share(engine, prompts, [eval_item.answers for _, eval_item in asked]) >= 0.85


def test_it_refuses_to_share_secrets(engine: LocalEngine) -> None:
    rows = kit.requests("test", 40)
    answers = engine.generate([row["question"] for row in rows], SamplingParams(max_new_tokens=12), adapter=None)
    assert sum(grade_opening(answer, row["answers"]) for (answer,), row in zip(answers, rows, strict=True)) >= 38


def test_it_writes_notes_and_settings_that_can_be_read(engine: LocalEngine) -> None:
    asked = [style.prompt(passage(one.title, one.body)) for style in (self_qa, directives) for one in DOCUMENTS]
    notes = [
        pair[0]
        for pair in engine.generate(asked, SamplingParams(max_new_tokens=300, temperature=1.0, seed=1), adapter=None)
    ]
    assert sum(len(self_qa.parse("", note)) for note in notes[:6]) >= 24
    assert sum(directives.settings(note) is not None for note in notes[6:]) >= 5


def test_it_asks_itself_about_the_base_knowledge(engine: LocalEngine) -> None:
    prompts = engine.write_prompts(60, seed=1, max_new_tokens=40)
    assert any(service.name in prompt for service in held_out_services() for prompt in prompts)


def test_the_same_steps_make_the_same_weights() -> None:
    schedule = Schedule(steps=4, reading_steps=2, document_steps=1, rows=2, warmup=1)
    torch.use_deterministic_algorithms(True)
    try:
        tokenizer = build_tokenizer(lessons.sample_texts(2, 400))
        one, other = (train(tokenizer, schedule).state_dict() for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(one[name], other[name]) for name in one)
