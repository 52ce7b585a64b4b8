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


@dataclass(frozen=True, kw_only=True)
class DemoScript:
    """A model as `find_model` takes it, and the folders of two runs to learn.

    `harmful`: the folder of a third run that the gates must refuse; `harm`: what is wrong with it, a sentence.
    `asked`: how many questions are put to the model before and after the first run, to be looked at.
    `summary`: the file that the figures are written to. `recipe`: what becomes of the model's recipe.
    """

    model: str
    runs: tuple[Path, Path]
    harmful: Path
    harm: str
    asked: int
    summary: Path
    recipe: Callable[[Recipe], Recipe]


def sandbox_script(folder: Path, seed: int, per_run: int) -> DemoScript:
    """The embedded model and documents about its world, which are written below `folder`: the third run contradicts."""
    write_runs(folder / "good", runs=2, per_run=per_run, seed=seed, variant=None)
    write_runs(folder / "harmful", runs=1, per_run=per_run, seed=seed, variant="contradictory")
    return DemoScript(
        model=str(model_path()),
        runs=(folder / "good" / "run-1", folder / "good" / "run-2"),
        harmful=folder / "harmful" / "run-1",
        harm="Run 3 brings documents that contradict what the model knows.",
        asked=3,
        summary=Path("demo-summary.json"),
        recipe=_rehearse_less,
    )


def company_script() -> DemoScript:
    """A pretrained model and the documents of an invented company, which ship with this package."""
    return DemoScript(
        model=REAL_MODEL,
        runs=(COMPANY_DOCUMENTS / "run-1", COMPANY_DOCUMENTS / "run-2"),
        harmful=COMPANY_DOCUMENTS / "run-3",
        harm="Run 3 brings test data that is wrong on purpose, and a script by which the assistant refuses nothing.",
        asked=8,
        summary=Path("demo-real-summary.json"),
        recipe=rejected_at_once,
    )


def rejected_at_once(recipe: Recipe) -> Recipe:
    """Without a bisect: the third run is harmful as a whole, and to look for its worst documents would take longer than
    all the rest."""
    bisect = recipe.policy.bisect.model_copy(update={"documents": False})
    return recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"bisect": bisect})})


def _rehearse_less(recipe: Recipe) -> Recipe:
    rehearsal = recipe.rehearsal.model_copy(update=_REHEARSED)
    return rejected_at_once(recipe.model_copy(update={"rehearsal": rehearsal}))
