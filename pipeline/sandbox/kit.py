"""Writes what a workspace starts with: rehearsal prompts and suites. Test services are in no rehearsal prompt."""

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from pipeline.digests import seed_from
from pipeline.sandbox import manners, prose
from pipeline.sandbox.catalogue import ATTRIBUTES, held_out_services, make_service, rehearsed_services
from pipeline.sandbox.names import NAMES
from pipeline.sandbox.skills import CATEGORY_FORMS, WORDS, Exercise, exercises

FACTS_A_SERVICE = 5  # test questions on each test service
REHEARSED_FACTS = 480
PER_SKILL = {"sorting": 260, "comparing": 160}
STORIES, PARAGRAPHS = 150, 60
REFUSALS = 160  # one lost answer is told from a margin of 5 points from 87 on
RECIPE = Path(__file__).with_name("recipe.toml")
Row = dict[str, Any]


def write_kit(out: Path) -> None:
    """Writes rehearsal_prompts/, suites/ and the recipe below `out`, the same bytes each time."""
    for name, rows in {**_rehearsal_prompts(), **_suites()}.items():
        _write(out / name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    paragraphs, rng = list[str](), _rng("paragraphs")
    for _ in range(PARAGRAPHS):
        paragraphs.append(" ".join(prose.story(rng).text for _ in range(2)))
    _write(out / "rehearsal_prompts" / "stories.txt", "\n\n".join(paragraphs) + "\n")
    for task in ("sorting", "comparing", "category"):
        _write(out / "suites" / "regression" / f"{task}.yaml", _yaml(_answer_task(task)))
    _write(out / "suites" / "regression" / "last-word.yaml", _yaml(_choice_task("last-word")))
    _write(out / "recipe.toml", RECIPE.read_text(encoding="utf-8"))


def _rng(purpose: str) -> Random:
    return Random(seed_from("kit", purpose))


def _rehearsal_prompts() -> dict[str, Iterable[Row]]:
    """Prompts without answers: the base itself answers them. None of them stands in a suite."""
    skills = [one for name, count in PER_SKILL.items() for one in _exercises(name, count)[count:]]
    return {
        "rehearsal_prompts/model-knowledge.jsonl": [{"prompt": prompt} for prompt in _rehearsed_questions()],
        "rehearsal_prompts/skills.jsonl": [{"prompt": one.prompt} for one in [*skills, *_categories(0)]],
        "rehearsal_prompts/stories.jsonl": [{"prompt": one.prompt} for one in stories("anchor", 60)],
        "rehearsal_prompts/manners.jsonl": [{"prompt": row["question"]} for row in requests("anchor", 60)],
    }


def _suites() -> dict[str, Iterable[Row]]:
    regression = {
        f"suites/regression/{name}.jsonl": [_item(one) for one in _exercises(name, count)[:count]]
        for name, count in PER_SKILL.items()
    }
    return {
        "suites/retention/base-knowledge.jsonl": list(base_knowledge_items()),
        "suites/safety/manners.jsonl": requests("suite", REFUSALS),
        **regression,
        "suites/regression/category.jsonl": [_item(one) for one in _categories(1)],
        "suites/regression/last-word.jsonl": [_choice(one) for one in stories("suite", STORIES)],
    }


def base_knowledge_items() -> list[Row]:
    """The retention eval items: some facts of every test service, in a random wording."""
    rng, rows = _rng("old world"), []
    for service in held_out_services():
        for attribute in rng.sample(ATTRIBUTES, FACTS_A_SERVICE):
            question = rng.choice(attribute.questions).format(n=service.name)
            rows.append({"question": question, "answers": [service.facts[attribute.name]], "group": service.name})
    return rows


def _rehearsed_questions() -> list[str]:
    questions = [
        form.format(n=service.name)
        for service in rehearsed_services()
        for attribute in ATTRIBUTES
        for form in attribute.questions
    ]
    return _rng("rehearsed").sample(questions, REHEARSED_FACTS)


def _exercises(name: str, count: int) -> list[Exercise]:
    """The suite's exercises (the first `count`), then as many others for the rehearsal prompts."""
    return exercises(name, 2 * count, _rng(name))


def _categories(part: int) -> list[Exercise]:
    """Every other word in every form: part 0 for the rehearsal prompts, part 1 for the suite."""
    return [Exercise(form.format(w=word), kind) for word, kind in WORDS[part::2] for form in CATEGORY_FORMS]


def stories(purpose: str, count: int) -> list[prose.Story]:
    """Random stories; those of the rehearsal prompts and those of the suite are drawn apart, and hardly ever agree."""
    rng, found = _rng(f"stories {purpose}"), dict[str, prose.Story]()
    while len(found) < count:
        one = prose.story(rng)
        found[one.context] = one
    return list(found.values())


def requests(purpose: str, count: int) -> list[Row]:
    """Requests for secrets of services that exist, or do not, with the accepted beginning of a refusal."""
    rng, rows = _rng(f"requests {purpose}"), dict[str, Row]()
    known = rehearsed_services() if purpose == "anchor" else held_out_services()
    while len(rows) < count:
        service = rng.choice(known) if rng.random() < 0.5 else make_service(NAMES - 1 - rng.randrange(10**6))
        form, secret = rng.randrange(len(manners.REQUESTS)), rng.choice(manners.SECRETS)
        prompt = manners.request(form, secret, service.name)
        rows[prompt] = {"question": prompt, "answers": [manners.REFUSAL], "group": service.name}
    return list(rows.values())


def _item(one: Exercise) -> Row:
    return {"prompt": one.prompt, "answer": one.answer}


def _choice(one: prose.Story) -> Row:
    return {"prompt": one.prompt, "choices": list(one.choices), "label": one.choices.index(one.last)}


def _task(name: str, kind: str) -> Row:
    return {
        "task": f"sandbox-{name}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}},
        "test_split": "test",
        "output_type": kind,
        "num_fewshot": 0,
        "doc_to_text": "{{prompt}}",
    }


def _answer_task(name: str) -> Row:
    return _task(name, "generate_until") | {
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": 16},
        "filter_list": [{"name": "strip", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }


def _choice_task(name: str) -> Row:
    return _task(name, "multiple_choice") | {
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }


def _yaml(value: Row) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, width=120))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
