"""What a run costs is told apart by how surely the base model knew it."""

from benchmarks.data.common_knowledge import Fact, facts
from benchmarks.real.sureness import Question, lost
from benchmarks.standing_suites import by_wording

FACT: Fact = by_wording(list(facts())[:1])[0]


def test_each_question_counts_in_its_own_band() -> None:
    questions = [Question(FACT, "", right) for right in (16, 16, 15, 14, 12, 11, 3)]
    found = {one.name.partition(": ")[2]: (one.value, one.n) for one in lost("x", questions, [1, 0, 1, 0, 0, 1, 0])}
    assert found == {
        "16 to 16 of 16 sampled replies right": (0.5, 2),
        "15 to 15 of 16 sampled replies right": (0.0, 1),
        "12 to 14 of 16 sampled replies right": (1.0, 2),
        "8 to 11 of 16 sampled replies right": (0.0, 1),
        "0 to 7 of 16 sampled replies right": (1.0, 1),
    }
