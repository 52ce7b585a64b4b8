"""Roles come from the environment or a file, nobody has one by default, and none can be mistaken for another."""

from pathlib import Path

import pytest

from pipeline.errors import BadInput
from registry.mlflow.app.roles import Roles, read_roles, review_tag


def configured(folder: Path, text: str) -> dict[str, str]:
    file = folder / "review.toml"
    file.write_text(text, encoding="utf-8")
    return {"SEALED_REVIEW_CONFIG": str(file)}


def test_nobody_has_a_role_by_default() -> None:
    assert read_roles({}) == Roles()
    assert read_roles({"SEALED_REVIEW_CONFIG": ""}) == Roles()


def test_a_file_names_roles_and_a_variable_wins_over_its_list(tmp_path: Path) -> None:
    environment = configured(tmp_path, 'reviewers = ["ada", "grace"]\non_call = ["linus"]\ntrainers = ["trainer"]\n')
    roles = read_roles(environment)
    assert roles == Roles(
        reviewers=frozenset({"ada", "grace"}), on_call=frozenset({"linus"}), trainers=frozenset({"trainer"})
    )
    changed = read_roles(environment | {"SEALED_REVIEWERS": " ada , barbara,"})
    assert changed.reviewers == {"ada", "barbara"}
    assert changed.on_call == {"linus"}
    assert read_roles(environment | {"SEALED_ON_CALL": ""}).on_call == frozenset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('reviewer = ["ada"]', "reviewer: Extra inputs are not permitted"),
        ('reviewers = "ada"', "reviewers"),
        ("reviewers = [", "cannot be read"),
        ('reviewers = ["ada", "Ada"]', "the reviewers Ada and ada could be taken for one person"),
        ('reviewers = ["a@b", "a b"]', "could be taken for one person"),
        ('reviewers = ["outcome"]', "no reviewer can be named outcome"),
        ('reviewers = ["--"]', "can have no role"),
        ('reviewers = ["аda"]', "mixes letters"),
        ('reviewers = ["ada"]\ntrainers = ["ada"]', "ada is a trainer"),
        ('on_call = ["ada"]\ntrainers = ["ada"]', "ada is a trainer"),
    ],
)
def test_a_configuration_that_proves_nothing_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_roles(configured(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="which SEALED_REVIEW_CONFIG names, cannot be read"):
        read_roles({"SEALED_REVIEW_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize(
    ("name", "tag"),
    [("ada", "review.ada"), ("ada@example.com", "review.ada_example.com"), ("Ada L.-B", "review.Ada L.-B")],
)
def test_the_tag_of_a_reviewer_is_one_that_mlflow_takes(name: str, tag: str) -> None:
    from mlflow.utils.validation import validate_param_and_metric_name

    assert review_tag(name) == tag
    assert validate_param_and_metric_name(tag)
