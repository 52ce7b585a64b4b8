"""Recipes: what is read is what was written, the shipped files are the code's, and mistakes are named."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pipeline.errors import BadRecipe, InternalError
from pipeline.recipe import NO_DISTILLATION, Recipe, TrainingRules, advanced_toml, recipe_toml
from pipeline.recipe.fields import NOT_SWEPT, Rules, advanced_of, table_of
from tests.docs.pages import anchors

ROOT = Path(__file__).parents[3]
DEFAULT, ADVANCED = ROOT / "recipes" / "default.toml", ROOT / "recipes" / "advanced.toml"
MOST_USER_KEYS = 41


def fields_of(rules: type[Rules], at: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of the rules by its dotted path, those of their tables included."""
    for name, field in rules.model_fields.items():
        if table := table_of(field):
            yield from fields_of(table, f"{at}{name}.")
        else:
            yield f"{at}{name}", field


def keys_in(text: str) -> dict[str, str]:
    """The keys that a recipe file shows, each with its comment; those that are not set included."""
    keys, within = {}, ""
    for line in text.splitlines():
        if table := re.fullmatch(r"\[(.+)\]", line):
            within = f"{table[1]}."
        elif key := re.fullmatch(r"(?:# )?([a-z_]+) = (?:\".*?\"|\[.*?\]|[^#]*?) # (.+)", line):
            keys[within + key[1]] = key[2]
    return keys


FIELDS = dict(fields_of(Recipe))
USER_KEYS = {key: field for key, field in FIELDS.items() if not advanced_of(field)}
ADVANCED_KEYS = {key: field for key, field in FIELDS.items() if advanced_of(field)}


def write(folder: Path, text: str) -> Path:
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return folder / "recipe.toml"


def test_the_shipped_files_are_the_defaults_of_the_code() -> None:
    assert DEFAULT.read_text(encoding="utf-8") == recipe_toml(Recipe())
    assert ADVANCED.read_text(encoding="utf-8") == advanced_toml(Recipe())
    assert Recipe.read(DEFAULT) == Recipe.read(ADVANCED) == Recipe()


def test_the_default_file_shows_the_keys_that_users_turn_and_no_other() -> None:
    shown = keys_in(DEFAULT.read_text(encoding="utf-8"))
    assert shown == {key: field.description for key, field in USER_KEYS.items()}
    assert 35 <= len(shown) <= MOST_USER_KEYS


def test_the_advanced_file_shows_every_other_key_with_the_evidence_for_its_default() -> None:
    shown = keys_in(ADVANCED.read_text(encoding="utf-8"))
    assert set(shown) == {f"advanced.{key}" for key in ADVANCED_KEYS}
    for key, field in ADVANCED_KEYS.items():
        mark = advanced_of(field)
        assert mark
        assert shown[f"advanced.{key}"] == f"{field.description} ({mark.evidence})"


@pytest.mark.parametrize(
    "wrong",
    [
        {"beside_rank": 8},
        {"beside_parent": True, "rank": 16, "beside_rank": 17},
        {"beside_parent": True, "rank": 16, "alpha": 5, "beside_rank": 8},
    ],
)
def test_the_rank_of_a_run_beside_production_fits_into_the_adapters(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="beside_rank"):
        TrainingRules.model_validate(wrong)


def test_the_evidence_for_a_default_can_be_found() -> None:
    for mark in {advanced_of(field) for field in ADVANCED_KEYS.values()} - {NOT_SWEPT}:
        for place in mark.evidence.split("; ") if mark else ():
            path, _, section = place.partition("#")
            if not re.fullmatch(r"arXiv \d{4}\.\d{5}", place):
                assert section in {"", *anchors(ROOT / path)}, place


