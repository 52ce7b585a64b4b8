"""How writer training was asked for stays with its run: a killed one goes on so, and an impossible one ends at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.outcome import Ended
from flows.run_context import RunContext
from flows.steps.ingestion import open_run
from flows.steps.outcomes import too_few_documents
from flows.steps.writer_request import as_asked, writer_request
from flows.steps.writer_training import SplitCounts, split_documents, split_of_rounds, train_writer
from flows.wiring import Workspace
from pipeline.adapters.identity import identify_base
from pipeline.config import Settings
from pipeline.errors import BadInput
from pipeline.recipe import Recipe
from pipeline.types import Run, RunKind, RunState, WriterTrainingRequest
from tests.ledgers import Ledger, manifest_of

QUESTION = '- {{question: "Who owns {0}?", answers: [Heron], split: validation}}'
PLAIN = (None, None, None)
Asked = tuple[Path | None, int | None, str | None]


def write(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        text = f"---\ntitle: {name}\nquestions:\n{QUESTION.format(name)}\n---\nThe service {name} is owned by Heron.\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def parts(ledger: Ledger, tiny_model: Callable[..., Path], tmp_path: Path) -> Workspace:
    model = tiny_model("llama")
    found = identify_base(model)
    given = {
        "model": str(model),
        "base_model": found.model,
        "base_tokenizer": found.tokenizer,
        "base_chat_template": found.chat_template,
        "device": "cpu",
    }
    (tmp_path / "recipe.toml").touch()
    return Workspace(Settings.at(tmp_path, given), ledger)


@contextmanager
def opened(ledger: Ledger, parts: Workspace, asked: Asked) -> Iterator[tuple[RunContext, Run]]:
    """A run of `sealed train-writer` as far as its run, as the flow takes it there."""
    with ledger.session() as session:
        usual = RunContext(parts, session, Recipe())
        wanted = writer_request(usual, *asked)
        context = as_asked(usual, wanted)
        yield context, open_run(context, RunKind.WRITER_TRAINING, "trainer", asked=wanted)


def test_a_killed_training_is_resumed_as_it_was_asked(
    ledger: Ledger, parts: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "split", "atlas", "borea")
    monkeypatch.chdir(tmp_path)
    asked = (Path("split"), 3, "grpo")
    with opened(ledger, parts, asked) as (_, first):
        assert first.asked == WriterTrainingRequest(folder=str(tmp_path / "split"), rounds=3, method="grpo")
    monkeypatch.chdir("/")
    with opened(ledger, parts, PLAIN) as (context, again):
        assert again == first
        assert (context.recipe.writer_training.rounds, context.recipe.writer_training.method) == (3, "grpo")
        assert split_documents(context, again) == SplitCounts(train=1, held_out=1)
    monkeypatch.chdir(tmp_path)
    with opened(ledger, parts, asked) as (_, same):
        assert same == first


@pytest.mark.parametrize("other", ["folder", "rounds", "method"])
def test_one_with_other_flags_begins_a_new_one(ledger: Ledger, parts: Workspace, tmp_path: Path, other: str) -> None:
    split, rival = (write(tmp_path / name, "atlas", "borea") for name in ("split", "rival"))
    asked: dict[str, Asked] = {
        "folder": (rival, 3, None),
        "rounds": (split, 2, None),
        "method": (split, 3, "grpo"),
    }
    with opened(ledger, parts, (split, 3, None)) as (_, first):
        pass
    with opened(ledger, parts, asked[other]) as (_, second):
        assert second.number == first.number + 1
    given_up = ledger.runs.get(first.number)
    assert given_up.state is RunState.ABANDONED
    assert "asked for otherwise" in given_up.sentence


@pytest.mark.parametrize("asked", [(Path("/nowhere"), None, None), (None, None, "guessing"), (None, 1_000, None)])
def test_an_impossible_ask_begins_nothing_and_gives_nothing_up(ledger: Ledger, parts: Workspace, asked: Asked) -> None:
    with opened(ledger, parts, (None, 3, None)) as (_, first):
        pass
    with pytest.raises(BadInput), opened(ledger, parts, asked):
        pass
    assert ledger.runs.listed() == (first,)


def test_a_training_whose_folder_is_gone_when_it_is_resumed_has_failed(
    ledger: Ledger, parts: Workspace, tmp_path: Path
) -> None:
    split = write(tmp_path / "split", "atlas", "borea")
    with opened(ledger, parts, (split, None, None)):
        pass
    split.rename(tmp_path / "elsewhere")
    with opened(ledger, parts, PLAIN) as (context, run), pytest.raises(BadInput, match="is not a folder"):
        split_documents(context, run)
    failed = ledger.runs.get(1)
    assert failed.state is RunState.FAILED
    assert "split is not a folder" in failed.sentence
    assert ledger.runs.unfinished() is None


def test_what_is_withdrawn_while_a_training_is_interrupted_is_in_no_split_of_it(
    ledger: Ledger, parts: Workspace, tmp_path: Path
) -> None:
    folder = write(tmp_path / "split", "atlas", "borea", "cinder", "delta")
    with opened(ledger, parts, (folder, None, None)) as (context, run):
        assert split_documents(context, run) == SplitCounts(train=2, held_out=2)
        rounds = split_of_rounds(context, run)
        context.session.writer_trainings.record(run.number, on=rounds.train, held_out=rounds.held_out)
    gone = rounds.held_out[0]
    ledger.withdrawals.withdraw([gone.id], actor="omar", reason="the owner asked")
    (folder / f"{gone.title}.md").unlink()
    with opened(ledger, parts, PLAIN) as (context, run):
        # What the rounds trained on never becomes what the writer is evaluated on.
        assert split_of_rounds(context, run).held_out == rounds.held_out[1:]
        counts = split_documents(context, run)
        assert counts.train + counts.held_out == 3
        anew = split_of_rounds(context, run)
        assert gone.id not in {one.id for one in (*anew.train, *anew.held_out)}


def test_a_training_whose_split_is_gone_is_not_evaluated_on_another(
    ledger: Ledger, parts: Workspace, tmp_path: Path
) -> None:
    folder = write(tmp_path / "split", "atlas", "borea")
    with (
        opened(ledger, parts, (folder, None, None)) as (context, run),
        pytest.raises(BadInput, match="the document split of run 1 is gone"),
    ):
        split_of_rounds(context, run)


def test_too_few_documents_leave_no_training_under_way(ledger: Ledger, parts: Workspace, tmp_path: Path) -> None:
    with opened(ledger, parts, (write(tmp_path / "split", "atlas"), None, None)) as (context, run):
        split = split_documents(context, run)
        assert not split.held_out
        outcome = too_few_documents(context, run, split.train)
    assert (outcome.ended, outcome.exit_code, outcome.run) == (Ended.NOTHING_NEW, 0, 1)
    failed = ledger.runs.get(1)
    assert (failed.state, failed.sentence) == (RunState.FAILED, outcome.sentence)
    assert "at least two are needed" in failed.sentence


def test_a_training_killed_while_registering_goes_on_without_its_folder(
    ledger: Ledger, parts: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.steps.ingestion.lost", lambda context, run: None)
    split = write(tmp_path / "split", "atlas", "borea")
    with opened(ledger, parts, (split, None, None)) as (context, run):
        context.session.candidates.intend(run.number, manifest_of(ledger.gate(context.session, run)))
    split.rename(tmp_path / "elsewhere")
    for asked in (PLAIN, (split, None, None)):
        with opened(ledger, parts, asked) as (_, again):
            assert (again.number, again.state, again.release) == (1, RunState.REGISTERING, 1)


def test_a_run_is_not_asked_for(ledger: Ledger) -> None:
    with ledger.session() as session:
        run = ledger.begin(session)
    assert (run.kind, run.asked) == (RunKind.NIGHTLY, None)


def test_the_documents_of_a_training_are_recorded_before_its_rounds(
    ledger: Ledger, parts: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.writer_training.train_writer", lambda *given: iter(()))
    with opened(ledger, parts, (write(tmp_path / "split", "atlas", "borea"), None, None)) as (context, run):
        assert split_documents(context, run) == SplitCounts(train=1, held_out=1)
        assert train_writer(context, run) is None
    known = [ledger.writer_trainings.about(record.id) for record in ledger.documents.listed()]
    assert sorted(known) == [((1, False),), ((1, True),)]
