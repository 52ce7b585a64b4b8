"""A question is put into the recipe's prompt as it stands."""

from pathlib import Path

import pytest

from pipeline.errors import BadRecipe
from pipeline.prompts import framed
from pipeline.recipe import PolicyRules, Recipe


def test_a_frame_holds_question_and_title() -> None:
    frame = "Topic: {title}\n{question}\nAnswer briefly."
    assert framed(frame, "Who {title}?", "Rome") == "Topic: Rome\nWho {title}?\nAnswer briefly."
    assert framed(frame, "Who?") == "Who?\nAnswer briefly."
    assert framed("{question}", "Who?", "Rome") == "Who?"


@pytest.mark.parametrize("frame", ["", "Answer:", "{question}{question}", "{question} {name}"])
def test_a_frame_without_its_question_is_refused(frame: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(f'[advanced.policy]\nquestion_prompt = "{frame}"\n')
    with pytest.raises(BadRecipe, match="question_prompt"):
        Recipe.read(tmp_path / "recipe.toml")


def test_the_default_prompt_leaves_a_digest_as_it_was() -> None:
    assert "question_prompt" not in Recipe().model_dump_json()
    asked = Recipe(policy=PolicyRules(question_prompt="{question} Briefly."))
    assert asked.digest != Recipe().digest
