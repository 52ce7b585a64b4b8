"""Draws a part's figures as a PNG. Knows no arm and no test."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A label with one share in [0, 1] and its interval, in each panel (None: nothing was measured there)."""

    label: str
    shares: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]


def bar_panels(panels: Sequence[str], bars: Sequence[Bar], title: str, out: Path) -> None:
    """Horizontal bars, one panel beside the other, all from 0 to 100 %, with the intervals as whiskers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 + 3.6 * len(panels), 1.2 + 0.36 * len(bars)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for column, axes in enumerate(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]):
        for row, bar in enumerate(bars):
            share, bounds = bar.shares[column], bar.intervals[column]
            if share is None:
                continue
            axes.barh(row, 100 * share, color="#0072b2")
            if bounds:
                axes.plot([100 * bound for bound in bounds], [row, row], color="#1d2733")
            axes.text(102, row, f"{100 * share:.1f}", va="center", fontsize=8)
        axes.set_title(panels[column], fontsize=10)
        axes.set_xlim(0, 118)
        axes.set_xticks(range(0, 101, 25))
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    axes.invert_yaxis()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, metadata={"Software": None})
