"""Tasks of the installed lm-eval: asked and scored exactly as the lm-eval command does, from rows that lie here."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import lm_eval
import pytest
from lm_eval.models.huggingface import HFLM

from flows.runs import acquire_run
from flows.services.batches import nothing_to_ask
from flows.services.gate_plans import expect_possible
from flows.services.initialisation import init_workspace
from gates.measure import measure
from gates.standard_tasks import PACKAGE, fetch, standard_tasks
from gates.suite import Suite, Suites, held_out_questions, read_suites
from gates.tasks import TaskSource
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.local import LocalEngine
from pipeline.errors import BadDataFile, BadRecipe, DownloadFailed, TaskDataMissing
from pipeline.recipe import PolicyRules
from pipeline.types import Checkpoint, ModelRef, Scores
from tests.integration.test_measure import CHOICES

POLICY = PolicyRules(max_answer_tokens=6)
BIRDS = ["Heron", "Ibis", "the Egret team", "a gull by the port", "nobody at all", "Oslo"]
PIQA = [
    {
        "goal": f"Reach service {at}",
        "sol1": f"Ask {BIRDS[at % 6]}.",
        "sol2": f"Call {BIRDS[at % 5]} now.",
        "label": at % 2,
    }
    for at in range(23)
]
WINOGRANDE = [
    {
        "sentence": f"{one} owns port {at} since _ built it.",
        "option1": one,
        "option2": "Ibis",
        "answer": str(1 + at % 2),
    }
    for at, one in enumerate(BIRDS)
]
HELLASWAG = [
    {
        "activity_label": "Work",
        "ctx_a": f"Service {at} runs.",
        "ctx_b": "it",
        "endings": BIRDS[:4],
        "label": str(at % 4),
    }
    for at in range(5)
]
GSM8K = [{"question": f"What is {at} and {at}?", "answer": f"It is {2 * at}\n#### {2 * at}"} for at in range(8)]
LOCAL = f"{CHOICES}metric_list: [{{metric: acc}}, {{metric: acc_norm}}]\n"


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def base(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model(request.param, context=2048)), device="cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name, rows in {
        "piqa": PIQA,
        "winogrande/validation": WINOGRANDE,
        "hellaswag/validation": HELLASWAG,
        "gsm8k/test": GSM8K,
        "gsm8k/train": GSM8K,
    }.items():
        file = folder / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _suites(data: Path | None, *names: str, limit: int = 0) -> tuple[Suite, ...]:
    return (
        Suites()
        .with_tasks(standard_tasks([TaskSource(name=name, data=data, limit=limit) for name in names]))
        .regression
    )


def _ours(base: BaseModel, suites: tuple[Suite, ...], cache: Path) -> dict[str, Scores]:
    ref = ModelRef(base=LocalEngine(base).base_digest)
    return {one.suite: one for one in measure(base, Checkpoint(ref), suites, POLICY, cache)}


def _theirs(base: BaseModel, task: object, batch: int, folder: Path) -> list[dict[str, Any]]:
    """The samples of lm-eval's own `hf` model, by its own way through a task."""
    model = HFLM(pretrained=base.model, tokenizer=base.tokenizer, batch_size=batch)
    manager = lm_eval.tasks.TaskManager(include_path=str(folder), include_defaults=False)
    found = lm_eval.simple_evaluate(model=model, tasks=[task], task_manager=manager, bootstrap_iters=0)
    (samples,) = found["samples"].values()
    return sorted((one for one in samples if one["filter"] == samples[0]["filter"]), key=lambda one: one["doc_id"])


def _of_files(name: str, data: Path, folder: Path) -> str:
    """A task of lm-eval's own whose rows are those files, as its documentation tells to write one."""
    source = next(PACKAGE.glob(f"*/{name}.yaml"), PACKAGE / name / "default.yaml")
    splits = {file.stem: str(file) for file in (data / name).glob("*.jsonl")} or {
        "validation": str(data / f"{name}.jsonl")
    }
    lacking = "" if "train" in splits else "training_split: null\n"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        f"include: {source}\ntask: {name}\ndataset_path: json\ndataset_name: null\n{lacking}"
        f"dataset_kwargs: {json.dumps({'data_files': splits})}\n"
    )
    return name


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize(
    ("name", "metric"), [("piqa", "acc"), ("winogrande", "acc"), ("hellaswag", "acc"), ("gsm8k", "exact_match")]
)
def test_scores_are_those_of_the_lm_eval_command(
    base: BaseModel, data: Path, tmp_path: Path, name: str, metric: str, batch: int
) -> None:
    theirs = _theirs(base, _of_files(name, data, tmp_path / "theirs"), batch, tmp_path / "theirs")
    (suite,) = _suites(data, name)
    ours = _ours(base, (suite,), tmp_path / "cache")[f"regression/{name}"]
    assert [item.score for item in ours.items] == [float(one[metric]) for one in theirs]
    if name == "gsm8k":
        assert [item.answer for item in ours.items] == [one["filtered_resps"][0] for one in theirs]
    else:
        assert 0 < sum(item.score for item in ours.items) < len(ours.items)


