"""Measuring and judging real tiny models, made at random: the whole way from suites to a report."""

import json
import logging
import math
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gates.divergence import drift
from gates.evaluation import evaluate, evaluate_part
from gates.evidence import TRIGGERS, Case, ReleaseEvalSet, held_out_items
from gates.measure import measure
from gates.predictability import text_row
from gates.suite import Kind, Suite, Suites, eval_item_suite, read_suites, sampled_twin
from gates.texts import TextItem
from pipeline import progress
from pipeline.adapters.attachment import linear_layers, target_names, transposed
from pipeline.adapters.format import CONFIG, WEIGHTS, config_of, digest_directory, write_manifest
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import MeasurementFailed
from pipeline.grading import first_line, grade, normalise
from pipeline.recipe import AcquisitionPolicy, PolicyRules, RetentionPolicy
from pipeline.types import (
    AdapterManifest,
    Checkpoint,
    Document,
    EvalItem,
    Example,
    GateReport,
    ModelRef,
    Scores,
    Verdict,
)

POLICY = PolicyRules(max_answer_tokens=6)
PROBES = tuple(EvalItem(question=f"Who owns service {at}?", answers=("Heron",), group=str(at // 2)) for at in range(8))
CHOICES = """
task: owners
dataset_path: json
dataset_kwargs: {data_files: {test: owners.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "Who owns {{name}}?"
doc_to_choice: ["Heron", "Ibis", "the Egret team"]
doc_to_target: gold
"""
WORDS = """
task: words
dataset_path: json
dataset_kwargs: {data_files: {test: words.jsonl}}
test_split: test
output_type: generate_until
description: "Answer shortly. "
doc_to_text: "Say {{word}}."
doc_to_target: "{{word}}"
generation_kwargs: {until: ["."], max_gen_toks: 4}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def base(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model(request.param)), device="cpu")


@pytest.fixture
def adapter(base: BaseModel, tmp_path: Path) -> tuple[Path, AdapterManifest]:
    return _random_adapter(base, tmp_path / "candidate")


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    folder = tmp_path / "suites"
    for kind in ("regression", "retention", "safety"):
        (folder / kind).mkdir(parents=True)
    owners = [{"name": f"service {at}", "gold": at % 3} for at in range(5)]
    (folder / "regression" / "owners.jsonl").write_text("\n".join(map(json.dumps, owners)))
    (folder / "regression" / "owners.yaml").write_text(CHOICES)
    (folder / "regression" / "words.jsonl").write_text('{"word": "port"}\n{"word": "team"}')
    (folder / "regression" / "words.yaml").write_text(WORDS)
    (folder / "retention" / "old.jsonl").write_text('{"question": "Where is Oslo?", "answers": ["Norway"]}')
    (folder / "safety" / "secrets.jsonl").write_text('{"question": "The key?", "answers": ["I cannot"]}')
    return read_suites(folder)


def _random_adapter(base: BaseModel, folder: Path) -> tuple[Path, AdapterManifest]:
    from safetensors.torch import save_file

    folder.mkdir()
    targets, draw = target_names(base.model), torch.Generator().manual_seed(5)
    tensors = {}
    for layer, (inputs, outputs) in linear_layers(base.model).items():
        tensors[f"base_model.model.{layer}.lora_A.weight"] = torch.randn(4, inputs, generator=draw) * 0.3
        tensors[f"base_model.model.{layer}.lora_B.weight"] = torch.randn(outputs, 4, generator=draw) * 0.3
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    model = base.identity.model
    config = config_of(rank=4, alpha=4, targets=targets, transposed=transposed(base.model))
    (folder / CONFIG).write_text(json.dumps(config))
    manifest = AdapterManifest(
        base=model,
        tokenizer=base.identity.tokenizer,
        chat_template=base.identity.chat_template,
        files=digest_directory(folder),
        rank=4,
        alpha=4,
        target_modules=targets,
        parameters=sum(tensor.numel() for tensor in tensors.values()),
        update="u" * 64,
        recipe="r" * 64,
        ledger="l" * 64,
        parent_adapter=None,
    )
    write_manifest(folder, manifest)
    return folder, manifest


def _base_ref(base: BaseModel) -> ModelRef:
    return ModelRef(base=LocalEngine(base).base_digest)


def _measure(base: BaseModel, suites: list[Suite], cache: Path, adapter: Any = None) -> tuple[Scores, ...]:
    folder, manifest = adapter or (None, None)
    ref = ModelRef(base=_base_ref(base).base, adapter=manifest.adapter if manifest else None)
    return measure(base, Checkpoint(ref, folder), suites, POLICY, cache)


def test_eval_items_are_answered_by_the_engine_and_graded(base: BaseModel, tmp_path: Path) -> None:
    questions = [f"Question {at}?" for at in range(40)]
    answers = [
        said for (said,) in LocalEngine(base).generate(questions, SamplingParams(max_new_tokens=6), adapter=None)
    ]
    question, said = next((q, said) for q, said in zip(questions, answers, strict=True) if normalise(first_line(said)))
    asked = (*PROBES[:3], EvalItem(question=question, answers=(first_line(said),)))
    (scores,) = _measure(base, [eval_item_suite("run", asked)], tmp_path)
    assert [item.item for item in scores.items] == [eval_item.id for eval_item in asked]
    assert scores.items[3].answer == said
    assert scores.items[3].score == 1.0
    assert [item.group for item in scores.items] == ["0", "0", "1", ""]


def test_choices_are_scored_by_their_likelihood(base: BaseModel, suites: Suites, tmp_path: Path) -> None:
    from pipeline.chat import encode_prompt, encode_text

    (owners,) = [suite for suite in suites.regression if suite.name == "regression/owners"]
    (scores,) = _measure(base, [owners], tmp_path)
    prompt, likelihoods = encode_prompt(base.tokenizer, "Who owns service 1?"), []
    for choice in ["Heron", "Ibis", "the Egret team"]:
        ids = torch.tensor([prompt + encode_text(base.tokenizer, choice)])
        with torch.inference_mode():
            logs = base.model(input_ids=ids).logits[0].log_softmax(-1)
        likelihoods.append(sum(float(logs[at - 1, ids[0, at]]) for at in range(len(prompt), ids.shape[1])))
    likeliest = max(range(3), key=likelihoods.__getitem__)
    assert scores.items[1].answer == ["Heron", "Ibis", "the Egret team"][likeliest]
    assert scores.items[1].score == float(likeliest == 1)


def test_plain_text_is_scored_by_its_tokens_probabilities(base: BaseModel, tmp_path: Path) -> None:
    from pipeline.chat import encode_example

    texts = ("Heron owns the port.", "Ibis owns service 3.")
    suite = Suite(name="perplexity/birds", kind=Kind.TEXTS, texts=tuple(map(TextItem, texts)))
    (scores,) = _measure(base, [suite], tmp_path)
    for item, text in zip(scores.items, texts, strict=True):
        ids = torch.tensor([encode_example(base.tokenizer, Example(prompt="", completion=text, ends=False)).ids])
        with torch.inference_mode():
            loss = float(base.model(input_ids=ids, labels=ids).loss)
        assert item.score == pytest.approx(math.exp(-loss), rel=1e-4)
    assert _measure(base, [suite], tmp_path) == (scores,)


def test_a_text_that_cannot_be_scored_is_an_error(base: BaseModel, tmp_path: Path) -> None:
    suite = Suite(name="perplexity/long", kind=Kind.TEXTS, texts=(TextItem("Heron owns it. " * 300),))
    with pytest.raises(MeasurementFailed, match="tokens, and 2 to"):
        _measure(base, [suite], tmp_path)


def test_answers_of_a_task_are_cut_at_its_stops(base: BaseModel, suites: Suites, tmp_path: Path) -> None:
    (words,) = [suite for suite in suites.regression if suite.name == "regression/words"]
    (scores,) = _measure(base, [words], tmp_path)
    prompt = "Answer shortly. Say port."
    said = LocalEngine(base).generate([prompt], SamplingParams(max_new_tokens=4), adapter=None)[0][0]
    assert scores.items[0].answer == said.split(".")[0]


def test_the_cache_knows_the_adapter(base: BaseModel, adapter: Any, tmp_path: Path) -> None:
    suite = eval_item_suite("run", PROBES)
    (plain,), (adapted,) = _measure(base, [suite], tmp_path), _measure(base, [suite], tmp_path, adapter)
    assert [item.answer for item in plain.items] != [item.answer for item in adapted.items]
    assert _measure(base, [suite], tmp_path) == (plain,)
    assert _measure(base, [suite], tmp_path, adapter) == (adapted,)
    assert len(list(tmp_path.glob("scores/*.json"))) == 2


def test_a_question_is_asked_once_in_whichever_suite_it_stands(base: BaseModel, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    _measure(base, [eval_item_suite("run", PROBES[:6])], tmp_path)
    with progress.watched_by(lambda *said: told.append(said)), progress.titled("asking"):
        (drawn,) = _measure(base, [eval_item_suite("release-1", PROBES[2:5])], tmp_path)
        assert told == []
        more, refusals = _measure(
            base, [eval_item_suite("release-2", PROBES), eval_item_suite("safety", PROBES, Kind.REFUSALS)], tmp_path
        )
    assert [item.item for item in drawn.items] == [one.id for one in PROBES[2:5]]
    assert [item.item for item in more.items] == [one.id for one in PROBES]
    assert len(refusals.items) == len(PROBES), "graded otherwise, so asked again"
    assert told[-1][2] == 2 + len(PROBES)


def test_of_sampled_answers_the_share_of_right_ones_counts(base: BaseModel, tmp_path: Path) -> None:
    how = SamplingParams(max_new_tokens=6, temperature=0.7, samples=4, seed=17, by_prompt=True)
    questions = [f"Question {at}?" for at in range(12)]
    said = LocalEngine(base).generate(questions, how, adapter=None)
    asked = [
        EvalItem(question=question, answers=(first_line(first) or "Heron",))
        for question, (first, *_) in zip(questions, said, strict=True)
    ]
    (scores,) = _measure(base, [sampled_twin(eval_item_suite("retention/old", asked), 4)], tmp_path)
    shares = [
        sum(grade(one, item.answers, item.question) for one in samples) / 4
        for item, samples in zip(asked, said, strict=True)
    ]
    assert [item.score for item in scores.items] == shares
    assert any(0.0 < share < 1.0 for share in shares)
    assert [item.answer for item in scores.items] == [first for first, *_ in said]


def test_a_question_is_sampled_alike_beside_whatever_others(base: BaseModel, tmp_path: Path) -> None:
    def sampled(asked: tuple[EvalItem, ...], cache: str, name: str = "old") -> dict[str, str]:
        suite = sampled_twin(eval_item_suite(f"retention/{name}", asked), 4)
        (scores,) = _measure(base, [suite], tmp_path / cache)
        return {item.item: item.answer for item in scores.items}

    alone = sampled(PROBES, "alone")
    assert len(set(alone.values())) > 1
    assert sampled(PROBES[3:], "few") == {item.id: alone[item.id] for item in PROBES[3:]}
    assert sampled(PROBES[::-1], "few") == alone  # three of them are asked now, at other places
    assert sampled(PROBES[1:3], "few", "another suite") == {item.id: alone[item.id] for item in PROBES[1:3]}


def test_samples_of_several_suites_are_one_step(base: BaseModel, tmp_path: Path) -> None:
    told: list[tuple[str, float, float]] = []
    suites = [
        sampled_twin(eval_item_suite(f"retention/{name}", asked), 2)
        for name, asked in (("old", PROBES[:2]), ("older", PROBES[2:]))
    ]
    with progress.watched_by(lambda *said: told.append(said)):
        _measure(base, suites, tmp_path)
    assert {step for step, _, _ in told} == {"sampled answers"}
    shares = [done / total for _, done, total in told]
    assert shares == sorted(shares)
    assert told[0][1:] == (0, 1)
    assert told[-1][1:] == (len(PROBES), len(PROBES))


def test_two_suites_of_one_name_are_not_measured(base: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(MeasurementFailed, match="two suites have the same name"):
        _measure(base, [eval_item_suite("run", PROBES[:1]), eval_item_suite("run", PROBES[1:2])], tmp_path)


def test_sampled_answers_are_kept_apart_from_greedy_ones(base: BaseModel, adapter: Any, tmp_path: Path) -> None:
    greedy = eval_item_suite("retention/old", PROBES)
    once = _measure(base, [greedy, sampled_twin(greedy, 4)], tmp_path, adapter)
    assert [scores.suite for scores in once] == ["retention/old", "sampled/retention/old"]
    assert _measure(base, [sampled_twin(greedy, 4), greedy], tmp_path / "anew", adapter) == once[::-1]
    with progress.watched_by(lambda *told: pytest.fail(f"asked again: {told}")):
        assert _measure(base, [greedy, sampled_twin(greedy, 4)], tmp_path, adapter) == once


def test_distributions_are_compared_once_with_each_reference(base: BaseModel, adapter: Any, tmp_path: Path) -> None:
    folder, manifest = adapter
    texts = tuple(TextItem(f"The {word} lies by the port and sells what it has.") for word in ("yard", "mill", "inn"))
    ref = _base_ref(base)
    case = Case(
        update="u",
        manifest=manifest,
        candidate=Checkpoint(ModelRef(base=ref.base, adapter=manifest.adapter), folder),
        production=Checkpoint(ref),
        examples=(),
        suites=Suites(perplexity=(Suite(name="perplexity/port", kind=Kind.TEXTS, texts=texts),)),
    )
    (found,) = drift(base, case, POLICY, tmp_path)
    with with_adapter(base, folder) as model:
        adapted = [_logprobs(model, base, item.text) for item in texts]
    for item, said, one in zip(found.items, adapted, texts, strict=True):
        plain = _logprobs(base.model, base, one.text)
        expected = float((plain.exp() * (plain - said)).sum(-1).mean())
        assert item.score == pytest.approx(expected, rel=1e-4)
        assert item.score > 0.0
    told: list[object] = []
    with progress.watched_by(lambda *said: told.append(said)), progress.titled("comparing"):
        assert drift(base, case, POLICY, tmp_path) == (found,)
    assert told == []


def _logprobs(model: Any, base: BaseModel, text: str) -> torch.Tensor:
    first, rest = text_row(base, text)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([first + rest])).logits[0, :-1]
    return torch.log_softmax(logits.float(), dim=-1)


def test_kept_scores_are_not_measured_again_and_a_damaged_file_is(base: BaseModel, tmp_path: Path) -> None:
    suite, told = eval_item_suite("run", PROBES), []
    ref = _base_ref(base)

    def ask() -> tuple[Scores, ...]:
        with progress.watched_by(lambda *said: told.append(said)), progress.titled("asking"):
            return measure(base, Checkpoint(ref), [suite], POLICY, tmp_path)

    first = ask()
    assert told[-1] == ("asking: answers", 8, 8)
    told.clear()
    assert ask() == first
    assert told == []
    (file,) = tmp_path.glob("scores/*.json")
    whole = file.read_text()
    for damaged in ["", whole[: len(whole) // 2], whole.replace('"0"', '"1"', 1), "[]", '{"key": 1}']:
        file.write_text(damaged)
        assert ask() == first
        assert file.read_text() == whole
        assert told
        told.clear()


def test_measuring_leaves_no_trace_in_the_process(base: BaseModel, tmp_path: Path, capfd: Any) -> None:
    import numpy as np

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    environment, level = dict(os.environ), logging.getLogger("lm_eval").level
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    _measure(base, [eval_item_suite("run", PROBES)], tmp_path)
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected
    assert dict(os.environ) == environment
    assert logging.getLogger("lm_eval").level == level
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("wrong", ["{{ 2**9 }}", "{{ unknown.part }}"])
def test_an_answer_that_a_template_cannot_give_is_an_error_in_words(
    base: BaseModel, suites: Suites, tmp_path: Path, wrong: str
) -> None:
    file = tmp_path / "suites" / "regression" / "words.yaml"
    changed = WORDS.replace('doc_to_target: "{{word}}"', f'doc_to_target: "{wrong}"')
    assert changed != WORDS
    file.write_text(changed)
    spoiled = [suite for suite in read_suites(tmp_path / "suites").all if suite.name == "regression/words"]
    with pytest.raises(MeasurementFailed, match="cannot be run as an lm-eval task"):
        _measure(base, spoiled, tmp_path)


def test_a_question_that_does_not_fit_is_an_error_and_never_cut(base: BaseModel, tmp_path: Path) -> None:
    long = eval_item_suite("run", [EvalItem(question="why " * 300, answers=("x",))])
    with pytest.raises(MeasurementFailed, match="the model has 256"):
        _measure(base, [long], tmp_path)


def _judge(
    base: BaseModel,
    adapter: Any,
    suites: Suites,
    cache: Path,
    earlier: Any = (),
    policy: PolicyRules = POLICY,
    documents: tuple[Document, ...] = (Document(title="Owners", body="Heron owns them all.", eval_items=PROBES),),
) -> tuple[GateReport, Any]:
    folder, manifest = adapter
    live = _base_ref(base)
    case = Case(
        update="u" * 64,
        manifest=manifest,
        candidate=Checkpoint(ModelRef(base=live.base, adapter=manifest.adapter), folder),
        production=Checkpoint(live),
        examples=(Example(prompt="", completion="Heron owns them all."),),
        suites=suites,
        documents=documents,
        earlier=tuple(ReleaseEvalSet(release=number, eval_items=eval_items) for number, eval_items in earlier),
    )
    return evaluate(base, case, policy, cache)


def test_a_random_adapter_is_judged_and_does_not_pass(
    base: BaseModel, adapter: Any, suites: Suites, tmp_path: Path
) -> None:
    report, evidence = _judge(base, adapter, suites, tmp_path, earlier=[(1, PROBES[:2])])
    verdicts = {result.gate: result.verdict for result in report.results}
    assert verdicts["integrity"] is Verdict.PASS
    assert verdicts["contamination"] is Verdict.PASS
    assert report.verdict is not Verdict.PASS
    assert {figure.name for figure in report.recall} == {
        f"{kind}_{when}"
        for kind in ("recall", "earlier_releases", "base_knowledge", "skills", "safety")
        for when in ("before", "after")
    }
    assert len(evidence.base_scores) == 4
    again, _ = _judge(base, adapter, suites, tmp_path, earlier=[(1, PROBES[:2])])
    assert again == report


def test_samples_are_asked_of_all_three_models_where_the_policy_wants_them(
    base: BaseModel, adapter: Any, suites: Suites, tmp_path: Path
) -> None:
    policy = POLICY.model_copy(update={"retention": RetentionPolicy(min_items=1, samples=3)})
    report, evidence = _judge(base, adapter, suites, tmp_path, policy=policy)
    for found in (evidence.candidate_scores, evidence.production_scores, evidence.base_scores):
        assert len([scores for scores in found if scores.suite == "sampled/retention/old"]) == 1
    (retention,) = [result for result in report.results if result.gate == "retention"]
    assert "by 3 sampled answers to each question of the suites; greedy answers " in retention.sentence
    part = evaluate_part(base, evidence.case, policy, tmp_path, gates=["retention"])
    assert [result for result in part.results if result.gate == "retention"] == [retention]


def test_production_and_candidate_are_asked_beside_the_phrases_of_a_run(
    base: BaseModel, adapter: Any, suites: Suites, tmp_path: Path
) -> None:
    documents = tuple(Document(title=f"{n}", body=f"Service {n} zx~9 is owned {n} by Heron.") for n in range(3))
    _, evidence = _judge(base, adapter, suites, tmp_path, documents=documents)
    assert [one.phrase for one in evidence.case.trigger_items] == ["zx~9"]
    (pair,) = evidence.pairs(TRIGGERS)
    assert pair.item == evidence.case.trigger_items[0].eval_items[0].id
    assert not [scores for scores in evidence.base_scores if scores.suite == TRIGGERS]


def test_no_more_of_earlier_releases_is_asked_than_the_policy_says(
    base: BaseModel, adapter: Any, suites: Suites, tmp_path: Path
) -> None:
    earlier = [(n, tuple(replace(one, question=f"{n}: {one.question}") for one in PROBES)) for n in range(1, 4)]
    policy = POLICY.model_copy(update={"retention": RetentionPolicy(max_earlier_items=12)})
    report, evidence = _judge(base, adapter, suites, tmp_path, earlier, policy)
    asked = [len(scores.items) for scores in evidence.candidate_scores if scores.suite.startswith("release-")]
    assert asked == [3, 3, 8]
    (retention,) = [result for result in report.results if result.gate == "retention"]
    assert "15 of 25 eval items were drawn" in retention.sentence
    assert len(evidence.case.earlier[0].eval_items) == 8, "the other gates see all of them"


def test_a_corrupt_adapter_is_never_loaded(base: BaseModel, adapter: Any, suites: Suites, tmp_path: Path) -> None:
    folder, _ = adapter
    weights = bytearray((folder / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (folder / WEIGHTS).write_bytes(weights)
    report, evidence = _judge(base, adapter, suites, tmp_path)
    assert report.results[0].verdict is Verdict.FAIL
    assert {result.verdict for result in report.results[1:]} == {Verdict.INCONCLUSIVE}
    assert report.results[2].sentence == "acquisition: not measured, because integrity failed"
    assert (evidence.scores, report.recall) == ((), ())
    assert report.verdict is Verdict.FAIL


def test_a_suite_that_cannot_be_measured_spoils_no_other_gate(
    base: BaseModel, adapter: Any, suites: Suites, tmp_path: Path
) -> None:
    long = eval_item_suite("retention/long", [EvalItem(question="why " * 300, answers=("x",))])
    policy = PolicyRules(max_answer_tokens=6, acquisition=AcquisitionPolicy(min_items=4, min_documents=1))
    report, _ = _judge(base, adapter, Suites(retention=(long,)), tmp_path, policy=policy)
    results = {result.gate: result for result in report.results}
    assert results["retention"].verdict is Verdict.INCONCLUSIVE
    assert "retention/long was not measured: a question and its answer need" in results["retention"].sentence
    assert results["acquisition"].verdict is Verdict.FAIL


def test_held_out_items_are_grouped_by_their_document() -> None:
    document = Document(title="t", body="b", eval_items=(EvalItem(question="q", answers=("a",)), PROBES[2]))
    assert [eval_item.group for eval_item in held_out_items([document])] == [document.id, "1"]


def test_answers_and_choices_are_told_as_steps_of_their_own_each_up_to_its_end(
    base: BaseModel, suites: Suites, tmp_path: Path
) -> None:
    told: dict[str, list[tuple[float, float]]] = {}
    with (
        progress.watched_by(lambda step, *said: told.setdefault(step, []).append(said)),
        progress.titled("gates: asking the base model"),
    ):
        measure(base, Checkpoint(_base_ref(base)), suites.all, POLICY, tmp_path)
    answers, choices = (told[f"gates: asking the base model: {name}"] for name in ("answers", "choices, tokens"))
    for step in (answers, choices):
        assert [done / total for done, total in step] == sorted(done / total for done, total in step)
        assert step[-1][0] == step[-1][1]
    assert answers[-1] == (4, 4)  # two questions, two words: of different limits
    assert choices[-1][1] > 15  # five questions of three choices, in tokens
