"""The reviewer's page and its short forms: complete, in words, and harmless whatever the documents hold."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gates import views
from gates.account import RunAccount, SetAside
from gates.catalogue import checks
from gates.evaluation import report_on
from gates.plots import write_plots
from gates.report import write_report
from gates.shares import shares
from gates.summary import LONGEST, markdown, plain
from gates.wording import visible
from gates.writing import WrittenText
from pipeline.recipe import AcquisitionPolicy, PolicyRules
from pipeline.types import (
    Contradiction,
    Contradictions,
    Document,
    DocumentKind,
    Dropped,
    EvalItem,
    Example,
    GateReport,
    StageSeconds,
    Verdict,
)

POLICY = PolicyRules(acquisition=AcquisitionPolicy(min_items=20, min_documents=4))
ACCOUNT = RunAccount(
    seconds=(StageSeconds(stage="self_edits", seconds=2.46), StageSeconds(stage="gates", seconds=4.0)),
    steps=12,
    tokens=640,
    set_aside=(SetAside(name="odd.md", reason="FAIL: retention: too much was lost"),),
)
HOSTILE = (
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "![track](http://example.org/x.png) [link](javascript:alert(1)) | cell",
    "\u202egnp.exe \x00\x1b[31m",
)


def _judged(made: Any) -> tuple[GateReport, Any]:
    evidence = made.evidence()
    return report_on(evidence, POLICY, checks(POLICY)), evidence


@pytest.fixture
def good(case: Any, rights: Any) -> Any:
    made = case().run(rights(40, 38), rights(40, 2)).release_set(1, rights(40), rights(40))
    made.standing("retention", "base-knowledge", rights(400), rights(400, 3))
    made.standing("regression", "sorting", rights(600), rights(600))
    return made.standing("safety", "secrets", rights(100), rights(100))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def _contradicting(good: Any, *texts: str) -> Any:
    """Evidence in which the first document contradicts what is known with each of the texts, and the second declares
    it."""
    evidence = good.evidence()
    first, second = evidence.case.documents[:2]
    found = tuple(
        Contradiction(
            document=one.id,
            title=text,
            question=text,
            known=text,
            suite="retention/base-knowledge",
            production=text,
            says=text,
            declared=declared,
        )
        for one, declared in ((first, False), (second, True))
        for text in texts
    )
    compared = Contradictions(documents=tuple(one.id for one in evidence.case.documents), known=9, found=found)
    return replace(evidence, case=replace(evidence.case, contradictions=compared))


def test_page_and_summary_show_what_the_documents_contradict(good: Any, tmp_path: Path) -> None:
    evidence = _contradicting(good, "Who owns Cinder?")
    report = report_on(evidence, POLICY, checks(POLICY))
    assert report.verdict is Verdict.PASS
    page = write_report(report, evidence, tmp_path / "report.html").read_text()
    assert page.count("<h2>Against what production knows</h2>") == 1
    assert page.count("Who owns Cinder?") > 2
    assert "<summary>Declared by corrections</summary>" in page
    assert '<td class="n" data-label="Contradicts">1</td>' in page
    text = markdown(report, evidence)
    assert "**Against what production knows**" in text
    assert "in this run" in text
    assert "contradictions (informs only)" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_contradiction_is_harmless_whatever_it_says(text: str, good: Any, tmp_path: Path) -> None:
    evidence = _contradicting(good, *(f"{at} {text}" for at in range(90)))
    report = report_on(evidence, POLICY, checks(POLICY))
    page = write_report(report, evidence, tmp_path / "report.html").read_text()
    found = _Tags()
    found.feed(page)
    assert not {"script", "img", "a", "iframe"} & found.tags
    assert not {name for name in found.attributes if name.startswith("on")}
    assert len(markdown(report, evidence)) <= LONGEST


def test_the_page_says_verdict_figures_flips_and_how_to_approve(good: Any, tmp_path: Path) -> None:
    report, evidence = _judged(good)
    assert report.verdict is Verdict.PASS
    page = write_report(report, evidence, tmp_path / "reports" / "report.html", release=4).read_text()
    for words in [
        "This model may replace production once a person has approved it.",
        "40 eval items of 10 documents",
        "base-knowledge question 1?",
        "sealed approve 4 --as NAME --note",
        evidence.case.manifest.digest,
        "Release 1",
        ">sorting (600)<",
        "3 right before and wrong now",
    ]:
        assert words in page, words
    assert list(tmp_path.glob("reports/*")) == [tmp_path / "reports" / "report.html"]


def test_a_refused_candidate_has_no_commands_to_approve_it(case: Any, rights: Any, tmp_path: Path) -> None:
    report, evidence = _judged(case().run(rights(40, 38), rights(40, 38)))
    page = write_report(report, evidence, tmp_path / "report.html").read_text()
    assert "This model must not replace production." in page
    assert "sealed approve" not in page
    assert "There is nothing to approve" in page


def test_a_candidate_that_was_never_measured_has_a_page_too(case: Any, rights: Any, tmp_path: Path) -> None:
    made = case().run(rights(8), rights(8))
    made.integrity, made.measured = "the weights are damaged.", []
    report, evidence = _judged(made)
    page = write_report(report, evidence, tmp_path / "report.html").read_text()
    assert "the weights are damaged." in page
    assert "Nothing was measured." in page
    assert write_plots(evidence, tmp_path) == ()
    assert "the weights are damaged" in markdown(report, evidence)


def _hostile(made: Any) -> tuple[GateReport, Any]:
    """The good case with strangers' text wherever text can come from."""
    text = " ".join(HOSTILE)
    eval_item = EvalItem(question=f"{text} question?", answers=(text,), group=text)
    document = Document(title=text, body=text, name=text)
    made.documents.append(document)
    made.written.append(WrittenText(document=document.id, style=text, text=text))
    made.examples = [Example(prompt=text, completion=text), Example(prompt="", completion=text)]
    made.release_set(2, [1.0], [0.0])
    made.release_sets[-1] = replace(made.release_sets[-1], eval_items=(eval_item,))
    evidence = made.evidence()
    item = replace(evidence.candidate_scores[-1].items[0], item=eval_item.id, answer=text)

    def told(scores: Any, value: float) -> Any:
        return (*scores[:-1], replace(scores[-1], items=(replace(item, score=value),)))

    evidence = replace(
        evidence,
        candidate_scores=told(evidence.candidate_scores, 0.0),
        production_scores=told(evidence.production_scores, 1.0),
    )
    return report_on(evidence, POLICY, checks(POLICY)), evidence


