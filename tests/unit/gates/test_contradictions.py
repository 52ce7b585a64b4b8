"""What documents say against what is on record: only of what production surely knows, and they speak about."""

from dataclasses import replace
from typing import Any

import pytest

from gates import known_answers
from gates.checks import contradictions as gate
from gates.contradictions import MOST_READ, MOST_READ_IN_RUN, by_exam, by_reading, readings, surely_known, to_read
from gates.evidence import ReleaseEvalSet
from gates.known_answers import KnownAnswers
from gates.suite import Suites, eval_item_suite
from pipeline.recipe import ContradictionsPolicy, PolicyRules
from pipeline.types import (
    AskedOf,
    Contradiction,
    Contradictions,
    Document,
    DocumentKind,
    EvalItem,
    ItemScore,
    Verdict,
)

FRANCE = EvalItem(question="What is the capital of France?", answers=("Paris",), group="capital: France")
ROAD = EvalItem(question="What is the plural of the word road?", answers=("roads",), group="plural: road")
CINDER = EvalItem(question="Who owns Cinder?", answers=("Heron",), group="d" * 64, title="Cinder")
KNOWN = KnownAnswers(
    Suites(retention=(eval_item_suite("retention/facts", [FRANCE, ROAD]),)),
    [ReleaseEvalSet(release=2, eval_items=(CINDER,))],
)


def document(body: str, *asked: tuple[str, str], title: str = "News", kind: str = "passage") -> Document:
    items = tuple(EvalItem(question=question, answers=(answer,)) for question, answer in asked)
    return Document(title=title, body=body, eval_items=items, kind=DocumentKind(kind))


def about(one: Document) -> set[str]:
    return {known.item.question for known in KNOWN.about(one)}


@pytest.mark.parametrize(
    ("body", "asked", "title", "expected"),
    [
        ("The capital of France is Lyon.", (), "News", {FRANCE.question}),
        ("France's capital moved.", (), "News", {FRANCE.question}),
        ("France is large.", (), "News", set()),
        ("A road is built.", (), "News", set()),
        ("It moved.", (("What is the capital of France?", "Lyon"),), "News", {FRANCE.question}),
        ("It is run by Ibis now.", (), "Cinder", {CINDER.question}),
        ("The Cinder service is run by Ibis now.", (), "News", set()),
    ],
)
def test_a_document_speaks_about_what_it_names_asks_or_is_titled_by(
    body: str, asked: tuple[tuple[str, str], ...], title: str, expected: set[str]
) -> None:
    assert about(document(body, *asked, title=title)) == expected