@pytest.mark.slow
def test_the_lm_eval_command_itself_gives_the_same_scores(
    tiny_model: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    model, folder, out = tiny_model("llama", context=2048), tmp_path / "theirs", tmp_path / "out"
    name = _of_files("piqa", data, folder)
    words = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32"]
    words += ["--tasks", name, "--include_path", str(folder), "--batch_size", "8", "--device", "cpu"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "datasets")}
    words += ["--log_samples", "--output_path", str(out)]
    subprocess.run(words, env={**os.environ, **offline}, cwd=tmp_path, check=True, capture_output=True)
    (file,) = out.rglob("samples_piqa_*.jsonl")
    theirs = sorted(map(json.loads, file.read_text().splitlines()), key=lambda one: one["doc_id"])
    (suite,) = _suites(data, name)
    ours = _ours(load_base(str(model), device="cpu"), (suite,), tmp_path / "cache")["regression/piqa"]
    assert [item.score for item in ours.items] == [float(one["acc"]) for one in theirs]


@pytest.mark.parametrize("batch", [1, 4])
def test_plain_local_tasks_are_scored_as_by_the_command(base: BaseModel, tmp_path: Path, batch: int) -> None:
    folder = tmp_path / "suites" / "regression"
    folder.mkdir(parents=True)
    owners = [{"name": f"service {at}", "gold": at % 3} for at in range(17)]
    (folder / "owners.jsonl").write_text("\n".join(map(json.dumps, owners)))
    (folder / "owners.yaml").write_text(LOCAL)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "owners.yaml").write_text(LOCAL.replace("owners.jsonl", str(folder / "owners.jsonl")))
    theirs = _theirs(base, "owners", batch, tmp_path / "theirs")
    asked, plain = (read_suites(tmp_path / "suites", plain=plain).regression for plain in (False, True))
    scores = _ours(base, plain, tmp_path / "cache")["regression/owners"]
    assert [item.score for item in scores.items] == [float(one["acc"]) for one in theirs]
    assert asked[0].digest != plain[0].digest


def test_a_limit_asks_the_first_items(base: BaseModel, data: Path, tmp_path: Path) -> None:
    (whole,), (cut,) = _suites(data, "piqa"), _suites(data, "piqa", limit=4)
    assert [item.id for item in cut.items] == [item.id for item in whole.items][:4]
    scores = _ours(base, (cut,), tmp_path / "cache")["regression/piqa"]
    assert [item.score for item in scores.items] == [
        item.score for item in _ours(base, (whole,), tmp_path / "cache")["regression/piqa"].items[:4]
    ]


def test_the_digest_is_of_what_is_asked(data: Path) -> None:
    (before,), file = _suites(data, "piqa"), data / "piqa.jsonl"
    again = data.parent / "again"
    shutil.copytree(data, again)
    assert _suites(again, "piqa")[0].digest == before.digest
    file.write_text(file.read_text().replace("Reach service 7", "Find service 7"))
    assert _suites(data, "piqa")[0].digest != before.digest


def test_what_a_task_asks_is_held_out(data: Path) -> None:
    keys = held_out_questions((), Suites(regression=_suites(data, "piqa", "winogrande", "gsm8k")))
    assert {"reach service 0", "what is 3 and 3"} <= keys
    assert any("owns port 2" in key for key in keys)


def test_a_row_that_stands_there_twice_is_two_items(data: Path) -> None:
    file = data / "piqa.jsonl"
    file.write_text(file.read_text() + json.dumps(PIQA[0]) + "\n")
    (suite,) = _suites(data, "piqa")
    assert len({item.id for item in suite.items}) == len(PIQA) + 1


