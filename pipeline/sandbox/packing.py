"""Packs lessons into rows of one length for the model, each lesson seeing itself alone. Knows no lesson's content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding
from transformers import PreTrainedTokenizerFast

from pipeline.sandbox.lessons import Branch, Lesson
from pipeline.sandbox.tokens import ASSISTANT, END

STUB = "x"  # stands before a branch so that it is cut into tokens as it is after its document; taken off again


@dataclass(frozen=True)
class Piece:
    """A lesson in tokens. `branch` 0 is the beginning; `previous` is the place that predicts a token, or -1."""

    kind: str
    ids: list[int]
    branch: list[int]
    position: list[int]
    previous: list[int]
    weight: list[float]
    answer: list[bool]


@dataclass(frozen=True)
class Rows:
    """Arrays (rows, length): tokens, positions, lesson and branch of each; and the targets, one entry each."""

    ids: np.ndarray
    position: np.ndarray
    lesson: np.ndarray
    branch: np.ndarray
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    kinds: list[tuple[str, bool]]


def pieces(tokenizer: PreTrainedTokenizerFast, lessons: Sequence[Lesson]) -> list[Piece]:
    """Lessons cut into tokens, all in one go."""
    texts: list[str] = []
    for one in lessons:
        texts.append(one.beginning)
        for branch in one.branches:
            texts += [f"{STUB}{branch.user}" if _inside(branch) else branch.user, branch.model]
    encoded = iter(tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False))
    close = [tokenizer.convert_tokens_to_ids(token) for token in (END, ASSISTANT)]
    return [_piece(one, encoded, close) for one in lessons]


def _inside(branch: Branch) -> bool:
    """Whether the user's words go on where a document ends, and do not open the turn."""
    return branch.user.startswith("\n")


def _piece(one: Lesson, encoded: "Iterator[Encoding]", close: list[int]) -> Piece:
    start = list(next(encoded).ids)
    size = len(start)
    piece = Piece(one.kind, start, [0] * size, list(range(size)), list(range(-1, size - 1)), [one.weight] * size,
                  [False] * size)  # fmt: skip
    for number, branch in enumerate(one.branches, start=1):
        user, model = list(next(encoded).ids)[_inside(branch) :], list(next(encoded).ids)
        asked = [*user, *close] if one.beginning else []
        added = [*asked, *model, close[0]]
        at = len(piece.ids)
        piece.ids.extend(added)
        piece.branch.extend([number] * len(added))
        piece.position.extend(range(size, size + len(added)))
        piece.previous.extend([size - 1, *range(at, at + len(added) - 1)])
        free = max(len(asked) - 1, 0)
        piece.weight.extend([branch.asked] * free + [0.0] * (len(asked) - free))
        piece.weight.extend([branch.answered] * (len(added) - len(asked)))
        piece.answer.extend([False] * len(asked) + [True] * (len(added) - len(asked)))
    return piece


def pack(found: Sequence[Piece], rows: int, length: int) -> Rows:
    """First fit, longest first; what no longer fits is left out (make a little more than fits)."""
    free = [length] * rows
    placed: list[list[Piece]] = [[] for _ in range(rows)]
    for piece in sorted(found, key=lambda piece: -len(piece.ids)):
        row = next((row for row in range(rows) if free[row] >= len(piece.ids)), None)
        if row is not None:
            placed[row].append(piece)
            free[row] -= len(piece.ids)
    return _arrays(placed, rows, length)


def _arrays(placed: list[list[Piece]], rows: int, length: int) -> Rows:
    ids, position, branch = (np.zeros((rows, length), dtype=np.int64) for _ in range(3))
    lesson = np.full((rows, length), -1, dtype=np.int64)
    source: list[int] = []
    target: list[int] = []
    weight: list[float] = []
    kinds: list[tuple[str, bool]] = []
    for row, pieces_here in enumerate(placed):
        at = 0
        for number, piece in enumerate(pieces_here):
            here = slice(at, at + len(piece.ids))
            ids[row, here], position[row, here], branch[row, here] = piece.ids, piece.position, piece.branch
            lesson[row, here] = number
            for token, before, heavy, answer in zip(piece.ids, piece.previous, piece.weight, piece.answer, strict=True):
                if heavy > 0 and before >= 0:
                    source.append(row * length + at + before)
                    target.append(token)
                    weight.append(heavy)
                    kinds.append((piece.kind, answer))
            at += len(piece.ids)
    return Rows(ids, position, lesson, branch, np.array(source), np.array(target), np.array(weight), kinds)


def visible(rows: Rows) -> np.ndarray:
    """(rows, length, length): where a place may look: back, in its lesson, at the beginning and its own branch."""
    length = rows.ids.shape[1]
    back = np.tril(np.ones((length, length), dtype=bool))
    same = rows.lesson[:, :, None] == rows.lesson[:, None, :]
    kin = (rows.branch[:, None, :] == 0) | (rows.branch[:, None, :] == rows.branch[:, :, None])
    return np.asarray(back & same & kin)
