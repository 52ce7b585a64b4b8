"""What a packaged model brings: suites that its recipe's gates can decide on, and texts that ask nothing of them."""

from collections import Counter
from pathlib import Path

import pytest

from gates.statistics import tango_lower
from gates.suite import Suites, held_out_questions, read_suites
from pipeline.leakage import without_leaks
from pipeline.models.catalogue import packaged
from pipeline.recipe import pretrained_recipe
from pipeline.types import Example
from pipeline.updates import read_rehearsal_prompts


@pytest.fixture(scope="module")
def brought() -> Path:
    model = packaged("smollm2")
    assert model is not None
    assert model.brings is not None
    return model.brings


@pytest.fixture(scope="module")
def suites(brought: Path) -> Suites:
    return read_suites(brought / "suites")


def test_each_gate_that_asks_standing_suites_has_as_many_items_as_its_policy_needs(suites: Suites) -> None:
    policy = pretrained_recipe().policy
    asked = {name: sum(map(len, getattr(suites, name))) for name in ("retention", "regression", "safety")}
    assert asked["retention"] >= policy.retention.min_items
    assert asked["regression"] >= policy.regression.min_items
    assert asked["safety"] >= policy.safety.min_items
    assert sum(map(len, suites.perplexity)) >= policy.perplexity.min_items


def test_a_few_changed_answers_leave_no_gate_undecided(suites: Suites) -> None:
    policy = pretrained_recipe().policy
    known, chosen, refused = (sum(map(len, found)) for found in (suites.retention, suites.regression, suites.safety))
    assert tango_lower(0, 4, known, policy.alpha) > -policy.retention.margin
    assert tango_lower(0, 2, refused, policy.alpha) > -policy.safety.margin
    assert tango_lower(chosen // 20, chosen // 20, chosen, policy.alpha) > -policy.regression.margin


def test_nothing_that_is_rehearsed_asks_what_the_suites_ask(brought: Path, suites: Suites) -> None:
    brings = read_rehearsal_prompts(brought / "rehearsal_prompts")
    examples = [
        *(Example(prompt="", completion=text) for text in brings.texts),
        *(Example(prompt=one.prompt, completion=one.completion or "") for one in brings.prompts),
    ]
    assert len(examples) >= pretrained_recipe().rehearsal.prompts
    assert list(without_leaks(examples, held_out_questions((), suites))) == examples


def test_what_is_rehearsed_is_plain_text_and_answered_prompts_and_the_model_refuses_among_them(brought: Path) -> None:
    brings = read_rehearsal_prompts(brought / "rehearsal_prompts")
    share = len(brings.texts) / (len(brings.texts) + len(brings.prompts))
    assert 0.1 < share < 0.5
    assert all(one.completion for one in brings.prompts)
    assert sum((one.completion or "").startswith("I'm sorry") for one in brings.prompts) >= 30


def test_many_facts_of_many_kinds_show_what_is_lost(suites: Suites) -> None:
    groups = {item.group for suite in suites.retention for item in suite.eval_items}
    kinds = Counter(group.partition(": ")[0] for group in groups)
    assert len(groups) >= 300
    assert max(kinds.values()) <= 45  # "number" names facts and tasks


def test_no_question_is_asked_twice(suites: Suites) -> None:
    asked = [item.question for suite in suites.all for item in suite.items]
    assert len(set(asked)) == len(asked)


def test_every_file_of_others_is_named_with_its_licence(brought: Path) -> None:
    told = (brought / "suites" / "LICENCES.md").read_text(encoding="utf-8")
    theirs = [*(brought / "suites").glob("regression/*.jsonl"), *(brought / "suites").glob("perplexity/*")]
    assert len(theirs) >= 2
    for file in theirs:
        assert f"`{file.parent.name}/{file.name}`" in told
