"""Turns token ids into text as they come, and finds the strings that end it. Knows no model and no request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Tokenizer = Any  # a PreTrainedTokenizerBase of transformers, which is not imported here
_HALF = "\ufffd"  # what decoding gives for a part of a character


@dataclass
class TextAssembly:
    """The text of one sequence. What may still become a stop string, or a whole character, is held back."""

    tokenizer: Tokenizer
    stop: tuple[str, ...] = ()
    stopped: bool = False
    _ids: list[int] = field(default_factory=list)
    _read: int = 0  # ids whose text was given out or is held back
    _before: int = 0  # from which id on they are decoded again, since a token's text depends on the one before it
    _held: str = ""

    def push(self, token: int) -> str:
        """The text that is certain with this token. Nothing more comes once `stopped`."""
        self._ids.append(token)
        return self._give(self._decoded())

    def end(self) -> str:
        """What was held back: the text is over."""
        rest = self._give(self._decoded(whole=True))
        rest, self._held = rest + self._held, ""
        return rest

    def _decoded(self, whole: bool = False) -> str:
        """The new text; nothing while it ends in a part of a character. The window keeps this linear in the text."""
        known, now = self._text(self._ids[self._before : self._read]), self._text(self._ids[self._before :])
        if len(now) <= len(known) or (now.endswith(_HALF) and not whole):
            return ""
        self._before, self._read = self._read, len(self._ids)
        return now[len(known) :]

    def _give(self, new: str) -> str:
        if self.stopped:
            return ""
        text = self._held + new
        found = [at for at in (text.find(one) for one in self.stop) if at >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        kept = self._open_end(text)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def _open_end(self, text: str) -> int:
        """How many characters at the end of the text begin a stop string."""
        lengths = (n for one in self.stop for n in range(min(len(one) - 1, len(text)), 0, -1) if text.endswith(one[:n]))
        return max(lengths, default=0)

    def _text(self, ids: list[int]) -> str:
        return text_of(self.tokenizer, ids)


def text_of(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text of ids, without control tokens, and as the tokens spell it."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