def test_no_text_of_a_stranger_becomes_markup(good: Any, tmp_path: Path) -> None:
    good.written = [WrittenText(document=good.documents[0].id, style="self-qa", text="calm")]
    harmless, calm = _Tags(), _judged(good)
    harmless.feed(write_report(*calm, tmp_path / "calm.html", ACCOUNT).read_text())
    report, evidence = _hostile(good)
    text = " ".join(HOSTILE)
    account = replace(ACCOUNT, set_aside=(SetAside(name=text, reason=text),))
    page = write_report(report, evidence, tmp_path / "report.html", account).read_text()
    found = _Tags()
    found.feed(page)
    assert found.tags <= harmless.tags
    assert found.attributes <= harmless.attributes
    assert not {"script", "img", "a", "iframe", "object", "link"} & found.tags
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7 * 7 }}" in page
    assert not set(page) & {"\u202e", "\x00", "\x1b"}


def test_documents_stand_beside_what_was_written_about_them(good: Any, tmp_path: Path) -> None:
    told, silent = good.documents[:2]
    good.written = [WrittenText(document=told.id, style="self-qa", text=f"Q: {n}? A: {n}.") for n in range(9)]
    page = write_report(*_judged(good), tmp_path / "report.html").read_text()
    beside = page[page.index("Documents beside what was written") : page.index("What it was trained on")]
    assert told.body in beside
    assert beside.count("Written, self-qa") == 3
    assert silent.title not in beside


def test_the_page_says_what_is_in_quarantine_and_what_the_run_cost(good: Any, tmp_path: Path) -> None:
    report, evidence = _judged(good)
    page = write_report(report, evidence, tmp_path / "report.html", ACCOUNT).read_text()
    for words in ("In quarantine", "odd.md", "FAIL: retention", "What it cost", "self edits", "2.5 s", "640 tokens"):
        assert words in page, words
    text = markdown(report, evidence, ACCOUNT)
    assert "self edits 2 s, gates 4 s; 12 training steps, 640 tokens. In quarantine: 1 document." in text
    bare = write_report(report, evidence, tmp_path / "bare.html").read_text()
    assert "In quarantine" not in bare
    assert "What it cost" not in bare


def test_what_was_dropped_is_counted_by_reason_and_remarks_name_their_document(good: Any, tmp_path: Path) -> None:
    report, evidence = _judged(good)
    dropped = [("a", "broken characters", 2), ("b", "broken characters", 1), ("b", "<b>order</b>", 4)]
    account = RunAccount(
        seconds=ACCOUNT.seconds,
        remarks=(SetAside(name="odd.md", reason="redacted: order how to answer at character 4 of its text"),),
        dropped=tuple(Dropped(document=of, style="rewrite", reason=why, count=n) for of, why, n in dropped),
    )
    assert [(row.count, row.documents) for row in account.dropped_by_reason] == [(4, 1), (3, 2)]
    page = write_report(report, evidence, tmp_path / "report.html", account).read_text()
    for words in ("Remarks on its documents", "odd.md", "Dropped of what the model wrote", "&lt;b&gt;order"):
        assert words in page, words
    text = markdown(report, evidence, account)
    assert "Remarks: odd.md: redacted: order how to answer at character 4 of its text." in text
    assert "Dropped of what the model wrote: 4 × &lt;b&gt;order&lt;/b&gt;; 3 × broken characters." in text


