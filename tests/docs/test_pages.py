"""What the pages name exists: files, sections, commands, options, settings, recipe keys, states and tests."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from flows.cli.gates import EXIT_CODES
from flows.outcome import STATES
from gates.catalogue import BUILT_IN
from pipeline import errors
from pipeline.config import Settings
from tests.docs.commands import unknown_names
from tests.docs.pages import PAGES, ROOT, anchors, blocks, inline_code, links, read

OPERATING, ARCHITECTURE, GLOSSARY = (ROOT / "docs" / f"{name}.md" for name in ("operating", "architecture", "glossary"))
# Read by other means than as a field of the settings.
OTHER_VARIABLES = {
    "SEALED_WORKSPACE",
    "SEALED_ACTOR",
    "SEALED_PROPOSER",
    "SEALED_PASSWORD",
    "SEALED_CACHE",
    "SEALED_FAULTS",
    "SEALED_REVIEW_CONFIG",
    "SEALED_REVIEWERS",
    "SEALED_ON_CALL",
    "SEALED_TRAINERS",
    "SEALED_TEST_VLLM_URL",
    "SEALED_TEST_VLLM_MODEL",
}
# Decisions on record keep the words of their day, and the glossary says what these are now.
TODAY = tuple(page for page in PAGES if page.parent.name != "adr")
OLDER_WORDS = "## Older words"
INVARIANTS = [f"I{number}" for number in range(1, 10)]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def typed_keys(recipe: dict[str, Any], prefix: str = "") -> set[str]:
    """Every dotted key as a recipe spells it, tables included."""
    keys: set[str] = set()
    for name, value in recipe.items():
        keys.add(prefix + name)
        if isinstance(value, dict):
            keys |= typed_keys(value, f"{prefix}{name}.")
    return keys


RECIPES = [ROOT / "recipes" / name for name in ("default.toml", "advanced.toml")]
UNSET = re.compile(r"^# (\w+) = \(not set\)", re.MULTILINE)  # a key without a default
RECIPE_KEYS = {key for path in RECIPES for key in typed_keys(tomllib.loads(UNSET.sub(r'\1 = ""', read(path))))}
HEADS = {"advanced", *(key.removeprefix("advanced.").partition(".")[0] for key in RECIPE_KEYS if "." in key)}
TABLES = {key for key in RECIPE_KEYS if any(other.startswith(f"{key}.") for other in RECIPE_KEYS)}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@every_page
def test_every_command_in_the_prose_exists(page: Path) -> None:
    spans = [span for span in inline_code(page) if span.startswith("sealed ")]
    assert [found for span in spans if (found := unknown_names(span))] == []


@every_page
def test_every_setting_exists(page: Path) -> None:
    known = {f"SEALED_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    assert set(re.findall(r"\bSEALED_[A-Z][A-Z_]*[A-Z]\b", read(page))) <= known


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_recipe_key_exists(page: Path) -> None:
    dotted = [span for span in inline_code(page) if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+(?: = \S.*)?", span)]
    keys = {span.partition(" = ")[0] for span in dotted}
    assert {key for key in keys if key.partition(".")[0] in HEADS} <= RECIPE_KEYS
    tables = {table for span in inline_code(page) for table in re.findall(r"^\[([a-z_.]+)\]$", span)}
    assert tables <= TABLES


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    led_to = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in (ROOT / "docs").glob("*.md") if page != index}
    assert pages <= led_to


def test_the_operators_guide_names_every_state_that_a_run_ends_in() -> None:
    states = set(re.findall(r"^\| `(\w+)` \| (?:completed|failed|crashed) \|", read(OPERATING), flags=re.MULTILINE))
    assert states == {*STATES.values(), "Inconclusive", "Failed", "Crashed"}


def test_the_operators_guide_names_every_exit_code() -> None:
    codes = {int(code) for code in re.findall(r"^\| `(\d+)` \|", read(OPERATING), flags=re.MULTILINE)}
    tree = {it.exit_code for it in vars(errors).values() if isinstance(it, type) and issubclass(it, errors.SealedError)}
    assert codes == tree | set(EXIT_CODES.values()) | {130}


def test_the_operators_guide_says_when_each_gate_passes() -> None:
    told = re.findall(
        r"^\| `([a-z_]+)` \| ", read(OPERATING).partition("## What the gates decide")[2], flags=re.MULTILINE
    )
    assert told[: len(BUILT_IN)] == list(BUILT_IN)


def test_every_invariant_is_held_by_tests_that_exist() -> None:
    rows = re.findall(r"^\| (I\d) \| [^|]+ \| ([^|]+) \|$", read(ARCHITECTURE), flags=re.MULTILINE)
    assert [name for name, _ in rows] == INVARIANTS
    for name, cell in rows:
        files = re.findall(r"`(tests/[\w/]+\.py)`", cell)
        assert files, f"{name} is held by no test"
        assert [file for file in files if not (ROOT / file).is_file()] == []


def test_the_architecture_page_describes_every_room() -> None:
    rooms = {
        f"{path.relative_to(ROOT).as_posix()}"
        for package in ("pipeline", "gates", "registry", "flows")
        for path in (ROOT / package).iterdir()
        if (path / "__init__.py").is_file()
    }
    told = set(re.findall(r"^\| `([a-z_/]+)` \|", read(ARCHITECTURE), flags=re.MULTILINE))
    assert rooms <= told
    assert [room for room in told if not (ROOT / room).is_dir()] == []


def test_the_glossary_gives_each_term_one_line() -> None:
    rows = re.findall(
        r"^\| (?!---|term)([^|]+) \| ([^|\n]+) \|$", read(GLOSSARY).partition(OLDER_WORDS)[0], flags=re.MULTILINE
    )
    terms = [term for term, _ in rows]
    assert len(terms) >= 40
    assert len(terms) == len(set(terms))
    assert [term for term, meaning in rows if len(meaning) > 220 or not meaning.endswith(".")] == []


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_terms_are_those_of_the_glossary(page: Path) -> None:
    old = r"\b(?:nights?|old world|untouched base|incumbent|exams?|probes?|probing|practis\w+|neighbours?)\b"
    text = re.sub(r"\]\([^)]*\)", "]", read(page).partition(OLDER_WORDS)[0])
    assert re.findall(old, text, flags=re.IGNORECASE) == []


def test_the_blocks_are_found() -> None:
    assert len(blocks()) > 15
