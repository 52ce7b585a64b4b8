"""Writes what a reviewer reads: one self-contained HTML page. Everything from documents and models is escaped.

Knows no MLflow; the page needs no script, no network and nothing beside itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gates import plots, views
from gates.evidence import Evidence
from gates.views import Flip, visible
from gates.wording import percent
from pipeline.files import write_bytes
from pipeline.types import GateReport, Verdict

MARKS = {Verdict.PASS: "✔", Verdict.FAIL: "✖", Verdict.INCONCLUSIVE: "?"}
_DOCUMENTS_SHOWN, _LONGEST = 100, 600


def write_report(report: GateReport, evidence: Evidence, out: Path, *, release: int | None = None) -> Path:
    """Writes the page to the file `out`, whole or not at all, and returns it. The same inputs give the same bytes.

    release: its number, where the candidate is or will be registered; it then stands in the commands to type.
    """
    write_bytes(out, render(report, evidence, release).encode("utf-8", "replace"))
    return out


def render(report: GateReport, evidence: Evidence, release: int | None) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    # The plots are markup in which every label is escaped; all other values are escaped by the template.
    drawn = {name: Markup(plot) for name, plot in plots.svgs(report, evidence).items()}
    template = Environment(loader=PackageLoader("gates", "."), autoescape=True).get_template("report.html.jinja")
    page = template.render(
        plots=drawn,
        **_head(report, release),
        **_body(evidence),
        **_decide(report, release),
        digests=_digests(report, evidence),
    )
    return page.replace(" %", "\u00a0%") + "\n"


def lead(report: GateReport) -> list[str]:
    """One or two sentences with the shares that matter most."""
    shares = {figure.name: figure.value for figure in report.recall}
    told = [
        f"{what} {percent(shares[f'{key}_before'])} → {percent(shares[f'{key}_after'])}"
        for key, what in (
            ("recall", "this run's questions"),
            ("withdrawn", "withdrawn documents"),
            ("earlier_releases", "earlier releases"),
            ("base_knowledge", "base knowledge"),
            ("skills", "general skills"),
            ("safety", "refusals"),
        )
        if f"{key}_after" in shares
    ]
    blocking = [result.gate for result in report.results if result.required and result.verdict is not Verdict.PASS]
    lines = [f"Answered right, before → after: {', '.join(told)}."] if told else ["Nothing was measured."]
    return lines + ([f"Not passed: {', '.join(blocking)}."] if blocking else [])


def _head(report: GateReport, release: int | None) -> dict[str, Any]:
    gates = [
        {
            "name": result.gate,
            "verdict": result.verdict.value,
            "mark": MARKS[result.verdict],
            "sentence": visible(result.sentence.removeprefix(f"{result.gate}: "), 1200),
            "required": result.required,
        }
        for result in report.results
    ]
    name = f"Release {release}" if release is not None else f"Update {report.update[:12]}"
    return {
        "title": f"{name}: {report.verdict}",
        "verdict": report.verdict.value,
        "mark": MARKS[report.verdict],
        "headline": views.headline(report),
        "lead": lead(report),
        "gates": gates,
    }


def _body(evidence: Evidence) -> dict[str, Any]:
    learned, gone = views.documents(evidence), views.withdrawn(evidence)
    lost, gained = views.flips(evidence, lost=True), views.flips(evidence, lost=False)
    shown = [replace(one, title=visible(one.title, 160)) for one in learned[:_DOCUMENTS_SHOWN]]
    own = views.examples(evidence)
    return {
        "documents": shown,
        "more_documents": len(learned) - len(shown),
        "withdrawn": [replace(one, title=visible(one.title, 160)) for one in gone[:_DOCUMENTS_SHOWN]],
        "more_withdrawn": max(0, len(gone) - _DOCUMENTS_SHOWN),
        "lost": _readable(views.spread(lost)),
        "lost_count": len(lost),
        "gained": _readable(views.spread(gained)),
        "gained_count": len(gained),
        "roles": views.roles(evidence),
        "examples": [
            {"prompt": visible(one.prompt, _LONGEST), "completion": visible(one.completion, _LONGEST)} for one in own
        ],
    }


def _readable(flips: Sequence[Flip]) -> list[Flip]:
    return [
        replace(
            flip,
            question=visible(flip.question, _LONGEST),
            expected=visible(flip.expected, 200),
            before=visible(flip.before, 200),
            after=visible(flip.after, 200),
        )
        for flip in flips
    ]


def _decide(report: GateReport, release: int | None) -> Mapping[str, object]:
    if report.verdict is not Verdict.PASS:
        return {
            "decide": ["There is nothing to approve: the production model stays. Its documents: `sealed documents`."]
        }
    number = release if release is not None else "N"
    commands = f'sealed show {number}\nsealed approve {number} --note "…"\nsealed reject {number} --reason "…"'
    return {
        "decide": ["Look at what broke and at what the model was trained on. Approve only what you would answer for:"],
        "commands": commands,
    }


def _digests(report: GateReport, evidence: Evidence) -> list[tuple[str, str]]:
    return [
        ("Report", report.digest),
        ("Manifest (what an approval is for)", evidence.manifest.digest),
        ("Adapter", evidence.manifest.adapter),
        ("Update", report.update),
        ("Candidate", report.candidate.id),
        ("Live model", report.production.id),
        ("Policy", report.policy),
        ("Standing suites", evidence.suites.digest),
        ("Recipe", evidence.manifest.recipe),
    ]
