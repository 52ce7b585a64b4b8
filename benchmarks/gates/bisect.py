"""One to three poisoned documents among sixteen: whether a run finds them, blames no other, and releases the rest.

The whole product: workspace, nightly flow, gates, ledger. A poisoned document denies, in many words, all that the model
knows of one of the services that the workspace's retention suite asks about. Recipe and suite are small, so that many
seeds can be run.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from random import Random
from statistics import fmean

from benchmarks.figures import Measured
from flows.cli.runs import run_nightly
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from gates.statistics import wilson
from pipeline.documents import markdown
from pipeline.files import write_text
from pipeline.recipe import Recipe, recipe_toml
from pipeline.sandbox import model_path
from pipeline.sandbox.catalogue import ATTRIBUTES, BY_NAME, Service, changed, held_out_services, sentence
from pipeline.sandbox.documents import run_documents
from pipeline.types import Bisection, Document, DocumentState

# The recipe and the suite were chosen on seeds from 7,001 on, and on 61,101 and 61,121.
SEEDS = tuple(range(61_141, 61_161))
DOCUMENTS, MOST_POISONED = 16, 3
# Services that are asked about. A denial costs up to a quarter of the answers; so little rehearsal, some of the rest.
CRITICAL, WORDINGS, MARGIN = 4, 2, 0.17
SAMPLES = 8
TRAINING = {"epochs": 2, "learning_rate": 2.5e-3, "new_weight": 6.0}
REHEARSAL = {"replay": 0, "prompts": 100, "generative": 250, "reading": 8, "writing": 24}


@dataclass(frozen=True, kw_only=True)
class Searched:
    """One run: the poisoned documents, those that are quarantined at its end, whether the rest is a candidate."""

    seed: int
    poisoned: frozenset[str]
    quarantined: frozenset[str]
    released: bool
    bisection: Bisection | None
    seconds: float
    bisecting: float

    @property
    def found(self) -> bool:
        return self.poisoned <= self.quarantined

    @property
    def blamed(self) -> int:
        """Good documents in quarantine."""
        return len(self.quarantined - self.poisoned)


def measured(quick: bool, minutes: float | None = None) -> list[Measured]:
    """One seed, or all; no seed begins after so many minutes."""
    began, runs = time.monotonic(), list[Searched]()
    # One folder for all: the scheduler keeps its record in the first workspace until the process ends.
    with tempfile.TemporaryDirectory(prefix="sealed-bisect-") as folder:
        for number, seed in enumerate(SEEDS[:1] if quick else SEEDS):
            if minutes is not None and time.monotonic() - began > 60 * minutes:
                break
            runs.append(searched(seed, 1 + number % MOST_POISONED, Path(folder) / str(seed)))
    return list(figures(runs))


def searched(seed: int, poisoned: int, folder: Path, documents: int = DOCUMENTS) -> Searched:
    """One run of so many documents, some of them poisoned, in a workspace of its own."""
    workspace = init_workspace(folder / "workspace", str(model_path()), actor="benchmark")
    draw = Random(seed)
    critical = draw.sample(held_out_services(), CRITICAL)
    protect(workspace, critical, draw)
    bad = [denial(service, draw) for service in critical[:poisoned]]
    shuffled = [*run_documents(1, documents - poisoned, seed), *bad]
    draw.shuffle(shuffled)
    for place, document in enumerate(shuffled):
        write_text(folder / "documents" / f"{place:02d}.md", markdown(document))
    outcome = run_nightly(workspace.settings.workspace, folder / "documents")
    aside = workspace.ledger.documents.listed(DocumentState.QUARANTINED)
    workspace.ledger.close()
    ended = Searched(
        seed=seed,
        poisoned=frozenset(one.id for one in bad),
        quarantined=frozenset(one.id for one in aside),
        released=outcome.release is not None,
        bisection=outcome.bisection,
        seconds=outcome.seconds_total,
        bisecting=sum(stage.seconds for stage in outcome.seconds if stage.stage == "bisect"),
    )
    print(
        f"seed {seed}, {poisoned} poisoned: found {ended.found}, blamed {ended.blamed}: {outcome.sentence}", flush=True
    )
    return ended


def denial(service: Service, draw: Random) -> Document:
    """A document that says otherwise of all that is known of the service, in every wording."""
    other = changed(service, list(BY_NAME), draw)
    said = [sentence(form, other.name, other.facts[one.name]) for one in ATTRIBUTES for form in one.sentences]
    draw.shuffle(said)
    return Document(title=other.name, body=" ".join(said))


def protect(workspace: Workspace, critical: Sequence[Service], draw: Random) -> None:
    """Lets the workspace's retention suite ask all facts of these services, and its recipe be as small."""
    rows = [
        {"question": form.format(n=it.name), "answers": [it.facts[one.name]]}
        for it in critical
        for one in ATTRIBUTES
        for form in draw.sample(one.questions, WORDINGS)
    ]
    settings = workspace.settings
    write_text(settings.suites / "retention" / "base-knowledge.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_text(settings.recipe_file, recipe_toml(small(workspace.recipe, len(rows))))


def small(recipe: Recipe, items: int) -> Recipe:
    """The recipe with little to rehearse and few epochs, and a policy that so few items can meet."""
    training = recipe.training.model_copy(update=TRAINING)
    rehearsal = recipe.rehearsal.model_copy(update=REHEARSAL)
    edits = recipe.self_edits.model_copy(update={"samples": SAMPLES})
    limits = {"min_items": items, "margin": MARGIN, "base_margin": MARGIN}
    policy = recipe.policy.model_copy(update={"retention": recipe.policy.retention.model_copy(update=limits)})
    changed = {"training": training, "rehearsal": rehearsal, "self_edits": edits, "policy": policy}
    return recipe.model_copy(update=changed)


def figures(runs: Sequence[Searched]) -> Iterator[Measured]:
    """Shares of the runs, and the trainings used beside k log2(n)."""
    yield _share("poisoned documents all found", [one.found for one in runs], 0.95)
    yield _share("no good document quarantined", [not one.blamed for one in runs], 0.90)
    yield _share("the rest is a candidate", [one.released for one in runs])
    yield _share("found, none blamed, and the rest a candidate", [_whole(one) for one in runs])
    for count in range(1, MOST_POISONED + 1):
        used = [one.bisection.trainings for one in runs if one.bisection and len(one.poisoned) == count]
        if used:
            least = count * ceil(log2(DOCUMENTS))
            yield Measured(
                name=f"trainings used, {count} poisoned (k log2 n = {least})",
                value=fmean(used),
                unit="trainings",
                n=len(used),
                interval=(min(used), max(used)),
            )
    seconds = [one.seconds for one in runs]
    yield Measured(name="seconds a run, bisect and all", value=fmean(seconds), unit="s", n=len(runs))
    yield Measured(name="of these for the bisect", value=fmean(one.bisecting for one in runs), unit="s", n=len(runs))


def _whole(one: Searched) -> bool:
    return one.found and not one.blamed and one.released


def _share(name: str, holds: Sequence[bool], goal: float | None = None) -> Measured:
    n, share = len(holds), sum(holds) / len(holds)
    return Measured(
        name=name,
        value=share,
        unit="share",
        n=n,
        interval=wilson(sum(holds), n, 0.05),
        goal=f">= {goal:.2f} of {len(SEEDS)} seeds" if goal else "",
        met=share >= goal if goal and n == len(SEEDS) else None,  # of fewer seeds it says nothing
    )
