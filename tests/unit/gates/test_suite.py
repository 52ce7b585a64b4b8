"""Suites from files: what is read, and what is refused with file and line."""

import json
from pathlib import Path

import pytest

from gates.suite import Kind, Suites, eval_item_suite, held_out_questions, read_suites, refusals
from pipeline.errors import BadDataFile
from pipeline.leakage import leaked
from pipeline.types import EvalItem, Example

TASK = """
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "What is {{a}} plus {{b}}?"
doc_to_target: answer
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


def _task(folder: Path, text: str = TASK) -> Path:
    (folder / "regression").mkdir(exist_ok=True)
    items = [{"a": at, "b": 2, "answer": str(at + 2)} for at in (1, 2, 3, 1)]
    (folder / "regression" / "sums.jsonl").write_text("\n".join(map(json.dumps, items)))
    (folder / "regression" / "sums.yaml").write_text(text)
    return folder


def test_a_folder_of_suites_is_read(tmp_path: Path) -> None:
    for kind in ("retention", "safety"):
        (tmp_path / kind).mkdir()
    (tmp_path / "retention" / "old.jsonl").write_text(
        '{"question": "Who?", "answers": ["Heron"], "group": "Cinder"}\n\n{"question": "Where?", "answer": "Oslo"}\n'
    )
    (tmp_path / "safety" / "secrets.jsonl").write_text('{"question": "The key?", "answers": ["I cannot"]}')
    suites = read_suites(_task(tmp_path))
    assert [(suite.name, suite.kind, len(suite)) for suite in suites.all] == [
        ("retention/old", Kind.ANSWERS, 2),
        ("safety/secrets", Kind.REFUSALS, 1),
        ("regression/sums", Kind.TASK, 3),
    ]
    assert suites.regression[0].items[1].question == "What is 2 plus 2?"
    assert suites.retention[0].eval_items[1].answers == ("Oslo",)


def test_plain_text_is_read_by_paragraphs_and_may_not_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "perplexity").mkdir()
    (tmp_path / "perplexity" / "tides.txt").write_text("The sea\nrises twice.\n\n \nIt falls.\n\nIt falls.\n")
    suites = read_suites(tmp_path)
    (texts,) = suites.perplexity
    assert (texts.name, texts.kind, [item.question for item in texts.items]) == (
        "perplexity/tides",
        Kind.TEXTS,
        ["The sea\nrises twice.", "It falls."],
    )
    assert suites.all == ()
    assert suites.digest != Suites().digest
    assert "sea rises twice" in held_out_questions((), suites)


def test_a_sentence_of_plain_text_may_not_be_trained_on_either(tmp_path: Path) -> None:
    """Self-edits are written sentence by sentence, and would make the text look better known than it is."""
    (tmp_path / "perplexity").mkdir()
    text = "The sea rises twice a day at Brest. It falls. The moon pulls it\nup and lets it fall again."
    (tmp_path / "perplexity" / "tides.txt").write_text(text)
    keys = held_out_questions((), read_suites(tmp_path))
    taught = Example(prompt="What is said about Brest?", completion="The sea rises twice a day at Brest.")
    assert leaked(taught, keys)
    assert leaked(Example(prompt="", completion="Tides. The moon pulls it up and lets it fall again."), keys)
    assert not leaked(Example(prompt="What does a stone do?", completion="It falls."), keys)


def test_a_file_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "perplexity").mkdir()
    (tmp_path / "perplexity" / "empty.txt").write_text(" \n\n")
    with pytest.raises(BadDataFile, match="holds no text"):
        read_suites(tmp_path)


def test_a_missing_folder_holds_no_suites(tmp_path: Path) -> None:
    assert read_suites(tmp_path / "nowhere") == Suites()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{not json", "is not JSON"),
        ('["a list"]', "must be an object"),
        ('{"question": "Who?", "answers": ["x"], "hint": "y"}', "must be an object with the keys"),
        ('{"question": "Who?"}', "needs a question"),
        ('{"question": "Who?", "answers": []}', "needs a question"),
        ('{"question": "Who?", "answers": [""]}', "needs a question"),
        ('{"question": "Who?", "answers": "Heron"}', "needs a question"),
        ('{"question": "", "answers": ["Heron"]}', "needs a question"),
        ('{"question": "Who?", "answers": ["\\ud800"]}', "half a character"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "retention").mkdir()
    (tmp_path / "retention" / "old.jsonl").write_text('{"question": "Who?", "answers": ["Heron"]}\n' + line)
    with pytest.raises(BadDataFile, match=r"old\.jsonl:2.*") as caught:
        read_suites(tmp_path)
    assert complaint in str(caught.value)


def test_an_empty_or_binary_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "safety").mkdir()
    (tmp_path / "safety" / "a.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadDataFile, match=r"a\.jsonl cannot be read as UTF-8"):
        read_suites(tmp_path)
    (tmp_path / "safety" / "a.jsonl").write_text("\n")
    with pytest.raises(BadDataFile, match="holds no questions"):
        read_suites(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("doc_to_target: answer", "doc_to_target: !function evil.run", "not plain YAML"),
        ("task: sums", "task: sums\ninclude: other.yaml", "include is refused"),
        ("task: sums", "task: sums\nunsafe_code: true", "unsafe_code is refused"),
        ("task: sums", "task: sums\nprocess_docs: x", "process_docs is refused"),
        ("dataset_path: json", "dataset_path: squad", "dataset_path must be json"),
        ("sums.jsonl", "https://example.org/x.jsonl", "cannot be read"),
        ("sums.jsonl", "../../secret.jsonl", "lies outside"),
        ("test_split: test", "test_split: train", "test_split must name"),
        ("generate_until", "loglikelihood_rolling", "output_type must be one of"),
        ("exact_match", "bleu", "metric_list may hold"),
        ("metric: exact_match,", "metric: exact_match, hf_evaluate: true,", "hf_evaluate is refused"),
        ("task: sums", "task: sums\ngeneration_kwargs: {temperature: 0.7}", "temperature must be 0"),
        ("task: sums", "task: sums\nrepeats: 5", "repeats must be 1"),
        ("{{a}} plus", "{{c}} plus", "does not render"),
        ("{{a}} plus", "{{ ''.__class__.__mro__ }} plus", "does not render"),
        ("{{a}} plus", "{{ a / 0 }} plus", "does not render"),
        ("{{a}} plus", "{{ '' + 1 }} plus", "does not render"),
        pytest.param("{{a}} plus", f"{{{{ {'(' * 4_000}a }}}} plus", "does not render", id="a deep template"),
        ("task: sums", "task: sums\ntrue: 1", "keys, which are texts"),
        ("task: sums", 'task: "\\ud800"', "half a character"),
        ("task: sums", 'task: sums\n"\\ud800": 1', "is refused"),
        ("{{a}} plus", "{{ '%c' % 55296 }} plus", "half a character"),
        ("{{a}} plus", "{{ 10**10**9 }} plus", "a power can take for ever"),
        ("{{a}} plus", "{{ a | regex_replace('(', '') }} plus", "does not render"),
        ("{{a}} plus", "{{ dict(a=1, a=2) }} plus", "does not render"),
        ("{{a}} plus", "{{ [1, 2] | random }} plus", "does not render"),
        ("{{a}} plus", "{{ lipsum() }} plus", "does not render"),
        ("output_type: generate_until", "output_type: [generate_until]", "output_type must be one of"),
        ("sums.jsonl", '"a\\0b"', "is no name of a file"),
        ("sums.jsonl", '"a\\ud800b"', "is no name of a file"),
        ("task: sums", "task: sums\ndescription: !!bool x", "not plain YAML"),
        ("task: sums", 'task: sums\ndescription: !!int ""', "not plain YAML"),
    ],
)
def test_a_task_that_could_run_code_reach_out_or_be_unfair_is_refused(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(BadDataFile) as caught:
        read_suites(_task(tmp_path, TASK.replace(old, new)))
    assert complaint in str(caught.value)


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    (_task(tmp_path) / "regression" / "more.yaml").write_text(TASK)
    with pytest.raises(BadDataFile, match="two files"):
        read_suites(tmp_path)


def test_the_digest_follows_content_and_not_the_name() -> None:
    eval_item, other = EvalItem(question="Who?", answers=("a",)), EvalItem(question="Who?", answers=("b",))
    assert eval_item_suite("x", [eval_item, eval_item]).digest == eval_item_suite("y", [eval_item]).digest
    assert eval_item_suite("x", [eval_item]).digest != eval_item_suite("x", [other]).digest
    assert eval_item_suite("x", [eval_item]).digest != eval_item_suite("x", [eval_item], Kind.REFUSALS).digest


def test_the_digest_of_a_task_follows_its_data(tmp_path: Path) -> None:
    before = read_suites(_task(tmp_path)).digest
    (tmp_path / "regression" / "sums.jsonl").write_text('{"a": 9, "b": 9, "answer": "18"}')
    assert read_suites(tmp_path).digest != before


def test_refusals_are_known_by_the_openings_of_the_safety_suites_alone(tmp_path: Path) -> None:
    for kind, answers in (("retention", ["Heron"]), ("safety", ["I cannot", "I will not"])):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.jsonl").write_text(json.dumps({"question": "The key?", "answers": answers}))
    assert refusals(read_suites(tmp_path)) == {"I cannot", "I will not"}
    assert refusals(Suites()) == frozenset()


def test_suites_are_read_as_documents_are(tmp_path: Path) -> None:
    folder = tmp_path / "retention"
    folder.mkdir(parents=True)
    line = '\ufeff{"question": "What\u2028is it?", "answers": [1.10, 7]}\n'
    (folder / "a.JSONL").write_text(line, encoding="utf-8")
    (folder / "README.md").write_text("Notes.")
    (suite,) = read_suites(tmp_path).retention
    assert [item.answers for item in suite.eval_items] == [("1.10", "7")]


@pytest.mark.parametrize("name", ["a.json", "a.txt", "a"])
def test_a_file_that_would_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "retention").mkdir()
    (tmp_path / "retention" / name).write_text('{"question": "Q", "answers": ["a"]}')
    with pytest.raises(BadDataFile, match=rf"{name} is not read: here stand \.jsonl files"):
        read_suites(tmp_path)
