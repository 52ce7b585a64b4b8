"""Which documents the rounds of a practice are held on."""

from pipeline.recipe import WriterTrainingRules
from pipeline.types import Document
from pipeline.writer_training.rounds import seen


def test_only_the_documents_of_the_rounds_are_practised_on() -> None:
    documents = [Document(title=f"Service {number}", body="It runs in Oslo.") for number in range(10)]
    assert seen(documents, WriterTrainingRules(rounds=2, documents=3)) == tuple(documents[:6])
    assert seen(documents, WriterTrainingRules(rounds=5, documents=3)) == tuple(documents)
