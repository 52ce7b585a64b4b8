"""Grades free-text answers against accepted ones, by rules and not by a model. Knows no eval item and no suite."""

from pipeline.grading.assertion import Refusal
from pipeline.grading.judgement import Judgement, judge
from pipeline.grading.normalisation import YES_OR_NO, first_line, mentions, normalise, spelled
from pipeline.grading.scores import AnswerScores, exact_match, extract, grade, grade_opening, score, token_f1

GRADER = "answers-3"  # names the rules by which stored scores were made: a change of the rules changes it

__all__ = [
    "GRADER",
    "YES_OR_NO",
    "AnswerScores",
    "Judgement",
    "Refusal",
    "exact_match",
    "extract",
    "first_line",
    "grade",
    "grade_opening",
    "judge",
    "mentions",
    "normalise",
    "score",
    "spelled",
    "token_f1",
]
