"""Says which examples fit into a training's longest sequence. Knows no training."""

from collections.abc import Callable

from pipeline.engines.engine import Engine
from pipeline.engines.limits import template_tokens
from pipeline.recipe import TrainingRules
from pipeline.types import Example


def fits_context(engine: Engine, rules: TrainingRules) -> Callable[[Example], bool]:
    """Whether an example, framed by the template, is no longer than a sequence of these rules may be."""
    limit = min(rules.max_tokens or engine.context, engine.context) - template_tokens(engine)
    return lambda example: engine.token_count(example.prompt) + engine.token_count(example.completion) <= limit
