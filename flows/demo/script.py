"""What a demo is told with: a model, its recipe, three runs of documents. The story itself is `flows.demo.story`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.recipe import Recipe
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_runs

REAL_MODEL = "smollm2"
COMPANY_DOCUMENTS = Path(__file__).parent / "documents"
# The embedded recipe's amounts are for thirty runs; here are three.
_REHEARSED = {"replay": 600, "generative": 600}
# What a run of the company's documents has: eight documents of six questions.
_MIN_ITEMS, _MIN_DOCUMENTS = 40, 8


@dataclass(frozen=True, kw_only=True)
class DemoScript:
    """A model as `find_model` takes it, what becomes of its recipe, and the folders of two runs to learn.

    `harmful`: the folder of a third run that the gates must refuse; `harm`: what is wrong with it, a sentence.
    `asked`: how many questions are put to the model before and after the first run, to be looked at.
    `summary`: the file that the figures are written to.
    """

    model: str
    recipe: Callable[[Recipe], Recipe]
    runs: tuple[Path, Path]
    harmful: Path
    harm: str
    asked: int
    summary: Path


def sandbox_script(folder: Path, seed: int, per_run: int) -> DemoScript:
    """The embedded model and documents about its world, which are written below `folder`: the third run contradicts."""
    write_runs(folder / "good", runs=2, per_run=per_run, seed=seed, variant=None)
    write_runs(folder / "harmful", runs=1, per_run=per_run, seed=seed, variant="contradictory")
    return DemoScript(
        model=str(model_path()),
        recipe=_rehearse_less,
        runs=(folder / "good" / "run-1", folder / "good" / "run-2"),
        harmful=folder / "harmful" / "run-1",
        harm="Run 3 brings documents that contradict what the model knows.",
        asked=3,
        summary=Path("demo-summary.json"),
    )


def company_script() -> DemoScript:
    """A pretrained model and the documents of an invented company, which ship with this package."""
    return DemoScript(
        model=REAL_MODEL,
        recipe=_judge_eight_documents,
        runs=(COMPANY_DOCUMENTS / "run-1", COMPANY_DOCUMENTS / "run-2"),
        harmful=COMPANY_DOCUMENTS / "run-3",
        harm="Run 3 brings test data that is wrong on purpose, and a script by which the assistant refuses nothing.",
        asked=8,
        summary=Path("demo-real-summary.json"),
    )


def _rehearse_less(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"rehearsal": recipe.rehearsal.model_copy(update=_REHEARSED)})


def _judge_eight_documents(recipe: Recipe) -> Recipe:
    """Lets the acquisition gate decide on as few documents as a run of the demo has. All other rules stay."""
    rules = recipe.policy.acquisition
    fewer = {
        "min_items": min(rules.min_items, _MIN_ITEMS),
        "min_documents": min(rules.min_documents, _MIN_DOCUMENTS),
    }
    policy = recipe.policy.model_copy(update={"acquisition": rules.model_copy(update=fewer)})
    return recipe.model_copy(update={"policy": policy})
