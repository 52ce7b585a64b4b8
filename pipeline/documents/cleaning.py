"""Makes text uniform: NFC, line feeds, no control characters, no lost paragraphs. Judges nothing, and knows no format.

Words that look like a model's control tokens are left as they are: `pipeline.chat` encodes them as plain text."""

import re

import regex

from pipeline.normal_forms import normal_form

_LINE_ENDS = re.compile("\r\n|[\r\v\x85\u2028]")
_PARAGRAPH_ENDS = re.compile("[\f\u2029]")
# By the classes of Unicode: controls, format characters and all that is shown by nothing ("default ignorable"), which
# hides or reorders text. Kept are tab and line feed, joiners between letters of scripts that need them or between
# pictures, a selector behind what it varies, and signs that stand over a number.
_JOINED = r"[[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]--[\p{Latin}\p{Greek}\p{Cyrillic}\p{Han}]]"
_INVISIBLE = regex.compile(
    r"(?V1)[[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}\p{Bidi_Control}]"
    r"--[\t\n\u200c\u200d\p{Variation_Selector}\p{Prepended_Concatenation_Mark}]]"
    r"|(?<!\p{Emoji})[\ufe0e\ufe0f]"
    r"|(?<![\p{Han}\p{Sm}[\p{Mongolian}&&\p{L}][\p{Myanmar}&&\p{L}]])[\p{Variation_Selector}--[\ufe0e\ufe0f]]"
    rf"|(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})"
)
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_GAPS = re.compile(r"\n{3,}")


def clean_text(text: str) -> str:
    """`text` in NFC with line feeds, plain spaces and at most one empty line in a row; indents and tabs stay."""
    text = _PARAGRAPH_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text))
    # Dropping an invisible character can bring a letter and its accent together, so NFC comes after it.
    text = _SPACES.sub(" ", normal_form("NFC", _INVISIBLE.sub("", text)))
    # Line by line: a pattern would be quadratic in the length of a row of blanks.
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _GAPS.sub("\n\n", text).strip()


def clean_line(text: str) -> str:
    """`text` cleaned and on one line: titles, questions and answers."""
    return " ".join(clean_text(text).split())


def plain_name(name: str) -> str:
    """A file's name that prints on one line and encodes as UTF-8, whatever its bytes were."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in name)
