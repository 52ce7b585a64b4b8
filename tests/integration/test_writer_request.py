"""How a practice was asked for stays with its night: a killed one goes on so, and an impossible one ends at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.outcome import Ended
from flows.run_context import Shift
from flows.steps.writer_request import as_asked, open_practice, practice_asked
from flows.steps.writer_training import nothing_to_practise, practice_ground, practise
from flows.wiring import House
from pipeline.config import Settings
from pipeline.engines.base import identify_base
from pipeline.errors import BadInput
from pipeline.recipe import Recipe
from pipeline.types import Night, NightKind, NightState, PracticeAsk
from registry.store import runs, writer_trainings
from tests.ledgers import Ledger, manifest_of

QUESTION = '- {{question: "Who owns {0}?", answers: [Heron], split: practice}}'
PLAIN = (None, None, None)
Asked = tuple[Path | None, int | None, str | None]


def write(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        text = f"---\ntitle: {name}\nquestions:\n{QUESTION.format(name)}\n---\nThe service {name} is owned by Heron.\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def parts(ledger: Ledger, tiny_model: Callable[..., Path], tmp_path: Path) -> House:
    model = tiny_model("llama")
    found = identify_base(model)
    given = {
        "model": str(model), "base_model": found.model, "base_tokenizer": found.tokenizer,
        "base_chat_template": found.chat_template, "device": "cpu",
    }  # fmt: skip
    return House(Settings.at(tmp_path, given), ledger.store)


@contextmanager
def opened(ledger: Ledger, parts: House, asked: Asked) -> Iterator[tuple[Shift, Night]]:
    """A run of `sealed practice` as far as its night, as the flow takes it there."""
    with ledger.working() as held:
        usual = Shift(parts, held, Recipe())
        wanted = practice_asked(usual, *asked)
        shift = as_asked(usual, wanted)
        yield shift, open_practice(shift, wanted, "practice")


def test_a_killed_practice_is_resumed_as_it_was_asked(
    ledger: Ledger, parts: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "ground", "atlas", "borea")
    monkeypatch.chdir(tmp_path)
    asked = (Path("ground"), 3, "grpo")
    with opened(ledger, parts, asked) as (_, first):
        assert first.asked == PracticeAsk(folder=str(tmp_path / "ground"), rounds=3, method="grpo")
    monkeypatch.chdir("/")
    with opened(ledger, parts, PLAIN) as (shift, again):
        assert again == first
        assert (shift.recipe.practice.rounds, shift.recipe.practice.method) == (3, "grpo")
        ground = practice_ground(shift, again)
    assert {one.title for one in (*ground.practised, *ground.held_out)} == {"atlas", "borea"}
    assert not ground.known
    monkeypatch.chdir(tmp_path)
    with opened(ledger, parts, asked) as (_, same):
        assert same == first


@pytest.mark.parametrize("other", ["folder", "rounds", "method"])
def test_one_with_other_flags_begins_a_new_one(ledger: Ledger, parts: House, tmp_path: Path, other: str) -> None:
    ground, rival = (write(tmp_path / name, "atlas", "borea") for name in ("ground", "rival"))
    asked: dict[str, Asked] = {
        "folder": (rival, 3, None), "rounds": (ground, 2, None), "method": (ground, 3, "grpo"),
    }  # fmt: skip
    with opened(ledger, parts, (ground, 3, None)) as (_, first):
        pass
    with opened(ledger, parts, asked[other]) as (_, second):
        assert second.number == first.number + 1
    given_up = runs.get(ledger.store, first.number)
    assert given_up.state is NightState.ABANDONED
    assert "asked for otherwise" in given_up.sentence


@pytest.mark.parametrize("asked", [(Path("/nowhere"), None, None), (None, None, "guessing"), (None, 1_000, None)])
def test_an_impossible_ask_begins_nothing_and_gives_nothing_up(ledger: Ledger, parts: House, asked: Asked) -> None:
    with opened(ledger, parts, (None, 3, None)) as (_, first):
        pass
    with pytest.raises(BadInput), opened(ledger, parts, asked):
        pass
    assert runs.listed(ledger.store) == (first,)


def test_a_practice_whose_folder_is_gone_when_it_is_resumed_has_failed(
    ledger: Ledger, parts: House, tmp_path: Path
) -> None:
    ground = write(tmp_path / "ground", "atlas", "borea")
    with opened(ledger, parts, (ground, None, None)):
        pass
    ground.rename(tmp_path / "elsewhere")
    with opened(ledger, parts, PLAIN) as (shift, night), pytest.raises(BadInput, match="is not a folder"):
        practice_ground(shift, night)
    failed = runs.get(ledger.store, 1)
    assert failed.state is NightState.FAILED
    assert "ground is not a folder" in failed.sentence
    assert runs.unfinished(ledger.store) is None


def test_too_few_documents_leave_no_practice_under_way(ledger: Ledger, parts: House, tmp_path: Path) -> None:
    with opened(ledger, parts, (write(tmp_path / "ground", "atlas"), None, None)) as (shift, night):
        ground = practice_ground(shift, night)
        assert not ground.held_out
        outcome = nothing_to_practise(shift, night, ground)
    assert (outcome.ended, outcome.exit_code, outcome.night) == (Ended.NOTHING_NEW, 0, 1)
    failed = runs.get(ledger.store, 1)
    assert (failed.state, failed.sentence) == (NightState.FAILED, outcome.sentence)
    assert "at least two are needed" in failed.sentence


def test_a_practice_killed_while_registering_goes_on_without_its_folder(
    ledger: Ledger, parts: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.steps.ingestion.lost", lambda shift, night: None)
    ground = write(tmp_path / "ground", "atlas", "borea")
    with opened(ledger, parts, (ground, None, None)) as (shift, night):
        runs.intend_release(ledger.store, shift.lease, night.number, manifest_of(ledger.gate(shift.lease, night)))
    ground.rename(tmp_path / "elsewhere")
    for asked in (PLAIN, (ground, None, None)):
        with opened(ledger, parts, asked) as (_, again):
            assert (again.number, again.state, again.release) == (1, NightState.REGISTERING, 1)


def test_a_night_is_not_asked_for(ledger: Ledger) -> None:
    with ledger.working() as held:
        night = ledger.begin(held)
    assert (night.kind, night.asked) == (NightKind.NIGHTLY, None)


def test_what_a_practice_is_held_on_is_kept_with_it_before_its_rounds(
    ledger: Ledger, parts: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.writer_training.rounds.practise", lambda *given: iter(()))
    with opened(ledger, parts, (write(tmp_path / "ground", "atlas", "borea"), None, None)) as (shift, night):
        ground = practice_ground(shift, night)
        assert practise(shift, night, ground) is None
    assert [writer_trainings.about(ledger.store, one.id) for one in ground.practised] == [((1, False),)]
    assert [writer_trainings.about(ledger.store, one.id) for one in ground.held_out] == [((1, True),)]
