"""What choosing among edit sets is worth, what keeping validation questions out costs, what tools add to workflows.

Each arm trains one adapter on what is kept of a run of documents, from the base and without rehearsal, by the
embedded model's recipe in steps of four sequences, and asks it the test. Differences are paired by document.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean

from benchmarks.figures import Measured, write_results
from gates.evidence import held_out_items
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.inner_loop import EvalContext
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import DirectiveRules, Recipe
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.self_edits import WriterContext, direct, kept, validation_items, write_self_edits
from pipeline.self_edits.best_of_n import select_edit_sets
from pipeline.training import TrainingJob, score_many, train_many
from pipeline.types import Checkpoint, Document, Example, ModelRef, SelfEdit

SEEDS = (60_041, 60_042, 60_043, 60_044)  # of no test, demo or choice of a default
SAMPLES = 3
K = 4
ANSWER_TOKENS = 16
TOOLS = ("leave-one-out", "permute")
ONE, OUT, BEST = "one edit set", "one edit set, validation questions kept out", f"best of {K} edit sets"
CONTEXT, NOTES, TOOLED = "in context alone", "its notes", "its notes and tools"

Scores = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, four documents")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seeds, size = (SEEDS[:1], 4) if options.quick else (SEEDS, 8)
    base = load_base(str(model_path()), device="cpu")
    facts: dict[str, Scores] = {ONE: {}, OUT: {}, BEST: {}}
    workflows: dict[str, Scores] = {CONTEXT: {}, NOTES: {}, TOOLED: {}}
    for seed in seeds:
        for name, scores in (*_facts(base, seed, size), *_workflows(base, seed, size)):
            (facts if name in facts else workflows)[name] |= scores
            print(f"seed {seed}, {name}: {fmean(scores.values()):.3f}", flush=True)
    write_results("choosing", [*_figures("facts", facts), *_figures("workflows", workflows)], options.out)


def _facts(base: BaseModel, seed: int, size: int) -> Iterator[tuple[str, Scores]]:
    documents = run_documents(1, size, seed)
    held_out = held_out_keys(held_out_items(documents))
    never = held_out | held_out_keys(eval_item for document in documents for eval_item in validation_items(document))
    for name, edit_sets, kept_out in ((ONE, 1, held_out), (OUT, 1, never), (BEST, K, never)):
        recipe = _recipe(seed, edit_sets)
        edits = _written(base, documents, recipe, kept_out)
        if edit_sets > 1:
            context = EvalContext(base=base, recipe=recipe, start=Checkpoint(ModelRef(base=base.identity.model)))
            edits = kept(edits, select_edit_sets(context, documents, edits, guard=TrainingGuard()))
        yield name, _learned(base, documents, [one for edit in edits for one in edit.examples], recipe)


def _workflows(base: BaseModel, seed: int, size: int) -> Iterator[tuple[str, Scores]]:
    documents, recipe = run_documents(1, size, seed, "workflows"), _recipe(seed, 1)
    eval_items = held_out_items(documents)
    answers = LocalEngine(base).generate(
        [eval_item.question for eval_item in eval_items], SamplingParams(max_new_tokens=ANSWER_TOKENS), adapter=None
    )
    right = [
        grade(answer, eval_item.answers, eval_item.question)
        for eval_item, (answer,) in zip(eval_items, answers, strict=True)
    ]
    yield CONTEXT, _by_document(documents, right)
    never = held_out_keys(eval_items)
    edits = _written(base, documents, recipe, never)
    for name, tools in ((NOTES, ()), (TOOLED, TOOLS)):
        rules = DirectiveRules(workflow_tools=tools)
        examples = [
            example
            for document in documents
            for example in direct(
                document,
                [edit for edit in edits if edit.document == document.id],
                rules,
                seed=seed,
                guard=TrainingGuard(questions=never),
            ).examples
        ]
        yield name, _learned(base, documents, examples, recipe)


def _recipe(seed: int, edit_sets: int) -> Recipe:
    recipe = Recipe.read(model_path() / "sealed" / "recipe.toml")
    rules = recipe.self_edits.model_copy(update={"samples": SAMPLES, "edit_sets": edit_sets})
    training = recipe.training.model_copy(update={"batch_size": rules.edit_set_batch})
    return recipe.model_copy(update={"seed": seed, "self_edits": rules, "training": training})


def _written(
    base: BaseModel, documents: Sequence[Document], recipe: Recipe, never: frozenset[str]
) -> tuple[SelfEdit, ...]:
    context = WriterContext(
        engine=LocalEngine(base),
        rules=recipe.self_edits,
        writer=Checkpoint(ModelRef(base=base.identity.model)),
        seed=recipe.seed,
        guard=TrainingGuard(questions=never),
    )
    return write_self_edits(context, documents).edits


def _learned(base: BaseModel, documents: Sequence[Document], examples: Sequence[Example], recipe: Recipe) -> Scores:
    """Each document's share of test questions that an adapter trained on the examples answers."""
    distinct = tuple({example.id: example for example in examples}.values())
    (learned,) = train_many(base, [TrainingJob(examples=distinct, rules=recipe.training, seed=recipe.seed)])
    eval_items = held_out_items(documents)
    (right,) = score_many(base, [learned.tensors], [eval_items], recipe.training, max_new_tokens=ANSWER_TOKENS)
    return _by_document(documents, right)


def _by_document(documents: Sequence[Document], right: Sequence[float]) -> Scores:
    scores, rest = {}, iter(right)
    for document in documents:
        scores[document.id] = fmean(next(rest) for _ in held_out_items([document]))
    return scores


def _figures(kind: str, arms: dict[str, Scores]) -> Iterator[Measured]:
    for name, scores in arms.items():
        yield Measured(name=f"{kind}: {name}", value=fmean(scores.values()), unit="share", n=len(scores))
    names = list(arms)
    for before, after in pairwise(names):
        changes = [arms[after][document] - arms[before][document] for document in arms[before]]
        yield Measured(
            name=f"{kind}: {after}, over {before}",
            value=100 * fmean(changes),
            unit="points",
            n=len(changes),
            interval=_bootstrapped(changes),
        )


def _bootstrapped(changes: Sequence[float]) -> tuple[float, float]:
    """95 % of the mean change in points, by resampling documents."""
    draw = Random(0)
    means = sorted(100 * fmean(draw.choices(changes, k=len(changes))) for _ in range(2000))
    return means[50], means[-51]


if __name__ == "__main__":
    main()
