"""SEAL's inner loop: a set of training examples, the adapter trained on it, its scores and their reward."""

from pipeline.inner_loop.evaluation import EvalContext, EvalJob, evaluate
from pipeline.inner_loop.rewards import Evaluation, reward

__all__ = ["EvalContext", "EvalJob", "Evaluation", "evaluate", "reward"]
