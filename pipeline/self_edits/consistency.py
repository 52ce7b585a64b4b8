"""Tells facts that a correction changes from facts into which the writer only reads the new answer. Pure.

A writer that expects a text to answer a question finds an answer in it: asked where the data are kept, it names the
new owner. It does so seldom, and asks far more often about what the text does say.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.heuristics import SANDBOX_FITTED


@dataclass(frozen=True)
class Checked:
    """A question and answer of a self-edit that the writer, asked again with the correction, answered alike.

    `example`: its id. `agreement`: the share of samples with this answer. `before`: the answer without the correction.
    `count`: how many self-edits hold the example. `type_score`: how well the answer's type suits the question, in nats
    (`pipeline.self_edits.answer_type`).
    """

    example: str
    agreement: float
    before: str
    count: int
    type_score: float = 0.0


def consistent(checked: Sequence[Checked]) -> list[Checked]:
    """Of examples with one answer those with enough agreement.

    If none reaches `agreement`, those with the highest, from `weak_agreement` on: each thing that a correction says
    should be asked once.
    """
    most = max((one.agreement for one in checked), default=0.0)
    agreement = SANDBOX_FITTED.agreement
    least = agreement if most >= agreement else max(SANDBOX_FITTED.weak_agreement, most)
    return [one for one in checked if one.agreement >= least]


def contested(checked: Sequence[Checked], answer: str, known: Collection[str]) -> list[Checked]:
    """The examples whose answer types must be compared: one answer is given to several facts, one of which was known.

    The answer may belong to each known fact (see `of_other_facts`) and to the fact that is written about most often.
    """
    counts = _fact_counts(checked)
    most = max(counts, key=lambda before: counts[before], default="")
    facts = {before for before in counts if before != answer and (before in known or before == most)}
    if len(facts) < 2:
        return []
    return [one for one in checked if one.before in facts and one.agreement >= SANDBOX_FITTED.weak_agreement]


def of_other_facts(checked: Sequence[Checked], answer: str, known: Collection[str]) -> frozenset[str]:
    """Ids of the examples that give the answer to a fact which the correction does not change.

    Examples with the same answer before are about one fact. A fact is another one if it was known before (`known`: the
    answers that several questions had), was not this answer already, and either the answer is of the wrong type for it,
    or it is written about rarely beside the most frequent of the remaining facts.
    """
    counts = _fact_counts(checked)
    wrong_type = _of_wrong_type(contested(checked, answer, known), known)
    often = max((count for before, count in counts.items() if before != answer and before not in wrong_type), default=0)
    rare = {
        before for before, count in counts.items() if before in known and count < SANDBOX_FITTED.rare_fact * often
    } - {answer}
    return frozenset(one.example for one in checked if one.before in rare | wrong_type)


def _fact_counts(checked: Sequence[Checked]) -> Counter[str]:
    """How often each fact (by its answer before) is written about with enough agreement."""
    counts: Counter[str] = Counter()
    for one in checked:
        if one.agreement >= SANDBOX_FITTED.weak_agreement:
            counts[one.before] += one.count
    return counts


def _of_wrong_type(checked: Sequence[Checked], known: Collection[str]) -> set[str]:
    """The known facts for which the answer is far less expected than for the fact that it suits best."""
    scores = {
        one.before: median(other.type_score for other in checked if other.before == one.before) for one in checked
    }
    best = max(scores.values(), default=0.0)
    return {before for before, score in scores.items() if before in known and score < best - SANDBOX_FITTED.type_gap}
