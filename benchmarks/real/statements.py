"""What a real model writes with and without few-shot prompts, and what its own likelihood tells of statements.

Usage: python -m benchmarks.real.statements --data squad_passages.json [--model smollm2] [--passages 24] [--written 8]

The margin is fitted on the titles that recipes are chosen on, so that nine true statements of ten stay; all else is of
the others. A true statement is a human question with its answer, a false one has another answer of its passage, a
foreign one is about another passage.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.figures import Measured, write_results
from benchmarks.real.arms import AS_WRITTEN, context_of
from benchmarks.real.passages import document_of, halves, usable
from benchmarks.real.setting import Setting, read_setting
from benchmarks.real.writing import judged
from pipeline.leakage import UNGUARDED
from pipeline.self_edits import write_self_edits
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.entailment import support
from pipeline.types import Checkpoint, Document, ModelRef

SEED = 73_001
STAYS = 0.9  # of the true statements that the margin is fitted on
_OF_A_PASSAGE = 4
_STYLES = ("implications", "self-qa")


@dataclass(frozen=True, kw_only=True)
class Supports:
    """Nats a token by which documents make statements likelier."""

    true: tuple[float, ...]
    false: tuple[float, ...]
    foreign: tuple[float, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--passages", type=int, default=24, help="of each half of the titles")
    parser.add_argument("--written", type=int, default=8, help="passages that self-edits are written about")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    setting, drawn = read_setting(options.model), _drawn(options.data, options.passages)
    chosen, reported = (_supports(_context(setting), documents) for documents in drawn)
    margin = sorted(chosen.true)[int((1 - STAYS) * len(chosen.true))]
    figures = [*_entailment(margin, reported), *_few_shot(setting, drawn[1][: options.written])]
    write_results("real.statements", figures, options.out)


def _drawn(data: Path, count: int) -> list[list[Document]]:
    """So many passages of the titles that are chosen on, and of those that are reported on."""
    passages, draw = json.loads(data.read_text(encoding="utf-8")), Random(SEED)
    found = []
    for titles in halves(passages):
        each = [(title, usable(passages, title)) for title in titles]
        some = [one for _, own in each for one in draw.sample(own, min(3, len(own)))]
        found.append([document_of(one) for one in draw.sample(some, min(count, len(some)))])
    return found


def _context(setting: Setting, **rules: object) -> WriterContext:
    changed = setting.recipe.self_edits.model_copy(update=rules)
    return context_of(
        setting.base, setting.recipe, changed, UNGUARDED, Checkpoint(ModelRef(base=setting.base.identity.model))
    )


def _supports(context: WriterContext, documents: Sequence[Document]) -> Supports:
    draw, true, false, foreign = Random(SEED), list[float](), list[float](), list[float]()
    for place, document in enumerate(documents):
        told = [(item.question, item.answers[0]) for item in document.eval_items[:_OF_A_PASSAGE]]
        others = [draw.choice([answer for _, answer in told if answer != own] or ["nobody"]) for _, own in told]
        right = [f"{question} {answer}." for question, answer in told]
        true += support(context, document, right)
        false += support(context, document, [f"{one} {other}." for (one, _), other in zip(told, others, strict=True)])
        foreign += support(context, documents[(place + 1) % len(documents)], right)
    return Supports(true=tuple(true), false=tuple(false), foreign=tuple(foreign))


def _entailment(margin: float, found: Supports) -> Iterator[Measured]:
    yield Measured(name="margin that keeps nine of ten true statements", value=margin, unit="nats a token")
    for name, values in (("true", found.true), ("of a false answer", found.false), ("foreign", found.foreign)):
        kept = sum(one >= margin for one in values) / len(values)
        yield Measured(name=f"kept of statements: {name}", value=kept, unit="share", n=len(values))
    for name, values in (("a false answer", found.false), ("another passage", found.foreign)):
        yield Measured(name=f"AUC, true against {name}", value=_auc(found.true, values), unit="share")


def _auc(true: Sequence[float], other: Sequence[float]) -> float:
    """How often a true statement has more support than another: the area under the ROC curve."""
    return sum((one > two) + (one == two) / 2 for one in true for two in other) / (len(true) * len(other))


def _few_shot(setting: Setting, documents: Sequence[Document]) -> Iterator[Measured]:
    for style in _STYLES:
        for few_shot in (False, True):
            rules = {**AS_WRITTEN, "styles": (style,), "few_shot": few_shot}
            written = write_self_edits(_context(setting, **rules), documents)
            scores = judged(documents, written.edits, written.dropped)
            name = f"{style}, {'few-shot' if few_shot else 'zero-shot'}"
            yield Measured(name=f"{name}: examples", value=sum(scores.examples), unit="examples", n=len(documents))
            yield Measured(name=f"{name}: kept of what was written", value=scores.kept, unit="share")
            if scores.true:
                value = sum(scores.true) / len(scores.true)
                yield Measured(
                    name=f"{name}: right of what a human asks too", value=value, unit="share", n=len(scores.true)
                )
            covered = sum(scores.covered) / len(scores.covered)
            yield Measured(
                name=f"{name}: answers to human questions in it", value=covered, unit="share", n=len(scores.covered)
            )


if __name__ == "__main__":
    main()
