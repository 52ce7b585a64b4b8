"""The report in short: Markdown for a version's description. Knows no MLflow and no Prefect."""

import re
from collections.abc import Sequence

from gates import views
from gates.evidence import Evidence
from gates.report import MARKS, lead
from gates.views import visible
from gates.wording import percent, points
from pipeline.types import GateReport

LONGEST = 4_500
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")
_DOCUMENTS_SHOWN, _SENTENCE = 12, 320


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
