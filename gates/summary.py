"""The report in short: Markdown for a version's description. Knows no MLflow and no Prefect."""

import re
from collections.abc import Sequence

from gates import bisect_rows, contradiction_rows, views
from gates.account import NO_ACCOUNT, RunAccount
from gates.contradiction_rows import ContradictionRow
from gates.evidence import Evidence
from gates.views import MARKS, DocumentRow
from gates.wording import counted, percent, points, visible
from pipeline.types import GateReport

LONGEST = 4_500
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
# MLflow's page shows a backslash before these, so they are written as HTML writes them.
_OF_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# MLflow's page sets no space between the columns of a table.
_GAP = "&emsp;"
_DOCUMENTS_SHOWN, _SENTENCE, _SCREENED = 12, 320, 4


def markdown(report: GateReport, evidence: Evidence, account: RunAccount = NO_ACCOUNT) -> str:
    """Verdict, gates, shares, cost, documents and digests as Markdown tables: at most `LONGEST` characters.

    Titles of documents are written so that they can be no link, no image and no HTML.
    """
    head = [
        f"**{MARKS[report.verdict]} {report.verdict}** {views.HEADLINES[report.verdict]}",
        *views.lead(report, evidence),
    ]
    gates, shares = _titled("Gates", _gates(report)), _titled("Before and after", _shares(evidence))
    bisected = _titled("What was tried after it failed", _bisected(report))
    digests = "\n\n".join(part for part in (_cost(account), _digests(report, evidence)) if part)
    sections = [
        "\n\n".join(head),
        gates,
        bisected,
        shares,
        _titled("Cost and digests" if account.seconds else "Digests", digests),
    ]
    documents = _titled("Withdrawn" if views.withdrawn(evidence) else "Documents", _documents(evidence))
    trials = _tried(report, evidence)
    against = _titled("Against what production knows", _contradictions(evidence))
    for more in ((against, trials, documents), (against, documents), (against,), ()):
        whole = "\n\n".join(part for part in [*sections[:-1], *more, sections[-1]] if part)
        if len(whole) <= LONGEST:
            return whole
    return whole[: LONGEST - 1] + "…"


def _titled(title: str, section: str) -> str:
    return f"---\n\n**{title}**\n\n{section}" if section else ""


