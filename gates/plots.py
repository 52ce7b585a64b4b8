"""Draws what a report shows: bars before and after, and each model's share by suite. SVG for the page, PNG beside it.

Labels are text to matplotlib, never formulas, and it escapes them. What the page embeds needs nothing beside itself:
no clip paths, markers or images, which would refer to something.
"""

import warnings
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO, StringIO
from pathlib import Path

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gates import views
from gates.evidence import Evidence
from gates.shares import Share
from gates.statistics import wilson
from gates.views import Row
from gates.wording import percent, points, visible
from pipeline.files import write_bytes

BLUE, GREY, INK, FAINT = "#0072b2", "#8a94a0", "#1d2733", "#e3e8ee"
MODELS = ("base model", "production model", "candidate")
_MODELS_IN_SHORT = ("base", "production", "candidate")
_WIDTH, _NARROW = 9.0, 4.4  # inches, of a screen and of a phone
_ROWS_IN_PNG = 24
_UNMEASURED, _ON_PALE = "#f3f4f6", "#1d2734"
# Colours that the page sets, light or dark; those on the cells of the matrix stay.
_OF_PAGE = {INK: "var(--ink)", GREY: "var(--grey)", FAINT: "var(--line)", _UNMEASURED: "var(--pale)"}


def svgs(evidence: Evidence) -> Mapping[str, str]:
    """The plots by name, "recall" and "retention", as markup for a page; what was not measured is left out.

    Each also narrow, for phones: "recall_narrow" and "retention_narrow".
    """
    titles = {"recall": "Answers right before and after", "retention": "Share right by suite and model"}
    wide, narrow = _figures(evidence), _figures(evidence, width=_NARROW)
    drawn = {name: _svg(figure, titles[name]) for name, figure in wide.items()}
    return drawn | {f"{name}_narrow": _svg(figure, titles[name]) for name, figure in narrow.items()}


def write_plots(evidence: Evidence, folder: Path) -> tuple[Path, ...]:
    """Writes `recall.png` and `retention.png` as far as anything was measured; the same inputs give the same bytes."""
    return tuple(_png(figure, folder / f"{name}.png") for name, figure in _figures(evidence, _ROWS_IN_PNG).items())


def _figures(evidence: Evidence, rows_shown: int = 0, width: float = _WIDTH) -> Mapping[str, Figure]:
    """The plots by name; of the matrix the last `rows_shown` rows, 0: all."""
    bars, rows = views.bars(evidence), views.matrix(evidence)
    figures = {"recall": _recall(bars, width)} if bars else {}
    if any(row.after is not None for row in rows):
        figures["retention"] = _retention(rows[-rows_shown:], width)
    return figures


def _recall(bars: Sequence[Share], width: float) -> Figure:
    """Before and after, side by side, with 95 % intervals (Wilson) of what is right or wrong; samples have none."""
    narrow = width < _WIDTH
    figure, axes = _canvas(0.7 + (0.75 if narrow else 0.62) * len(bars), width)
    for at in range(0, 101, 25):
        axes.axvline(at, color=FAINT, linewidth=0.8, zorder=0, clip_on=False)
    for at, bar in enumerate(bars):
        n = 0 if bar.sampled else bar.n
        _bar(axes, at - 0.19, bar.before, n, GREY, "before")
        _bar(axes, at + 0.19, bar.after, n, BLUE, "after")
        if not narrow:
            axes.text(140, at, _points(bar), ha="right", va="center", weight="bold", color=INK)
    names = [f"{visible(bar.label, 20 if narrow else 40)}\n{bar.n:,} questions" for bar in bars]
    _name_rows(axes, [f"{name}\n{_points(bar)}" if narrow else name for name, bar in zip(names, bars, strict=True)])
    axes.set_xlim(0, 160 if narrow else 140)
    steps = range(0, 101, 50 if narrow else 25)
    axes.set_xticks(steps, [f"{at} %" for at in steps], color=GREY)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    return figure


def _points(bar: Share) -> str:
    return f"{points(bar.after - bar.before)} points"


def _bar(axes: Axes, place: float, share: float, n: int, color: str, name: str) -> None:
    axes.barh(place, 100 * share, 0.34, color=color, clip_on=False)
    low, high = (100 * bound for bound in wilson(round(share * n), n, 0.05)) if n else (100 * share, 100 * share)
    for x, y in (((low, high), (place, place)), *(((end, end), (place - 0.07, place + 0.07)) for end in (low, high))):
        axes.plot(x, y, color=INK, alpha=0.55, linewidth=0.9, clip_on=False)
    axes.text(max(high, 100 * share) + 1.2, place, f"{percent(share)} {name}", va="center", color=INK)


def _retention(rows: Sequence[Row], width: float) -> Figure:
    """Suites by models; the darker a cell the more is right, and the number says how much."""
    narrow = width < _WIDTH
    figure, axes = _canvas(0.5 + 0.32 * len(rows), width)
    for at, row in enumerate(rows):
        for column, share in enumerate((row.base, row.before, row.after)):
            _cell(axes, column, at, share)
        axes.text(2.56, at, _change(row), ha="left", va="center", color=INK)
    _name_rows(axes, [f"{visible(row.label, 14 if narrow else 40)} ({row.n:,})" for row in rows])
    axes.set_xlim(-0.5, 3.6 if narrow else 3.3)
    axes.set_xticks(range(3), _MODELS_IN_SHORT if narrow else MODELS, color=INK, weight="normal" if narrow else "bold")
    axes.xaxis.tick_top()
    axes.tick_params(top=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _cell(axes: Axes, column: int, row: int, share: float | None) -> None:
    # One hue from pale to deep: its lightness alone tells the value.
    fill = _UNMEASURED if share is None else colormaps["Blues"](share / 1.2)
    axes.add_patch(Rectangle((column - 0.48, row - 0.45), 0.96, 0.9, color=fill, linewidth=0, clip_on=False))
    ink = "white" if (share or 0.0) > 0.6 else GREY if share is None else _ON_PALE
    axes.text(column, row, percent(share), ha="center", va="center", color=ink)


def _change(row: Row) -> str:
    if row.before is None or row.after is None:
        return ""
    change = row.after - row.before
    return f"{'▲' if change > 0 else '▼' if change < 0 else '='} {points(change)}"


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK, parse_math=False)


def _canvas(height: float, width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_frame_on(False)
    axes.tick_params(left=False, bottom=False, labelsize=9)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    drawn = StringIO()
    _save(figure, drawn, "svg", dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = drawn.getvalue()
    for color, of_page in _OF_PAGE.items():
        text = text.replace(f": {color}", f": {of_page}")
    inner = text[text.index("<svg") + len("<svg") :]
    return f'<svg role="img" aria-label="{escape(title)}"{inner}'


def _png(figure: Figure, out: Path) -> Path:
    drawn = BytesIO()
    _save(figure, drawn, "png", {"Software": None})
    write_bytes(out, drawn.getvalue())
    return out


def _save(figure: Figure, drawn: BytesIO | StringIO, form: str, metadata: Mapping[str, str | None]) -> None:
    rules = {"svg.fonttype": "none", "svg.hashsalt": "sealed"}
    with rc_context(rules), warnings.catch_warnings():
        # A name in a script that the font lacks is whole in the page, and boxes in the PNG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(drawn, format=form, metadata=metadata, transparent=form == "svg")