def test_a_document_is_searched_only_for_what_it_has_a_word_of(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [EvalItem(question=f"Who owns N{at}x?", answers=("Heron",), group=f"N{at}x owns") for at in range(500)]
    known = KnownAnswers(Suites(retention=(eval_item_suite("retention/names", items),)), [])
    compared, stands = list[str](), known_answers._stand_in
    monkeypatch.setattr(known_answers, "_stand_in", lambda text, one: compared.append(text) or stands(text, one))
    (found,) = known.about(document("Ibis owns N7x now."))
    assert (found.item, len(compared)) == (items[7], 1)


def test_a_workflow_states_nothing() -> None:
    assert about(document("The capital of France is Lyon.", kind="workflow")) == set()


def contradicted(one: Document, france: float = 1.0, own: str = "Paris.") -> tuple[Contradiction, ...]:
    """What its exam contradicts where production scores so on France, and answers so to the document's questions."""
    scores = {FRANCE.id: ItemScore(item=FRANCE.id, score=france, answer="It is Paris.")}
    items = [replace(item, group=one.id) for item in one.eval_items]
    scores |= {item.id: ItemScore(item=item.id, score=float(own in item.answers), answer=own) for item in items}
    return by_exam(one, surely_known(KNOWN.about(one), scores), scores)


LYON = document("The capital of France is Lyon.", ("Which city is France's capital?", "Lyon"))


def test_an_exam_contradicts_what_production_answers_and_what_is_on_record() -> None:
    (found,) = contradicted(LYON)
    assert (found.production, found.says, found.known) == ("Paris.", "Lyon", FRANCE.question)
    assert (found.suite, found.declared, found.title) == ("retention/facts", False, "News")


def test_nothing_is_claimed_where_production_is_not_sure() -> None:
    assert contradicted(LYON, france=0.0) == ()
    assert contradicted(LYON, own="Marseille.") == ()


def test_nothing_is_claimed_of_what_agrees_or_asks_of_something_else() -> None:
    assert contradicted(document("The capital of France is Paris.", ("Which city is France's capital?", "Paris"))) == ()
    other = document("The capital of France moved. Lea is mayor.", ("Who is mayor?", "Lea"))
    assert contradicted(other) == ()


def test_a_correction_declares_it() -> None:
    (found,) = contradicted(replace(LYON, kind=DocumentKind.CORRECTION))
    assert found.declared


def read(one: Document, answer: str) -> tuple[Contradiction, ...]:
    scores = {FRANCE.id: ItemScore(item=FRANCE.id, score=1.0, answer="Paris")}
    known = to_read(one, surely_known(KNOWN.about(one), scores), ())
    return by_reading(one, [(each, answer) for each in known], scores)


def test_a_text_contradicts_what_production_reads_in_it() -> None:
    silent = document("The capital of France is Lyon.")
    (found,) = read(silent, "The capital of France is Lyon.")
    assert (found.question, found.says, found.production) == (FRANCE.question, "Lyon", "Paris")


@pytest.mark.parametrize("answer", ["Paris.", "Marseille.", "The capital of France.", ""])
def test_what_does_not_stand_in_the_text_is_no_statement_of_it(answer: str) -> None:
    assert read(document("The capital of France is Lyon."), answer) == ()


@pytest.mark.parametrize("body", ["The capital of France is Lyon, formerly Paris.", "Not Paris, Lyon is."])
def test_a_text_is_read_though_it_names_the_known_answer(body: str) -> None:
    (found,) = read(document(f"France. Its capital: {body}"), "Lyon")
    assert found.says == "Lyon"


def test_what_a_text_says_of_something_else_is_no_statement_about_the_known() -> None:
    both = document("Paris is the capital of France. Lyon is the second city.")
    assert read(both, "Lyon") == ()


def test_what_a_text_does_not_name_is_read_first() -> None:
    both = document("The capital of France is Paris. The plural of road is roods.")
    assert [one.item for one in to_read(both, KNOWN.about(both), ())] == [ROAD, FRANCE]


def test_a_text_that_names_everything_is_not_read_for_ever() -> None:
    items = [EvalItem(question=f"Who owns N{at}x?", answers=("Heron",), group=f"N{at}x") for at in range(100)]
    known = KnownAnswers(Suites(retention=(eval_item_suite("retention/names", items),)), [])
    whole = document(" ".join(item.group for item in items))
    assert len(known.about(whole)) == 100
    scores = {item.id: ItemScore(item=item.id, score=1.0, answer="Heron") for item in items}
    (reading,) = readings([(whole, known.about(whole))], scores)
    assert (len(reading.read), reading.left) == (MOST_READ, 100)
    assert str(reading.asked(MOST_READ)) == f"News ({MOST_READ} of 100)"


def test_of_many_texts_that_name_everything_each_is_read_as_much() -> None:
    items = [EvalItem(question=f"Who owns N{at}x?", answers=("Heron",), group=f"N{at}x") for at in range(40)]
    known = KnownAnswers(Suites(retention=(eval_item_suite("retention/names", items),)), [])
    scores = {item.id: ItemScore(item=item.id, score=1.0, answer="Heron") for item in items}
    long_ = [document(f"{at} {' '.join(item.group for item in items)}") for at in range(100)]
    short = document(items[0].group)
    found = readings([(one, known.about(one)) for one in (*long_, short)], scores)
    assert {len(one.read) for one in found[:-1]} == {10}
    assert len(found[-1].read) == found[-1].left == 1
    assert sum(len(one.read) for one in found) <= MOST_READ_IN_RUN


def contradiction(one: Document, *, declared: bool = False) -> Contradiction:
    return Contradiction(
        document=one.id,
        title=one.title,
        question="Which city?",
        known=FRANCE.question,
        suite="retention/facts",
        production="Paris",
        says="Lyon",
        declared=declared,
    )


def judged(case: Any, rights: Any, declared: bool = False, **rules: int) -> Any:
    evidence = case().run(rights(80, 76), rights(80)).evidence()
    ids, first = tuple(one.id for one in evidence.case.documents), evidence.case.documents[0]
    found = Contradictions(documents=ids, known=3, found=(contradiction(first, declared=declared),) * 2)
    policy = PolicyRules(contradictions=ContradictionsPolicy(**rules))
    return gate.judge(replace(evidence, case=replace(evidence.case, contradictions=found)), policy)


def test_the_gate_names_the_documents(case: Any, rights: Any) -> None:
    result = judged(case, rights)
    assert result.verdict is Verdict.FAIL
    assert result.sentence == (
        "contradictions: 1 of 3 known answers that 20 documents speak about are contradicted, 2 times in all: "
        "title 0 (2)"
    )


def test_copies_of_one_document_are_named_once_and_an_answer_counts_once(case: Any, rights: Any) -> None:
    evidence = case().run(rights(80, 76), rights(80)).evidence()
    copies = [replace(contradiction(one), title="Lyon") for one in evidence.case.documents[:5]]
    ids = tuple(one.id for one in evidence.case.documents)
    found = Contradictions(documents=ids, known=3, found=tuple(copies))
    result = gate.judge(replace(evidence, case=replace(evidence.case, contradictions=found)), PolicyRules())
    assert result.sentence.endswith("are contradicted, 5 times in all: Lyon (5 in 5 documents)")
    assert result.sentence.startswith("contradictions: 1 of 3 known answers")


def test_the_gate_allows_what_is_declared_and_what_the_policy_allows(case: Any, rights: Any) -> None:
    assert judged(case, rights, max_in_run=2).verdict is Verdict.PASS
    assert judged(case, rights, max_in_run=1).verdict is Verdict.FAIL
    declared = judged(case, rights, declared=True)
    assert declared.verdict is Verdict.PASS
    assert declared.sentence.endswith("is contradicted; 2 more by corrections, which declare it")


def asked_of(case: Any, rights: Any, asked: int, declared: bool = False) -> Any:
    evidence = case().run(rights(80, 76), rights(80)).evidence()
    ids = tuple(one.id for one in evidence.case.documents)
    part = AskedOf(document=ids[0], title="title 0", known=100, asked=asked, declared=declared)
    found = Contradictions(documents=ids, known=100, found=(), asked=(part,))
    return gate.judge(replace(evidence, case=replace(evidence.case, contradictions=found)), PolicyRules())


def test_the_gate_does_not_pass_on_what_it_did_not_ask(case: Any, rights: Any) -> None:
    result = asked_of(case, rights, 32)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.sentence.endswith("; 32 of 100 questions were asked, not all of title 0 (32 of 100)")
    assert {figure.name: figure.value for figure in result.figures}["asked"] == 32
    assert asked_of(case, rights, 100).verdict is Verdict.PASS
    assert asked_of(case, rights, 32, declared=True).verdict is Verdict.PASS


def test_documents_that_nobody_compared_are_no_pass(case: Any, rights: Any) -> None:
    assert gate.judge(case().run(rights(80), rights(80)).evidence(), PolicyRules()).verdict is Verdict.INCONCLUSIVE
