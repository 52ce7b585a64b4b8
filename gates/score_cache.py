"""Keeps what models were asked already: eval items one by one, tasks and plain text whole, under digests of all that
could change a score.

A question that stands in several suites, or in a smaller draw of one, is asked once. Knows no model and no lm-eval.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gates.suite import Suite
from pipeline.digests import digest_of
from pipeline.files import write_bytes
from pipeline.types import EvalItem, ItemScore

_EACH = "items"  # in place of a suite's digest: the file of the eval items, each under its own


@dataclass(frozen=True, kw_only=True)
class ScoreCache:
    """The scores of one model under certain settings, in files of `folder`.

    model: whatever tells it from every other, such as its id. settings: a digest.
    """

    folder: Path
    model: str
    settings: str

    def known(self, suite: Suite) -> Mapping[str, ItemScore]:
        """What is kept of the suite's items, by their ids: of tasks and plain text all or nothing."""
        if not suite.eval_items:
            return {item.item: item for _, item in self._read(suite.digest)}
        kept = dict(self._read(_EACH))
        found = ((item, kept.get(_key(suite, item))) for item in suite.eval_items)
        return {item.id: replace(score, item=item.id, group=item.group) for item, score in found if score is not None}

    def keep(self, suite: Suite, items: Iterable[ItemScore]) -> None:
        """Keeps the scores of the suite's items, or of some of its eval items."""
        if not suite.eval_items:
            self._write(suite.digest, [(item.item, item) for item in items])
            return
        asked = {item.id: _key(suite, item) for item in suite.eval_items}
        merged = dict(self._read(_EACH)) | {asked[item.item]: item for item in items}
        self._write(_EACH, sorted(merged.items()))

    def _read(self, what: str) -> list[tuple[str, ItemScore]]:
        """The scores kept under exactly this key; none where there is no file or it is damaged."""
        key = [self.model, what, self.settings]
        try:
            stored = json.loads(self._file(key).read_text(encoding="utf-8"))
            scores = [(k, ItemScore(item=i, score=float(s), answer=a, group=g)) for k, i, s, a, g in stored["items"]]
            return scores if stored["key"] == key and stored["digest"] == digest_of(stored["items"]) else []
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _write(self, what: str, scores: Sequence[tuple[str, ItemScore]]) -> None:
        key = [self.model, what, self.settings]
        items = [[name, one.item, one.score, one.answer, one.group] for name, one in scores]
        text = json.dumps({"key": key, "digest": digest_of(items), "items": items}, ensure_ascii=False)
        write_bytes(self._file(key), text.encode("utf-8", "replace"))

    def _file(self, key: Sequence[str]) -> Path:
        return self.folder / "scores" / f"{'-'.join(part[:24] for part in key)}.json"


def without(suite: Suite, known: Mapping[str, ItemScore]) -> Suite:
    """What of the suite is still to be asked: its other eval items, of a task or plain text the whole."""
    return replace(suite, eval_items=tuple(item for item in suite.eval_items if item.id not in known))


def _key(suite: Suite, item: EvalItem) -> str:
    """What decides how an item is asked and graded; its title may stand in the prompt, and is not in its id."""
    return digest_of("asked", suite.kind, item.id, item.title, *suite.sampling)
