"""Keeps measured scores on disk under digests of model, suite and settings. Knows nothing of how they came about."""

import json
from pathlib import Path

from gates.suite import Suite
from pipeline.digests import digest_of
from pipeline.files import write_bytes
from pipeline.types import ItemScore, ModelRef, Scores


def load(folder: Path, model: ModelRef, suite: Suite, settings: str) -> Scores | None:
    """The scores kept for exactly this model, suite and settings; None where there are none or the file is damaged."""
    try:
        kept = json.loads(_file(folder, model, suite, settings).read_text(encoding="utf-8"))
        items = tuple(ItemScore(item=i, score=float(s), answer=a, group=g) for i, s, a, g in kept["items"])
        sound = kept["key"] == _key(model, suite, settings) and kept["digest"] == digest_of(kept["items"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Scores(model=model, suite=suite.name, items=items) if sound else None


def save(folder: Path, scores: Scores, suite: Suite, settings: str) -> None:
    """Keeps the scores: a reader finds the whole file or none."""
    items = [[item.item, item.score, item.answer, item.group] for item in scores.items]
    key = _key(scores.model, suite, settings)
    text = json.dumps({"key": key, "digest": digest_of(items), "items": items}, ensure_ascii=False)
    write_bytes(_file(folder, scores.model, suite, settings), text.encode("utf-8", "replace"))


def _key(model: ModelRef, suite: Suite, settings: str) -> list[str]:
    return [model.id, suite.digest, settings]


def _file(folder: Path, model: ModelRef, suite: Suite, settings: str) -> Path:
    return folder / "scores" / f"{'-'.join(part[:24] for part in _key(model, suite, settings))}.json"