def _fill(cache: Path, split: str, rows: list[Mapping[str, Any]], tmp_path: Path) -> None:
    """The datasets cache as `datasets` leaves it after it downloaded baber/piqa."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    datasets.load_dataset("json", data_files={split: str(file)}, cache_dir=str(tmp_path / "made"))
    (made,) = (tmp_path / "made" / "json").glob("*/*/*/")
    out = cache / "baber___piqa" / "default" / "0.0.0" / made.name
    out.mkdir(parents=True)
    shutil.copy(made / f"json-{split}.arrow", out / f"piqa-{split}.arrow")
    about = json.loads((made / "dataset_info.json").read_text())
    (out / "dataset_info.json").write_text(json.dumps(about | {"dataset_name": "piqa", "builder_name": "parquet"}))


def test_rows_come_from_the_datasets_cache(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    _fill(tmp_path / "hf", "validation", PIQA, tmp_path)
    (cached,), (given,) = _suites(None, "piqa", limit=7), _suites(data, "piqa", limit=7)
    assert cached.digest == given.digest


def test_without_the_cache_the_command_that_fills_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    with pytest.raises(TaskDataMissing, match=r"baber/piqa.*`sealed suites fetch`"):
        _suites(None, "piqa", limit=8)


def test_what_cannot_be_fetched_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    with pytest.raises(DownloadFailed, match=r"piqa \(baber/piqa\) could not be fetched"):
        fetch("piqa")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("pica", BadRecipe, "no task 'pica'"),
        ("mmlu_stem", BadRecipe, "is a group"),
        ("humaneval", BadRecipe, "runs code that a model wrote"),
        ("wikitext", BadRecipe, "loglikelihood_rolling"),
        ("arc_easy", TaskDataMissing, r"arc_easy/test.jsonl there"),
    ],
)
def test_what_cannot_be_asked_is_refused(data: Path, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _suites(data, name)


def test_a_split_for_examples_is_asked_for(data: Path) -> None:
    (data / "gsm8k" / "train.jsonl").unlink()
    with pytest.raises(BadRecipe, match=r"gsm8k/train.jsonl has none"):
        _suites(data, "gsm8k")


def test_a_file_of_the_same_name_is_refused(data: Path) -> None:
    asked = _suites(data, "piqa")
    with pytest.raises(BadDataFile, match="both define regression/piqa"):
        Suites(regression=asked).with_tasks([asked[0].task])  # type: ignore[list-item]


def test_a_recipe_names_tasks_and_their_folder(data: Path, tmp_path: Path, tiny_model: Callable[..., Path]) -> None:
    opened = init_workspace(tmp_path / "workspace", str(tiny_model("gpt2")), actor="ada")
    recipe = '[policy]\nrequired = ["regression"]\n[policy.regression]\nmin_items = 20\nmargin = 0.2\n'
    recipe += '[suites]\ntasks = ["piqa"]\n[advanced.suites]\ndata = "../data"\n'
    opened.settings.recipe_file.write_text(recipe, encoding="utf-8")
    assert [(one.name, len(one)) for one in opened.suites.regression] == [("regression/piqa", len(PIQA))]
    assert nothing_to_ask(opened, opened.recipe) == ()
    with acquire_run(opened.settings.workspace) as context:
        assert context.recipe.suites.tasks == ("piqa",)
    (data / "piqa.jsonl").unlink()
    with pytest.raises(TaskDataMissing, match=r"data has no rows of the task piqa"):
        expect_possible(opened)
    opened.ledger.close()


def test_code_of_a_workspaces_own_task_file_is_never_run(data: Path, tmp_path: Path) -> None:
    """Neither beside the rows nor in the suites folder is a task file looked for by name, or its code loaded."""
    (data / "pwned.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(doc): return doc['goal']\n")
    (data / "mine.yaml").write_text("task: mine\ndataset_path: json\ndoc_to_text: !function pwned.f\n")
    with pytest.raises(BadRecipe, match="no task 'mine'"):
        _suites(data, "mine")
    (tmp_path / "suites" / "regression").mkdir(parents=True)
    shutil.copy(data / "mine.yaml", tmp_path / "suites" / "regression" / "mine.yaml")
    with pytest.raises(BadDataFile, match="!function are refused"):
        read_suites(tmp_path / "suites")
    assert not (tmp_path / "ran").exists()
