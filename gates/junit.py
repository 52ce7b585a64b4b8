"""A gate report as JUnit XML, which other people's continuous integration reads: each gate is a test case."""

from xml.etree import ElementTree

from gates.evidence import Unmeasured
from pipeline.types import GateReport, Verdict


def junit(report: GateReport, candidate: str, unmeasured: tuple[Unmeasured, ...] = ()) -> str:
    """FAIL is a failure, INCONCLUSIVE an error; a gate that only informs is skipped where it did not pass.

    candidate: what was judged, as people name it. unmeasured: suites that could not be asked, as errors of their own.
    """
    suite = ElementTree.Element("testsuite", name=_legal(f"sealed gates: {candidate}"))
    for result in report.results:
        case = ElementTree.SubElement(suite, "testcase", classname="sealed.gates", name=_legal(result.gate))
        if result.verdict is not Verdict.PASS:
            kind = "skipped" if not result.required else "failure" if result.verdict is Verdict.FAIL else "error"
            ElementTree.SubElement(case, kind, message=_legal(result.sentence), type=result.verdict.value)
        else:
            ElementTree.SubElement(case, "system-out").text = _legal(result.sentence)
    for one in unmeasured:
        case = ElementTree.SubElement(suite, "testcase", classname="sealed.suites", name=_legal(one.suite))
        ElementTree.SubElement(case, "error", message=_legal(one.reason), type="not measured")
    for counted, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counted, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    """Text without the characters that no XML document may hold: a model's answer may hold any."""
    return "".join(char if char in "\t\n\r" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
