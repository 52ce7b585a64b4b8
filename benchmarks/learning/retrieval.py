"""Finds the passages that a question's words point to, by BM25 (library bm25s). Knows no model."""

from collections.abc import Sequence

import bm25s


class Shelf:
    """Passages indexed once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = list(texts)
        self._index = bm25s.BM25()
        self._index.index(bm25s.tokenize(self._texts, show_progress=False), show_progress=False)

    def best(self, questions: Sequence[str], count: int) -> list[tuple[str, ...]]:
        """Each question's `count` passages, the best first (all of them where there are fewer)."""
        words = bm25s.tokenize(list(questions), show_progress=False)
        found, _ = self._index.retrieve(words, k=min(count, len(self._texts)), show_progress=False)
        return [tuple(self._texts[place] for place in places) for places in found.tolist()]
