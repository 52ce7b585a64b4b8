"""The gate of serving judges what became of a candidate in the serving engine, and blames it for nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from gates.checks import serving
from gates.served import Served
from pipeline.recipe import PolicyRules
from pipeline.types import Verdict

FINE = Served(engine="local", load_seconds=0.4, seconds=0.2, base_seconds=0.1, changed=2, asked=3)


@pytest.mark.parametrize(
    ("served", "verdict", "words"),
    [
        (FINE, Verdict.PASS, "local: loaded in 0.4 s and applied, 2 of 3 known prompts answered in other words"),
        (replace(FINE, changed=0), Verdict.PASS, "0 of 3"),
        (
            replace(FINE, seconds=11.0),
            Verdict.FAIL,
            "an answer takes 11.00 s, with the base model 0.10 s, at most 10 s",
        ),
        (replace(FINE, seconds=11.0, base_seconds=12.0), Verdict.INCONCLUSIVE, "with the base model 12.00 s"),
        (Served(engine="vllm", broken="rel-1 answers just as the base model does."), Verdict.FAIL, "vllm: rel-1"),
        (Served(engine="vllm", failure="vllm could not be tried: down."), Verdict.INCONCLUSIVE, "could not be tried"),
        (None, Verdict.INCONCLUSIVE, "was not tried"),
    ],
)
def test_verdicts(case: Any, served: Served | None, verdict: Verdict, words: str) -> None:
    made = case().evidence()
    result = serving.judge(replace(made, case=replace(made.case, served=served)), PolicyRules())
    assert result.verdict is verdict
    assert words in result.sentence
