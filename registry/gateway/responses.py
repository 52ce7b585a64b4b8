"""Answers in OpenAI's forms: one JSON object, or the lines of a stream. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.types import Release
from registry.servers.server import Piece, short_name

DONE = "data: [DONE]\n\n"
RELEASE, ADAPTER = "x-sealed-release", "x-sealed-adapter"


@dataclass(frozen=True, kw_only=True)
class Form:
    """What all parts of one answer have in common: its id, when it began, who answers, and which path was asked.

    `created`: seconds since 1970.
    """

    id: str
    created: int
    release: Release
    chat: bool
    prompt_tokens: int

    @property
    def headers(self) -> dict[str, str]:
        """Which release answers: its number, and the digest of its adapter (of release 0: of the base)."""
        model = self.release.model
        return {RELEASE: str(self.release.number), ADAPTER: model.adapter or model.base}

    def whole(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """The answer that is not streamed: a choice for each piece."""
        choices = [
            {"index": at, **self._said(piece.text), "finish_reason": piece.finish, "logprobs": None}
            for at, piece in enumerate(pieces)
        ]
        usage = self._usage(sum(piece.tokens for piece in pieces))
        return {**self._head("chat.completion"), "choices": choices, "usage": usage}

    def opening(self, choice: int) -> str:
        """The line that opens a choice of a streamed conversation; nothing for a plain text."""
        return self._line(choice, {"role": "assistant", "content": ""}, None) if self.chat else ""

    def chunk(self, choice: int, piece: Piece) -> str:
        """A line of a stream, or two where the text ends."""
        said = self._line(choice, {"content": piece.text}, None) if piece.text else ""
        return said + (self._line(choice, {}, piece.finish) if piece.finish else "")

    def closing(self, written: int, *, with_usage: bool) -> str:
        """The lines that end a stream; `written`: its tokens."""
        if not with_usage:
            return DONE
        return _event({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(written)}) + DONE

    def _said(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}} if self.chat else {"text": text}

    def _line(self, choice: int, delta: dict[str, str], finish: str | None) -> str:
        said = {"delta": delta} if self.chat else {"text": delta.get("content", "")}
        one = {"index": choice, **said, "finish_reason": finish, "logprobs": None}
        return _event({**self._head("chat.completion.chunk"), "choices": [one]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind if self.chat else "text_completion",
            "created": self.created,
            "model": short_name(self.release),
            "system_fingerprint": f"release-{self.release.number}",
        }

    def _usage(self, written: int) -> dict[str, int]:
        read = self.prompt_tokens
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def error_event(body: dict[str, Any]) -> str:
    """The line of a stream that breaks off."""
    return _event(body)


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
