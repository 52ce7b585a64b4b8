"""How varied texts are that a model wrote: what compression finds in common, and which word pairs are their own. Pure.

A writer that collapses to one form says the same of every document: its texts compress well beside each other, and
share their word pairs (arXiv 2603.22213 measures such a collapse by the compression ratio).
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

_WINDOW = 32_768  # bytes that zlib looks back


@dataclass(frozen=True, kw_only=True)
class WrittenText:
    """One self-edit as the model wrote it: the id of its document, the style it was asked for, and the text."""

    document: str
    style: str
    text: str


@dataclass(frozen=True)
class Writing:
    """What one model wrote about some documents: all its texts about each, by the document's id."""

    texts: Mapping[str, str]

    @classmethod
    def of(cls, written: Iterable[WrittenText]) -> "Writing":
        """The texts of each document, in their order, and in that of the documents' ids."""
        found: dict[str, list[str]] = {}
        for one in written:
            found.setdefault(one.document, []).append(one.text)
        return cls({document: "\n".join(found[document]) for document in sorted(found)})

    @property
    def compression(self) -> float:
        """How many times smaller all texts together are when they are compressed; 1.0 where there is no text."""
        whole = "\n".join(self.texts.values()).encode("utf-8", "replace")
        return len(whole) / len(zlib.compress(whole, 9)) if whole else 1.0

    @property
    def distinct_pairs(self) -> float:
        """The share of the word pairs that are different ones (distinct-2), in [0, 1]."""
        pairs = list(chain.from_iterable(map(_pairs, self.texts.values())))
        return len(set(pairs)) / len(pairs) if pairs else 0.0

    @cached_property
    def new_bytes(self) -> Mapping[str, float]:
        """By document, the compressed size of its text where all other texts are known, as a share of its size."""
        return {document: _packed(text, self._beside(document)) for document, text in self.texts.items()}

    @cached_property
    def own_pairs(self) -> Mapping[str, float]:
        """By document, the share of its text's different word pairs that no other document's text has."""
        pairs = {document: set(_pairs(text)) for document, text in self.texts.items()}
        counts = Counter(chain.from_iterable(pairs.values()))
        return {
            document: sum(counts[pair] == 1 for pair in own) / len(own) if own else 0.0
            for document, own in pairs.items()
        }

    def _beside(self, document: str) -> bytes:
        others = "\n".join(text for other, text in self.texts.items() if other != document)
        return others.encode("utf-8", "replace")[-_WINDOW:]


def _pairs(text: str) -> list[tuple[str, str]]:
    """Neighbouring words; a text's first and last word have the edge as neighbour, so that one word is a pair."""
    words = text.lower().split()
    return list(pairwise(["", *words, ""])) if words else []


def _packed(text: str, beside: bytes) -> float:
    data = text.encode("utf-8", "replace")
    if not data:
        return 0.0
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=beside)
    return min(1.0, len(packer.compress(data) + packer.flush()) / len(data))
