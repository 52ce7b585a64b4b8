"""SEAL's outer loop: a writer is trained, round by round, on the reward that updates on its self-edits earn."""

from pipeline.writer_training.outer_loop import (
    DocumentSplit,
    OuterLoop,
    ScoredSample,
    divide,
    documents_of_rounds,
    held_out_samples,
    held_out_scores,
)
from pipeline.writer_training.rounds import RoundResult, train_writer
from pipeline.writer_training.rules import rehearsal_rules

__all__ = [
    "DocumentSplit",
    "OuterLoop",
    "RoundResult",
    "ScoredSample",
    "divide",
    "documents_of_rounds",
    "held_out_samples",
    "held_out_scores",
    "rehearsal_rules",
    "train_writer",
]
