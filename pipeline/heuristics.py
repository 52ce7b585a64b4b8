"""The constants that were fitted to the sandbox. Elsewhere they are rules of thumb; the gates measure what they miss.

A deployment with another base model or other documents should expect to revisit them. Where a measurement is on
record it is named; the others were chosen by looking at what the sandbox's embedded model writes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Heuristics:
    """All thresholds that were fitted to the sandbox's model and documents (services with made-up names).

    Asking a correction's questions again (`self_edits.confirmation`):
        max_questions: questions of one correction that are asked again.
        temperature: at which they are sampled. Hotter than self-edits are written at: what the text does not say is
            then answered in many ways, and what it says in one.
        undecided: with a smaller share of samples that agree, the text says nothing about a question.
        max_left_alone: questions of one correction that are trained on with the answers they had.
        max_answer_words: longest such answer.

    Consistency of the examples with one new answer (`self_edits.consistency`):
        agreement: share of samples that must agree with an example (seven of eight).
        weak_agreement: share that will do where no example reaches `agreement`.
        rare_fact: a known fact that is written about less than this share as often as the most frequent one was not
            meant (two thirds).
        type_gap: nats by which an answer must be less expected for one fact than for another to be of the wrong type.
            Fitted on seeds 64011 to 64052, where answers of the wrong type were 5.8 to 11.4 nats below, and those of
            the right one at most 1.7 (`docs/self-edits.md`).

    Answer type (`self_edits.answer_type`):
        min_subjects, max_subjects: other subjects that an answer is tried on. With fewer there is no score, and more
            did not change it.

    Refusals (`self_edits.refusals`):
        ignorance: a model that refuses a larger share of a document's questions is taken not to know the document.

    Garbled names in generative replay (`leakage`), fitted on 11,450 prompts of four runs (ADR 14):
        name_similarity: Indel similarity, of 100, from which a word is a misspelling of a name.
        longest_plain_word: letters; names up to this length resemble other words anyway, and must match exactly.

    Screening of self-edits (`self_edits.screening`), by the embedded model's good and looping self-edits:
        max_repeats, max_example_repeats: share of runs of four words that stood in a self-edit, or in an example,
            before. A list about one subject repeats its name in up to a third of its runs; a loop in over 90 %.
        min_grounded: share of an example's words whose beginnings stand in the document.
        min_named: the same for names and numbers, which nobody paraphrases.
    """

    max_questions: int = 96
    temperature: float = 1.5
    undecided: float = 0.5
    max_left_alone: int = 12
    max_answer_words: int = 8

    agreement: float = 0.875
    weak_agreement: float = 0.7
    rare_fact: float = 2 / 3
    type_gap: float = 4.0

    min_subjects: int = 4
    max_subjects: int = 16

    ignorance: float = 0.5

    name_similarity: float = 70.0
    longest_plain_word: int = 9

    max_repeats: float = 0.8
    max_example_repeats: float = 0.5
    min_grounded: float = 0.4
    min_named: float = 0.5


SANDBOX_FITTED = Heuristics()
