"""Draws bars and the retention matrix as SVG text: no library, no script, every label escaped. Decides nothing."""

from collections.abc import Sequence
from html import escape

from gates.statistics import wilson
from gates.views import Bar, Row, visible
from gates.wording import percent, points

BLUE, ORANGE, GREY, INK, FAINT = "#0072b2", "#e69f00", "#8a94a0", "#1d2733", "#e3e8ee"
_LEFT, _WIDTH, _PLOT = 190, 860, 440


def bar_plot(bars: Sequence[Bar]) -> str:
    """Before and after, side by side, with 95 % intervals (Wilson). Shares from 0 to 100 %."""
    height = 46 + 62 * len(bars)
    parts = [_grid(height - 24)]
    for at, bar in enumerate(bars):
        top = 14 + 62 * at
        parts.append(_text(_LEFT - 14, top + 20, visible(bar.label, 26), anchor="end", weight=600))
        parts.append(_text(_LEFT - 14, top + 37, f"{bar.n:,} questions", anchor="end", size=12, fill=GREY))
        parts.append(_bar(top + 2, bar.before, bar.n, GREY, "before"))
        parts.append(_bar(top + 25, bar.after, bar.n, BLUE, "after"))
        parts.append(_text(_WIDTH - 4, top + 29, f"{points(bar.after - bar.before)} points", anchor="end", weight=600))
    return _svg(height, "Answers right before and after", parts)


def heat_map(rows: Sequence[Row]) -> str:
    """Suites by models; the darker a cell the more is right, and the number says how much."""
    height, step = 34 + 34 * len(rows) + 6, 150
    columns = ("base model", "production model", "candidate")
    parts = [_text(300 + step * at + 70, 20, name, anchor="middle", weight=600) for at, name in enumerate(columns)]
    for at, row in enumerate(rows):
        top = 34 + 34 * at
        parts.append(_text(286, top + 20, f"{visible(row.label, 30)} ({row.n:,})", anchor="end"))
        for column, share in enumerate((row.base, row.before, row.after)):
            parts.append(_cell(300 + step * column, top, step - 6, share))
        parts.append(_change(300 + 3 * step + 10, top + 20, row))
    return _svg(height, "Share right by suite and model", parts)


def _bar(top: int, share: float, n: int, fill: str, title: str) -> str:
    low, high = (_LEFT + _PLOT * bound for bound in wilson(share * n, n, 0.05)) if n else (_LEFT, _LEFT)
    width = max(1.0, _PLOT * share)
    whisker = f'<path d="M{low:.1f} {top + 10}H{high:.1f}M{low:.1f} {top + 6}v8M{high:.1f} {top + 6}v8" '
    return (
        f'<g><title>{title}: {percent(share)}</title><rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="20" '
        f'rx="3" fill="{fill}"/>{whisker}stroke="{INK}" stroke-opacity=".55" fill="none"/>'
        + _text(max(high, _LEFT + width) + 8, top + 15, f"{percent(share)} {title}", size=13)
        + "</g>"
    )


def _grid(bottom: int) -> str:
    lines = [
        f'<path d="M{_LEFT + _PLOT * at / 4:.0f} 8V{bottom}" stroke="{FAINT}"/>'
        + _text(_LEFT + _PLOT * at / 4, bottom + 17, f"{25 * at} %", anchor="middle", size=12, fill=GREY)
        for at in range(5)
    ]
    return "".join(lines)


def _cell(left: int, top: int, width: int, share: float | None) -> str:
    fill, ink = _shade(share)
    return f'<rect x="{left}" y="{top}" width="{width}" height="30" rx="4" fill="{fill}"/>' + _text(
        left + width / 2, top + 20, percent(share), anchor="middle", fill=ink
    )


def _shade(share: float | None) -> tuple[str, str]:
    """A ramp of one hue from pale to deep blue: its lightness alone tells the value."""
    if share is None:
        return "#f3f4f6", GREY
    pale, deep = (236, 243, 250), (0, 78, 131)
    mixed = [round(low + (high - low) * share) for low, high in zip(pale, deep, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed), "#ffffff" if share > 0.5 else INK


def _change(left: int, top: int, row: Row) -> str:
    if row.before is None or row.after is None:
        return ""
    change = row.after - row.before
    mark = "▲" if change > 0 else "▼" if change < 0 else "="
    return _text(left, top, f"{mark} {points(change)}", size=13, fill=INK if change else GREY)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 14, weight: int = 400, fill: str = INK
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
