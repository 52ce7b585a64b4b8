"""Which lm-eval tasks are asked beside the files of the suites folder, and how tasks are put to the model."""

from pydantic import Field

from pipeline.recipe.fields import Count, Rules


class SuiteRules(Rules):
    """Tasks of the installed lm-eval that the gate regression asks, beside the files in suites/."""

    tasks: tuple[str, ...] = Field(
        default=(), description='by name, such as "piqa", "arc_easy"; `sealed suites fetch` gets their data'
    )
    data: str = Field(
        default="", description="folder of their data, NAME/SPLIT.jsonl or .parquet; empty: the local datasets cache"
    )
    limit: Count = Field(default=0, description="items of each such task, the first ones; 0: all")
    plain: bool = Field(
        default=False, description="ask suites/regression without chat template too, as the lm-eval command does"
    )
