"""Plain text as a suite: the paragraphs of a file. Knows no model."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.digests import digest_of
from pipeline.errors import BadDataFile
from pipeline.leakage import sentences

_BLANK = re.compile(r"\n\s*\n")
_TELLING = 6  # words from which a sentence is this text's and no other's


@dataclass(frozen=True)
class TextItem:
    """A paragraph of plain text. Each stands alone: it is in no group."""

    text: str
    group: str = ""

    @cached_property
    def id(self) -> str:
        return digest_of("text", self.text)

    @property
    def question(self) -> str:
        """What no training example may hold: the paragraph."""
        return self.text

    @property
    def sentences(self) -> tuple[str, ...]:
        """What no training example may hold either, since self-edits are written sentence by sentence."""
        return tuple(one for one in sentences(" ".join(self.text.split())) if len(one.split()) >= _TELLING)


def read_texts(path: Path) -> tuple[TextItem, ...]:
    """The file's paragraphs, each once, which blank lines part. Raises BadDataFile where there are none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataFile(f"{path} cannot be read as UTF-8 text: {error}. Save it again as UTF-8.") from error
    found = dict.fromkeys(part.strip() for part in _BLANK.split(text) if part.strip())
    if not found:
        raise BadDataFile(f"{path} holds no text. Add paragraphs with blank lines between them, or delete the file.")
    return tuple(map(TextItem, found))