def plain(text: str, limit: int) -> str:
    """Text of strangers as one line of Markdown that means nothing but its letters."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text, limit).split())).translate(_OF_HTML)


def _gates(report: GateReport) -> str:
    rows = [
        f"{plain(result.gate.replace('_', ' '), 40)}{'' if result.required else ' (informs only)'} | "
        f"{MARKS[result.verdict]}\u00a0{result.verdict} | {_cell(visible(views.sentence(result), _SENTENCE))}"
        for result in report.results
    ]
    return _table("Gate | Verdict | Why", "---|---|---", rows)


def _bisected(report: GateReport) -> str:
    """What came of a bisect, and the documents that it blames, with the evidence."""
    if (log := report.bisection) is None:
        return ""
    rows = [f"{plain(one.documents, 200)} | {_cell(one.sentence)}" for one in bisect_rows.culprits(log)]
    found = _table("Quarantined | Why", "---|---", rows[:_DOCUMENTS_SHOWN])
    return "\n\n".join(part for part in (_cell(bisect_rows.conclusion(log)), found) if part)


def _contradictions(evidence: Evidence) -> str:
    """The documents that contradict what production knows, each with its first contradiction."""
    firsts = {one.title: one for one in reversed(contradiction_rows.rows(evidence))}
    rows = [_contradiction(one) for one in reversed(firsts.values())]
    head = "Document | Asked, for one | Production answers | It says | Document is"
    more = f"\n\nand {len(rows) - _DOCUMENTS_SHOWN} more documents" if len(rows) > _DOCUMENTS_SHOWN else ""
    return _table(head, "---|---|---|---|---", rows[:_DOCUMENTS_SHOWN]) + more


def _contradiction(one: ContradictionRow) -> str:
    said = f"{plain(one.production, 80)} | {plain(one.says, 80)} | {one.status}"
    return f"{plain(one.title, 80)} | {_cell(one.question)} | {said}"


def _tried(report: GateReport, evidence: Evidence) -> str:
    if (log := report.bisection) is None:
        return ""
    rows = [
        f"{plain(one.documents, 120)} | {one.share} | {one.mark}\u00a0{one.verdict}"
        for one in bisect_rows.tried(log, evidence.case.documents)
    ]
    return _table("Trained on | Share of the change | Verdict", "---|--:|---", rows)


def _cell(text: str) -> str:
    """A sentence of ours, which may quote a document or an error."""
    return plain(text, _SENTENCE).replace("\\(", "(").replace("\\)", ")").replace("\\-", "-").replace("\\+", "+")


def _shares(evidence: Evidence) -> str:
    rows = [
        f"{bar.label} | {bar.n:,} | {percent(bar.before)} | {percent(bar.after)} | {points(bar.after - bar.before)}"
        for bar in views.bars(evidence)
    ]
    return _table("Answered right | Questions | Before | After | Change", "---|--:|--:|--:|--:", rows)


def _documents(evidence: Evidence) -> str:
    gone = views.withdrawn(evidence)
    if gone:
        rows = [f"{_document(one)} | {_dash(one.base)}" for one in gone[:_DOCUMENTS_SHOWN]]
        head, align = "Withdrawn | Questions | Right before | Right after | Base model", "---|--:|--:|--:|--:"
    else:
        rows = [_document(one) for one in views.documents(evidence)[:_DOCUMENTS_SHOWN]]
        head, align = "Document | Questions | Right before | Right after", "---|--:|--:|--:"
    more = len(gone or evidence.case.documents) - _DOCUMENTS_SHOWN
    return _table(head, align, rows) + (f"\n\nand {more} more documents" if more > 0 else "")


def _cost(account: RunAccount) -> str:
    """One line; nothing where it is not known."""
    if not account.seconds:
        return ""
    stages = ", ".join(f"{one.stage.replace('_', ' ')} {one.seconds:,.0f} s" for one in account.seconds)
    aside = f" In quarantine: {counted(len(account.set_aside), 'document')}." if account.set_aside else ""
    cost = f"{stages}; {account.steps:,} training steps, {account.tokens:,} tokens.{aside}"
    return "\n\n".join((cost, *_screened(account)))


def _screened(account: RunAccount) -> list[str]:
    """Remarks on the documents, and what was dropped of the self-edits, each in a line."""
    lines = []
    if account.remarks:
        said = "; ".join(
            f"{plain(one.name, 60)}: {_cell(visible(one.reason, 160))}" for one in account.remarks[:_SCREENED]
        )
        lines.append(f"Remarks: {said}{_more(len(account.remarks))}.")
    if account.dropped:
        rows = account.dropped_by_reason
        said = "; ".join(f"{one.count:,} × {_cell(one.reason)}" for one in rows[:_SCREENED])
        lines.append(f"Dropped of what the model wrote: {said}{_more(len(rows))}.")
    return lines


def _more(count: int) -> str:
    return f"; and {count - _SCREENED} more" if count > _SCREENED else ""


def _document(one: DocumentRow) -> str:
    return f"{plain(one.title, 80)} | {one.questions} | {_dash(one.before)} | {_dash(one.after)}"


def _dash(count: int | None) -> str:
    return "–" if count is None else str(count)


def _table(head: str, align: str, rows: Sequence[str]) -> str:
    """A Markdown table; nothing where it has no rows."""
    if not rows:
        return ""
    spaced = (f"| {row.replace(' | ', f'{_GAP} | ')} |" for row in (head, *rows))
    first, *others = spaced
    return "\n".join((first, f"|{align}|", *others))


def _digests(report: GateReport, evidence: Evidence) -> str:
    manifest = evidence.case.manifest
    named = {
        "manifest": manifest.digest,
        "adapter": manifest.adapter,
        "report": report.digest,
        "policy": report.policy,
    }
    return "\n".join(f"- {name} `{value}`" for name, value in named.items())