@pytest.mark.parametrize("key", FIELDS)
def test_every_key_is_read_from_its_own_table_alone(key: str, tmp_path: Path) -> None:
    """Each key stands as a file of its own in the right table, and is refused in the other by the right one's name."""
    *tables, name = key.split(".")
    advanced = key in ADVANCED_KEYS
    # A value of another type is told by the key's name: so the key was read.
    text = "".join(f"{line}\n" for line in ([f"[{'.'.join(tables)}]"] if tables else []) + [f"{name} = {{}}"])
    if not tables:
        with pytest.raises(BadRecipe, match=rf": {key}: Input should be"):
            Recipe.read(write(tmp_path, text))
        return
    other = text.replace("[", "[advanced.", 1)
    right, wrong = (other, text) if advanced else (text, other)
    with pytest.raises(BadRecipe, match=rf": {'advanced.' if advanced else ''}{re.escape(key)}: Input should be"):
        Recipe.read(write(tmp_path, right))
    place = re.escape(f"[{'advanced.' if advanced else ''}{'.'.join(tables)}]")
    with pytest.raises(BadRecipe, match=rf"{re.escape(key)} is (an|no) advanced key. It belongs into {place}"):
        Recipe.read(write(tmp_path, wrong))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[training]\nranks = 3", r"training\.ranks: there is no such key"),
        ("[training]\nrank = 65", "training.rank"),
        ("[training\n", "not TOML"),
        ("[policy]\nalpha = 0.9", "policy.alpha"),
        ("[advanced.training]\nranks = 3", r"advanced\.training\.ranks is unknown"),
        ("[advanced.training]\nclip_norm = 0.0", r"advanced\.training\.clip_norm: .* greater than 0"),
        ("[advanced.policy.withdrawal]\nmargin = 2", r"advanced\.policy\.withdrawal\.margin: "),
        ("[advanced]\nseed = 1", "advanced.seed is no advanced key. It belongs above all tables"),
        ("[advanced.lessons]\nrank = 1", "advanced.lessons is unknown"),
        ("advanced = 3", "advanced must be a table"),
        ("training = 3", "training must be a table"),
        ("[advanced]\npolicy = 3", "advanced.policy must be a table"),
    ],
)
def test_a_bad_recipe_is_refused_with_the_name_of_the_key(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(BadRecipe, match=word):
        Recipe.read(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed = 1\n\n[policy]\nalpha = 0.05\n\n[policy.retention]\nmin_items = 20\nmargin = 0.0\n", 8),
        ("[policy]\nalpha = 0.05\n[advanced.policy.retention] # rare\n  base_margin = 0\n", 4),
        ("[policy.retention]\nmargin = 0.02\n[policy.safety]\nmargin = -1.0\n", 4),
        ("[training]\nranks = 3", 2),
        ("\n\ntraining = 3", 3),
        ("[training]\nclip_norm = 2.0", 2),
    ],
)
def test_a_bad_recipe_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(BadRecipe, match=rf"recipe.toml, line {line}: "):
        Recipe.read(write(tmp_path, text))


def test_every_key_changes_the_digest() -> None:
    assert Recipe(seed=1).digest != Recipe().digest == Recipe(seed=0).digest
    assert Recipe(training=TrainingRules(clip_norm=2.0)).digest != Recipe().digest


def test_whatever_stands_in_a_recipe_is_read_back_as_it_was(tmp_path: Path) -> None:
    odd = Recipe().self_edits.model_copy(update={"styles": ('with "quotes"', "back\\slash", "näme # no comment")})
    recipe = Recipe().model_copy(update={"self_edits": odd})
    assert Recipe.read(write(tmp_path, recipe_toml(recipe))) == recipe


def test_an_advanced_key_that_was_turned_is_written_and_read_back(tmp_path: Path) -> None:
    recipe = Recipe(rehearsal=NO_DISTILLATION, training=TrainingRules(new_weight=1.0, stop_below=0.1, max_tokens=64))
    text = recipe_toml(recipe)
    assert tomllib.loads(text)["advanced"] == {
        "training": {"new_weight": 1.0, "stop_below": 0.1},
        "rehearsal": {"hidden_state_weight": 0.0},
    }
    assert Recipe.read(write(tmp_path, text)) == recipe


def test_a_copy_with_a_key_that_no_rule_has_is_a_mistake_of_ours() -> None:
    with pytest.raises(InternalError, match="TrainingRules has no ranks"):
        Recipe().training.model_copy(update={"ranks": 3})