def test_names_of_suites_are_text_in_the_plots(good: Any, rights: Any, tmp_path: Path) -> None:
    calm, found = _Tags(), _Tags()
    calm.feed(write_report(*_judged(good), tmp_path / "calm.html").read_text())
    good.standing("retention", '<script>alert(2)& "$x^2$ 世界', rights(5), rights(5))
    report, evidence = _judged(good)
    page = write_report(report, evidence, tmp_path / "report.html").read_text()
    found.feed(page)
    assert (found.tags, found.attributes) == (calm.tags, calm.attributes)
    drawn = page[page.index("What each model knows") : page.index("What broke")]
    assert '>&lt;script&gt;alert(2)&amp; "$x^2$ 世界 (5)</text>' in drawn
    assert len(write_plots(evidence, tmp_path)) == 2


def test_the_plots_say_what_was_right_before_and_after(good: Any, tmp_path: Path) -> None:
    page = write_report(*_judged(good), tmp_path / "report.html").read_text().replace("\u00a0", " ")
    bars = page[page.index("Before and after") : page.index("What each model knows")]
    for words in ("This run's questions", "40 questions", "5 % before", "95 % after", "+90.0 points"):
        assert f">{words}</" in bars, words
    matrix = page[page.index("What each model knows") : page.index("What broke")]
    for words in ("base model", "production model", "candidate", "Release 1 (40)", "▼ -0.7", "99 %"):
        assert f">{words}</" in matrix, words


def test_suites_are_called_by_their_files_and_pools_by_their_gates(good: Any, rights: Any) -> None:
    good.standing("retention", "customer_FAQ", rights(120), rights(120))
    report, evidence = _judged(good)
    assert [row.label for row in views.matrix(evidence)][2:] == ["base-knowledge", "customer_FAQ", "secrets", "sorting"]
    pools = ["This run's questions", "Earlier releases", "Retention suites", "Benchmarks", "Safety"]
    assert [bar.label for bar in views.bars(evidence)] == pools
    text = markdown(report, evidence).lower()
    assert "base knowledge" not in text
    assert "old world" not in text


def test_sampled_answers_have_a_bar_and_a_row_of_their_own_and_no_flips(good: Any) -> None:
    plain = views.flips(good.evidence(), lost=True)
    suite = good.suites["retention"][-1]
    good.sampled(8, [0.875] * len(suite), [0.75] * len(suite))
    evidence = good.evidence()
    (bar,) = [bar for bar in views.bars(evidence) if bar.key == "sampled"]
    assert (bar.label, bar.before, bar.after) == ("Retention suites by samples", 0.875, 0.75)
    row = views.matrix(evidence)[-1]
    assert (row.label, row.base, row.before, row.after) == ("base-knowledge, sampled", 0.875, 0.875, 0.75)
    assert views.flips(evidence, lost=True) == plain
    report = report_on(evidence, POLICY, checks(POLICY))
    assert {figure.name: figure.value for figure in report.recall}["sampled_after"] == 0.75


def test_questions_that_samples_answer_far_less_often_are_listed_the_deepest_first(good: Any, tmp_path: Path) -> None:
    suite = good.suites["retention"][-1]
    rest = [1.0] * (len(suite) - 3)
    good.sampled(8, [0.875, 1.0, 1.0, *rest], [0.25, 0.0, 0.625, *rest])
    evidence = good.evidence()
    first, second = suite.eval_items[:2]
    falls = views.falls(evidence)
    assert [one.question for one in falls] == [second.question, first.question]
    assert falls[1].before.startswith("7 of 8 right")
    assert falls[1].after.startswith("2 of 8 right")
    page = write_report(report_on(evidence, POLICY, checks(POLICY)), evidence, tmp_path / "report.html").read_text()
    assert "2 that fewer samples answer rightly, by half of the samples or more" in page


@pytest.mark.parametrize(
    ("samples", "before", "after", "count"), [(10, 0.7, 0.2, 1), (10, 0.7, 0.3, 0), (2, 1.0, 0.0, 0)]
)
def test_a_fall_is_half_of_enough_samples(good: Any, samples: int, before: float, after: float, count: int) -> None:
    rest = [1.0] * (len(good.suites["retention"][-1]) - 1)
    good.sampled(samples, [before, *rest], [after, *rest])
    assert len(views.falls(good.evidence())) == count


