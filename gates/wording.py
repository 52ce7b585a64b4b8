"""Says figures in plain words: points, percent, counts, p-values. Imports nothing, so that the command line may."""


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


def in_words(state: str) -> str:
    """A state as people read it: rolled_back as "rolled back"."""
    return state.replace("_", " ")


def p_value(p: float) -> str:
    """A p-value to three decimals, or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
