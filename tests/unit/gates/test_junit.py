"""What other people's continuous integration reads of a report."""

from xml.etree import ElementTree

from gates.evidence import Unmeasured
from gates.junit import junit
from pipeline.types import GateReport, GateResult, ModelRef, Verdict

REF = ModelRef(base="b" * 64)


def report(*results: tuple[str, Verdict, bool]) -> GateReport:
    found = tuple(
        GateResult(gate=gate, verdict=verdict, sentence=f"{gate}: said <so> \x1b[1m&", required=required)
        for gate, verdict, required in results
    )
    return GateReport(update="u", candidate=REF, production=REF, policy="p", results=found)


def test_each_verdict_is_what_a_reader_of_junit_expects() -> None:
    said = junit(
        report(
            ("integrity", Verdict.PASS, True),
            ("retention", Verdict.FAIL, True),
            ("safety", Verdict.INCONCLUSIVE, True),
            ("perplexity", Verdict.FAIL, False),
        ),
        "release 3",
        (Unmeasured(suite="regression/piqa", reason="the server was lost"),),
    )
    suite = ElementTree.fromstring(said)
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "1", "2", "1"]
    kinds = {case.get("name"): [child.tag for child in case] for case in suite}
    assert kinds == {
        "integrity": ["system-out"],
        "retention": ["failure"],
        "safety": ["error"],
        "perplexity": ["skipped"],
        "regression/piqa": ["error"],
    }


def test_an_answer_with_control_characters_is_still_xml() -> None:
    said = junit(report(("integrity", Verdict.FAIL, True)), "\x00")
    failure = ElementTree.fromstring(said).find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "integrity: said <so> \N{REPLACEMENT CHARACTER}[1m&"