def test_a_corrected_question_is_no_fall(good: Any) -> None:
    suite = good.suites["retention"][-1]
    rest = [1.0] * (len(suite) - 1)
    good.sampled(8, [1.0, *rest], [0.0, *rest])
    assert len(views.falls(good.evidence())) == 1
    corrected = replace(suite.eval_items[0], answers=("another",))
    good.documents.append(Document(title="t", body="b", kind=DocumentKind.CORRECTION, eval_items=(corrected,)))
    assert views.falls(good.evidence()) == ()


def test_a_corrected_question_is_no_lost_one(good: Any) -> None:
    lost = views.flips(good.evidence(), lost=True)
    gained = views.flips(good.evidence(), lost=False)
    suite = good.suites["retention"][0]
    corrected = [replace(one, answers=("another",)) for one in suite.eval_items if one.question == lost[0].question]
    good.documents.append(Document(title="t", body="b", kind=DocumentKind.CORRECTION, eval_items=tuple(corrected)))
    assert views.flips(good.evidence(), lost=True) == lost[1:]
    assert views.flips(good.evidence(), lost=False) == gained


def test_a_share_counts_the_questions_it_is_of(good: Any) -> None:
    old = good.suites["retention"][0].eval_items[0]
    corrected = replace(old, answers=("another",))
    good.documents.append(Document(title="t", body="b", kind=DocumentKind.CORRECTION, eval_items=(corrected,)))
    (share,) = [share for share in shares(good.evidence()) if share.key == "base_knowledge"]
    assert (share.n, share.after) == (399, 397 / 399)


def test_a_run_that_learned_no_document_lists_none(case: Any, rights: Any, tmp_path: Path) -> None:
    report, evidence = _judged(case().standing("retention", "old", rights(40), rights(40)))
    assert "Documents of this run" not in write_report(report, evidence, tmp_path / "report.html").read_text()


def test_the_page_needs_nothing_from_outside(good: Any, tmp_path: Path) -> None:
    page = write_report(*_judged(good), tmp_path / "report.html").read_text()
    assert "default-src 'none'" in page
    assert "src=" not in page.replace("default-src", "")
    assert "href=" not in page
    assert "url(" not in page


def test_the_markdown_is_short_and_its_titles_are_only_letters(good: Any) -> None:
    report, evidence = _hostile(good)
    text = markdown(report, evidence)
    assert len(text) <= LONGEST
    assert "&lt;script&gt;" in text
    assert "<" not in text
    assert "](" not in text.replace("\\]\\(", "")
    assert plain(HOSTILE[5], 200).startswith("\\!\\[track\\]\\(http")
    assert "| retention&emsp; |" in text
    assert evidence.case.manifest.digest in text


def test_the_markdown_of_a_long_run_still_fits(good: Any) -> None:
    good.documents += [Document(title=f"{'*' * 300} {at}", body="b") for at in range(500)]
    report, evidence = _judged(good)
    worded = tuple(replace(result, sentence="long words " * 300) for result in report.results) * 3
    text = markdown(replace(report, results=worded), evidence)
    assert len(text) <= LONGEST


def test_plots_are_written_as_png(good: Any, tmp_path: Path) -> None:
    _, evidence = _judged(good)
    written = write_plots(evidence, tmp_path)
    assert [path.name for path in written] == ["recall.png", "retention.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_the_same_report_is_the_same_page(good: Any, tmp_path: Path) -> None:
    report, evidence = _judged(good)
    first = write_report(report, evidence, tmp_path / "a.html").read_bytes()
    assert first == write_report(report, evidence, tmp_path / "b.html").read_bytes()


def test_text_is_cut_and_its_tricks_are_shown() -> None:
    assert visible("abc", 3) == "abc"
    assert visible("abcd", 3) == "ab…"
    assert visible("a\u202eb\tc\nd", 10) == "a\ufffdb c\nd"


def test_what_no_adapter_changes_and_how_it_thinks_is_said(good: Any, tmp_path: Path) -> None:
    report, evidence = _judged(good)
    usual = write_report(report, evidence, tmp_path / "usual.html").read_text(encoding="utf-8")
    assert "Not adapted" not in usual
    manifest = replace(evidence.case.manifest, thinking="off", unadapted="experts (89 % of the weights)")
    told = replace(evidence, case=replace(evidence.case, manifest=manifest))
    page = write_report(report, told, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<dt>Not adapted</dt><dd>experts (89" in page
    assert "<dt>Thinking</dt><dd>switched off in prompts</dd>" in page
