"""What the deployed model writes about documents, and what of it is kept."""

from pipeline.self_edits.context import WriterContext, self_edit_budget
from pipeline.self_edits.directives import Directed, direct, directed_rules, directs, follow_directives
from pipeline.self_edits.edit_sets import common, edit_sets_of, kept, training_data, validation_items
from pipeline.self_edits.eval_items import names_subject, write_items
from pipeline.self_edits.screening import select
from pipeline.self_edits.writer import sample_self_edits, write_self_edits

__all__ = [
    "Directed",
    "WriterContext",
    "common",
    "direct",
    "directed_rules",
    "directs",
    "edit_sets_of",
    "follow_directives",
    "kept",
    "names_subject",
    "sample_self_edits",
    "select",
    "self_edit_budget",
    "training_data",
    "validation_items",
    "write_items",
    "write_self_edits",
]
