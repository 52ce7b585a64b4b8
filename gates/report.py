"""Writes what a reviewer reads: one self-contained HTML page. Everything from documents and models is escaped.

Knows no MLflow; the page needs no script, no network and nothing beside itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from gates import bisect_rows, contradiction_rows, plots, views
from gates.account import NO_ACCOUNT, RunAccount, SetAside
from gates.evidence import Evidence
from gates.views import MARKS, DocumentRow, Flip
from gates.wording import visible
from pipeline.files import write_bytes
from pipeline.types import GateReport, Verdict

_DOCUMENTS_SHOWN, _SET_ASIDE_SHOWN, _LONGEST = 100, 20, 600
_CONTRADICTED_SHOWN = 80


def write_report(
    report: GateReport,
    evidence: Evidence,
    out: Path,
    account: RunAccount = NO_ACCOUNT,
    *,
    release: int | None = None,
) -> Path:
    """Writes the page to the file `out`, whole or not at all, and returns it. The same inputs give the same bytes.

    account: what its run cost and set aside. release: its number, where the candidate is or will be registered; it then
    stands in the commands to type.
    """
    write_bytes(out, render(report, evidence, account, release).encode("utf-8", "replace"))
    return out


def render(report: GateReport, evidence: Evidence, account: RunAccount, release: int | None) -> str:
    """The page as text."""
    # The plots are markup in which every label is escaped; all other values are escaped by the template.
    drawn = {name: Markup(plot) for name, plot in plots.svgs(evidence).items()}
    template = Environment(loader=PackageLoader("gates", "."), autoescape=True).get_template("report.html.jinja")
    page = template.render(
        plots=drawn,
        **_head(report, evidence, release),
        **_body(evidence),
        **_account(account),
        **_bisected(report, evidence),
        **_decide(report, release),
        digests=_digests(report, evidence),
        terms=_terms(evidence),
    )
    for unbroken in ("%", "right→wrong", "wrong→right"):
        page = page.replace(f" {unbroken}", f"\u00a0{unbroken}")
    return page + "\n"


def _head(report: GateReport, evidence: Evidence, release: int | None) -> Mapping[str, object]:
    gates = [
        {
            "name": result.gate.replace("_", " "),
            "verdict": result.verdict.value,
            "mark": MARKS[result.verdict],
            "sentence": visible(views.sentence(result), 1200),
            "required": result.required,
        }
        for result in report.results
    ]
    name = f"Release {release}" if release is not None else f"Update {report.update[:12]}"
    return {
        "title": f"{name}: {report.verdict}",
        "verdict": report.verdict.value,
        "mark": MARKS[report.verdict],
        "headline": views.HEADLINES[report.verdict],
        "lead": views.lead(report, evidence),
        "gates": gates,
    }


def _body(evidence: Evidence) -> Mapping[str, object]:
    learned, gone = views.documents(evidence), views.withdrawn(evidence)
    lost, gained = views.flips(evidence, lost=True), views.flips(evidence, lost=False)
    fallen = views.falls(evidence)
    return {
        "documents": _titled(learned),
        "costly": any(one.contradicts or one.lost for one in learned),
        **_contradicted(evidence),
        "more_documents": max(0, len(learned) - _DOCUMENTS_SHOWN),
        "withdrawn": _titled(gone),
        "more_withdrawn": max(0, len(gone) - _DOCUMENTS_SHOWN),
        "lost": _readable(views.spread(lost)),
        "lost_count": len(lost),
        "falls": _readable(fallen[: views.FLIPS_SHOWN]),
        "falls_count": len(fallen),
        "disputes": views.disputes(evidence),
        "gained": _readable(views.spread(gained)),
        "gained_count": len(gained),
        "samples": views.written_about(evidence),
        "roles": views.roles(evidence),
        "examples": [
            {"prompt": visible(one.prompt, _LONGEST), "completion": visible(one.completion, _LONGEST)}
            for one in views.examples(evidence)
        ],
    }


def _contradicted(evidence: Evidence) -> Mapping[str, object]:
    rows = contradiction_rows.rows(evidence)
    return {
        "contradicted": [row for row in rows if row.status != "declared"][:_CONTRADICTED_SHOWN],
        "declared": [row for row in rows if row.status == "declared"][:_CONTRADICTED_SHOWN],
    }


def _account(account: RunAccount) -> Mapping[str, object]:
    return {
        "costs": [(one.stage.replace("_", " "), f"{one.seconds:,.1f} s") for one in account.seconds],
        "cost": f"{account.whole:,.0f} s of work, {account.steps:,} training steps, {account.tokens:,} tokens",
        "set_aside": [
            SetAside(name=visible(one.name, 160), reason=visible(one.reason, _LONGEST))
            for one in account.set_aside[:_SET_ASIDE_SHOWN]
        ],
        "more_set_aside": max(0, len(account.set_aside) - _SET_ASIDE_SHOWN),
        "remarks": [
            SetAside(name=visible(one.name, 160), reason=visible(one.reason, _LONGEST))
            for one in account.remarks[:_SET_ASIDE_SHOWN]
        ],
        "more_remarks": max(0, len(account.remarks) - _SET_ASIDE_SHOWN),
        "dropped": [replace(one, reason=visible(one.reason, _LONGEST)) for one in account.dropped_by_reason],
    }


def _bisected(report: GateReport, evidence: Evidence) -> Mapping[str, object]:
    """What was tried before, where the run had failed its gates."""
    log = report.bisection
    if log is None:
        return {}
    return {
        "bisected": bisect_rows.conclusion(log),
        "tried": bisect_rows.tried(log, evidence.case.documents),
        "culprits": bisect_rows.culprits(log),
    }


def _titled(documents: Sequence[DocumentRow]) -> list[DocumentRow]:
    return [replace(one, title=visible(one.title, 160)) for one in documents[:_DOCUMENTS_SHOWN]]


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
        sentence = "There is nothing to approve: production stays. Its documents:"
        return {"decide": sentence, "commands": "sealed documents"}
    number = release if release is not None else "N"
    commands = (f"show {number}", f'approve {number} --as NAME --note "…"', f'reject {number} --reason "…"')
    return {
        "decide": "Look at what broke and at what the model was trained on. Approve only what you would answer for:",
        "commands": "\n".join(f"sealed {one}" for one in commands),
    }


def _digests(report: GateReport, evidence: Evidence) -> Mapping[str, str]:
    manifest = evidence.case.manifest
    return {
        "Report": report.digest,
        "Manifest (what an approval is for)": manifest.digest,
        "Adapter": manifest.adapter,
        "Update": report.update,
        "Candidate": report.candidate.id,
        "Production": report.production.id,
        "Policy": report.policy,
        "Suites": evidence.case.suites.digest,
        "Recipe": manifest.recipe,
    }


def _terms(evidence: Evidence) -> Mapping[str, str]:
    """What holds of the adapter for as long as it serves."""
    manifest = evidence.case.manifest
    thinking = {"off": "switched off in prompts", "open": "begun by the template"}.get(manifest.thinking)
    said = {"Thinking": thinking, "Not adapted": manifest.unadapted}
    return {name: value for name, value in said.items() if value}
