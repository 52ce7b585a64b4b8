"""What the benchmarks of writer training share: the embedded base, its recipe with small adapters, and documents.

Documents that the writer is trained on put all their questions as validation items, since no test ever asks them.
"""

from dataclasses import replace
from pathlib import Path

from pipeline.engines.base import BaseModel
from pipeline.engines.local import LocalEngine
from pipeline.leakage import TrainingGuard
from pipeline.recipe import DirectiveRules, Recipe, WriterTrainingRules
from pipeline.sandbox import model_path
from pipeline.sandbox.catalogue import ATTRIBUTES, PER_RUN, new_service
from pipeline.sandbox.documents import run_documents
from pipeline.sandbox.workflows import HELD_OUT, MARKS, Workflow
from pipeline.types import Checkpoint, Document, EvalItem, ModelRef, Split
from pipeline.updates.generative_replay import write_generative
from pipeline.writer_training import OuterLoop

REHEARSED = 100


def fact_rules(*, rounds: int, documents: int, samples: int) -> WriterTrainingRules:
    """How ReST-EM trains the style "implications" on the embedded model; chosen on seeds 1001 to 1003."""
    return WriterTrainingRules(
        rounds=rounds,
        documents=documents,
        samples=samples,
        keep=3,
        top_share=0.25,
        learning_rate=5e-3,
        epochs=16,
        batch_size=16,
        length_penalty=0.0,
    )


def recipe_for(rules: WriterTrainingRules, seed: int, directives: DirectiveRules | None = None) -> Recipe:
    """The embedded model's recipe with small adapters, without the document's text but for directives."""
    recipe = Recipe.read(model_path() / "sealed" / "recipe.toml")
    changed = {
        "seed": seed,
        "writer_training": rules,
        "directives": directives or DirectiveRules(),
        "training": recipe.training.model_copy(update={"rank": 32, "alpha": 32}),
        "self_edits": recipe.self_edits.model_copy(update={"passage": directives is not None, "edit_set_batch": 2}),
    }
    return recipe.model_copy(update=changed)


def outer_loop(base: BaseModel, recipe: Recipe, scratch: Path) -> OuterLoop:
    """From the base model, with generative rehearsal and without a ledger."""
    return OuterLoop(
        base=base,
        recipe=recipe,
        production=Checkpoint(ModelRef(base=base.identity.model)),
        scratch=scratch,
        guard=TrainingGuard(),
        rehearsal=write_generative(LocalEngine(base), REHEARSED, recipe.seed, scratch / "teacher"),
    )


def asked_all(document: Document) -> Document:
    """The document with all the questions that it brings as validation questions."""
    return replace(
        document, eval_items=tuple(replace(eval_item, split=Split.VALIDATION) for eval_item in document.eval_items)
    )


def workflow_halves(seed: int) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """A seed's workflows in two halves that share no composition: to train on, and to report on."""
    documents = run_documents(1, PER_RUN, seed, "workflows")
    trained = set(HELD_OUT[::2])
    made = [(document, composition(document)) for document in documents]
    return (
        tuple(document for document, operations in made if operations in trained),
        tuple(document for document, operations in made if operations not in trained),
    )


def composition(document: Document) -> tuple[str, ...]:
    """The first held-out composition that makes what the document demonstrates. Raises ValueError where none does."""
    pairs = [
        (tuple(given.split()), tuple(made.split())) for given, made in map(_demonstrated, document.body.splitlines())
    ]
    for operations in HELD_OUT:
        for mark in MARKS:
            task = Workflow(document.title, operations, mark)
            if all(task.apply(given) == made for given, made in pairs):
                return operations
    raise ValueError(f"{document.title} demonstrates no held-out composition")


def _demonstrated(line: str) -> tuple[str, str]:
    given, made = line.split(" -> ")
    return given, made


def training_documents(seed: int, count: int) -> tuple[Document, ...]:
    """Documents to train a writer on, with every question that can be put about them as a validation question."""
    return tuple(
        replace(document, eval_items=_every_question(seed, index))
        for index, document in enumerate(run_documents(1, count, seed))
    )


def _every_question(seed: int, index: int) -> tuple[EvalItem, ...]:
    service = new_service(seed, 1, index)
    return tuple(
        EvalItem(
            question=form.format(n=service.name),
            answers=(service.facts[attribute.name],),
            split=Split.VALIDATION,
            group=service.name,
        )
        for attribute in ATTRIBUTES
        for form in attribute.questions
    )
