"""Says figures in plain words, and shows text of strangers harmless. Imports nothing heavy: the command line does."""

from collections.abc import Sequence

# Bidirectional controls: they reorder the text around them.
_HIDDEN = {ord(char): "\ufffd" for char in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}


def visible(text: str, limit: int) -> str:
    """Text of strangers, cut, without characters that hide or turn around what follows."""
    kept = "".join(char if char.isprintable() or char == "\n" else " " for char in text.translate(_HIDDEN))
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def points(share: float, *, signed: bool = True) -> str:
    """A share as percentage points with one decimal, never "-0.0"."""
    value = round(100 * share, 1) + 0.0
    return f"{value:+.1f}" if signed and value else f"{value:.1f}"


def percent(share: float | None) -> str:
    """A share as whole percent, or a dash where nothing was measured; never 100 % for a share below 1."""
    if share is None:
        return "–"
    value = 100 * share
    return f"{value:.1f} %" if 99.5 <= value < 100 or 0 < value < 0.5 else f"{value:.0f} %"


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 eval item", "1,204 eval items"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def approve_command(release: int) -> str:
    """The command by which a person approves a release, as sentences quote it."""
    return f"`sealed approve {release} --as NAME --note ...`"


def in_words(state: str) -> str:
    """A state as people read it: rolled_back as "rolled back"."""
    return state.replace("_", " ")


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names of strangers, harmless and cut, with commas between them; of many the first ones and how many more."""
    shown = ", ".join(visible(name, 80) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def p_value(p: float) -> str:
    """A p-value to three decimals, or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
