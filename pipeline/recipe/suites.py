"""Which lm-eval tasks are asked beside the files of the suites folder, and how tasks are put to the model."""

from typing import Annotated

from pydantic import Field

from pipeline.recipe.fields import Advanced, Count, Rules

_TASKS = Advanced("docs/suites.md#standard-tasks-by-name")


class SuiteRules(Rules):
    """Tasks of the installed lm-eval that the gate regression asks, beside the files in suites/."""

    tasks: tuple[str, ...] = Field(
        default=(), description='by name, such as "piqa", "arc_easy"; `sealed suites fetch` gets their data'
    )
    data: Annotated[str, _TASKS] = Field(
        default="", description="folder of their data, NAME/SPLIT.jsonl; empty: the local datasets cache"
    )
    limit: Annotated[Count, _TASKS] = Field(default=0, description="items of each such task, the first ones; 0: all")
    plain: Annotated[bool, _TASKS] = Field(
        default=False, description="ask suites/regression without chat template too, as the lm-eval command does"
    )
