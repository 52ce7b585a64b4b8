"""The report in short: Markdown for a version's description, and plots as PNG. Knows no MLflow and no Prefect."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates import views
from gates.evidence import Evidence
from gates.report import MARKS, lead
from gates.views import visible
from gates.wording import percent, points
from pipeline.types import GateReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 4_500
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")
_DOCUMENTS_SHOWN, _SENTENCE, _ROWS_SHOWN = 12, 320, 24


def markdown(report: GateReport, evidence: Evidence) -> str:
    """Verdict, gates, shares, documents and digests as Markdown tables: at most `LONGEST` characters.

    Titles of documents are written so that they can be no link, no image and no HTML.
    """
    head = [f"**{MARKS[report.verdict]} {report.verdict}** {views.headline(report)}", *lead(report)]
    sections = ["\n\n".join(head), _gates(report), _shares(report, evidence), _digests(report, evidence)]
    documents = _documents(evidence)
    whole = "\n\n".join(part for part in [*sections[:3], documents, sections[3]] if part)
    if len(whole) <= LONGEST:
        return whole
    short = "\n\n".join(part for part in sections if part)
    return short if len(short) <= LONGEST else short[: LONGEST - 1] + "…"


def plain(text: str, limit: int) -> str:
    """Text of strangers as one line of Markdown that means nothing but its letters."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text, limit).split()))


def write_plots(report: GateReport, evidence: Evidence, folder: Path) -> tuple[Path, ...]:
    """Writes `recall.png` and `retention.png` as far as anything was measured; the same inputs give the same bytes."""
    bars, rows = views.bars(report, evidence), views.matrix(evidence)
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    if bars:
        drawn.append(_recall_plot(bars, folder / "recall.png"))
    if any(row.after is not None for row in rows):
        drawn.append(_retention_plot(rows, folder / "retention.png"))
    return tuple(drawn)


def _gates(report: GateReport) -> str:
    lines = ["| Gate | Verdict | Why |", "|---|---|---|"]
    for result in report.results:
        why = visible(result.sentence.removeprefix(f"{result.gate}: "), _SENTENCE)
        optional = "" if result.required else " (informs only)"
        lines.append(
            f"| {plain(result.gate, 40)}{optional} | {MARKS[result.verdict]} {result.verdict} | {_cell(why)} |"
        )
    return "\n".join(lines)


def _cell(text: str) -> str:
    """A sentence of ours, which may quote a document or an error."""
    return plain(text, _SENTENCE).replace("\\(", "(").replace("\\)", ")").replace("\\-", "-").replace("\\+", "+")


def _shares(report: GateReport, evidence: Evidence) -> str:
    bars = views.bars(report, evidence)
    if not bars:
        return ""
    lines = ["| Answered right | Questions | Before | After | Change |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {bar.label} | {bar.n:,} | {percent(bar.before)} | {percent(bar.after)} | {points(bar.after - bar.before)} |"
        for bar in bars
    ]
    return "\n".join(lines)


def _documents(evidence: Evidence) -> str:
    if gone := views.withdrawn(evidence):
        return _withdrawn(gone)
    learned = views.documents(evidence)
    if not learned:
        return ""
    lines = ["| Document | Questions | Right before | Right after |", "|---|--:|--:|--:|"]
    lines += [
        f"| {plain(one.title, 80)} | {one.questions} | {_dash(one.before)} | {_dash(one.after)} |"
        for one in learned[:_DOCUMENTS_SHOWN]
    ]
    more = len(learned) - _DOCUMENTS_SHOWN
    return "\n".join(lines) + (f"\n\nand {more} more documents" if more > 0 else "")


def _withdrawn(gone: Sequence[views.Learned]) -> str:
    lines = ["| Withdrawn | Questions | Right before | Right after | Untouched base |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {plain(one.title, 80)} | {one.questions} | {_dash(one.before)} | {_dash(one.after)} | {_dash(one.base)} |"
        for one in gone[:_DOCUMENTS_SHOWN]
    ]
    more = len(gone) - _DOCUMENTS_SHOWN
    return "\n".join(lines) + (f"\n\nand {more} more documents" if more > 0 else "")


def _dash(count: int | None) -> str:
    return "–" if count is None else str(count)


def _digests(report: GateReport, evidence: Evidence) -> str:
    return "\n".join(
        f"- {name} `{value}`"
        for name, value in (
            ("manifest", evidence.manifest.digest),
            ("adapter", evidence.manifest.adapter),
            ("report", report.digest),
            ("policy", report.policy),
        )
    )


def _recall_plot(bars: Sequence[views.Bar], out: Path) -> Path:
    figure, axes = _canvas(8.0, 1.0 + 0.75 * len(bars))
    places = range(len(bars))
    axes.barh([at - 0.2 for at in places], [100 * bar.before for bar in bars], 0.36, color="#8a94a0", label="before")
    axes.barh([at + 0.2 for at in places], [100 * bar.after for bar in bars], 0.36, color="#0072b2", label="after")
    for at, bar in enumerate(bars):
        axes.text(100 * bar.before + 1, at - 0.2, percent(bar.before), va="center", fontsize=9)
        axes.text(100 * bar.after + 1, at + 0.2, percent(bar.after), va="center", fontsize=9)
    axes.set_yticks(list(places), [f"{bar.label} ({bar.n:,})" for bar in bars])
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 25), [f"{at} %" for at in range(0, 101, 25)])
    axes.invert_yaxis()
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return _save(figure, out)


def _retention_plot(rows: Sequence[views.Row], out: Path) -> Path:
    shown = rows[-_ROWS_SHOWN:]
    figure, axes = _canvas(7.0, 0.9 + 0.36 * len(shown))
    shares = [[row.base, row.before, row.after] for row in shown]
    axes.imshow([[s if s is not None else float("nan") for s in row] for row in shares], cmap="Blues", vmin=0, vmax=1.3)
    for at, row in enumerate(shares):
        for column, share in enumerate(row):
            ink = "white" if (share or 0.0) > 0.65 else "#1d2733"
            axes.text(column, at, percent(share), ha="center", va="center", fontsize=9, color=ink)
    axes.set_aspect("auto")
    axes.set_xticks(range(3), ["base model", "production model", "candidate"])
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(shown)), [f"{_ascii(row.label)} ({row.n:,})" for row in shown])
    axes.tick_params(length=0)
    return _save(figure, out)


def _ascii(text: str) -> str:
    """Names of suites may hold letters that the plot's font lacks, and a `$` would begin a formula."""
    return visible(text, 40).encode("ascii", "replace").decode().replace("$", r"\$")


def _canvas(width: float, height: float) -> tuple[Any, "Axes"]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _save(figure: Any, out: Path) -> Path:
    figure.savefig(out, metadata={"Software": None})
    return out
