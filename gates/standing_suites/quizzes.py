"""Lists of questions and answers that a model goes on with: by two examples of a kind it writes more. Pure."""

from collections.abc import Iterator, Sequence
from random import Random

from pipeline.digests import seed_from
from pipeline.grading import normalise

_KINDS = (
    ("Capitals", "What is the capital of France?", "Paris", "What is the capital of Japan?", "Tokyo"),
    ("Countries", "In which country is Berlin?", "Germany", "In which country is Cairo?", "Egypt"),
    ("Continents", "On which continent is Kenya?", "Africa", "On which continent is India?", "Asia"),
    ("Languages", "Which language is spoken in Italy?", "Italian", "Which language is spoken in Brazil?", "Portuguese"),
    ("Opposites", "What is the opposite of hot?", "cold", "What is the opposite of early?", "late"),
    ("Animals", "What is a young dog called?", "puppy", "Which animal gives us milk?", "cow"),
    ("Nature", "Which planet do we live on?", "Earth", "What do bees make?", "honey"),
    ("Chemistry", "What is the chemical symbol of oxygen?", "O", "What is the chemical symbol of iron?", "Fe"),
    ("Authors", "Who wrote Hamlet?", "William Shakespeare", "Who wrote War and Peace?", "Leo Tolstoy"),
    ("Inventors", "Who invented the telephone?", "Alexander Graham Bell", "Who discovered radium?", "Marie Curie"),
    ("Counting", "How many days are in a week?", "7", "How many legs has a spider?", "8"),
    ("Sums", "What is 3 plus 4?", "7", "What is 5 plus 1?", "6"),
    ("Calendar", "Which day comes after Monday?", "Tuesday", "Which month comes before May?", "April"),
    ("Colours", "What colour is grass?", "green", "What colour is snow?", "white"),
    ("Body", "Which organ pumps the blood?", "heart", "What do we see with?", "eyes"),
    ("Money", "What is the currency of Japan?", "yen", "What is the currency of India?", "rupee"),
)
_QUESTION, _ANSWER = "Q:", "A:"
_LONGEST_QUESTION, _LONGEST_ANSWER = 20, 5  # words


def openings(seed: int) -> tuple[str, ...]:
    """The beginning of a list of each kind. The seed decides in which order its examples stand."""
    found = []
    for name, *pairs in _KINDS:
        shown = [f"{_QUESTION} {pairs[at]}\n{_ANSWER} {pairs[at + 1]}\n\n" for at in (0, 2)]
        Random(seed_from("quiz", name, seed)).shuffle(shown)
        found.append(f"{name}\n\n{''.join(shown)}{_QUESTION}")
    return tuple(found)


def pairs(continuation: str) -> Iterator[tuple[str, str]]:
    """The questions with answers that a model wrote after an opening, but for what its end cut off."""
    for block in f"{_QUESTION}{continuation}".split(_QUESTION)[1:]:
        question, found, rest = block.partition(f"\n{_ANSWER}")
        answer, whole, _ = rest.strip(" ").partition("\n")
        question, answer = " ".join(question.split()), answer.strip(" .")
        if found and whole and usable(question, answer):
            yield question, answer


def usable(question: str, answer: str) -> bool:
    """Whether it is one short question, and its short answer does not stand in it."""
    asked, said = normalise(question), normalise(answer)
    short = len(question.split()) <= _LONGEST_QUESTION and 0 < len(said.split()) <= _LONGEST_ANSWER
    return question.endswith("?") and short and f" {said} " not in f" {asked} " and "\ufffd" not in question + answer


def shown(continuations: Sequence[str]) -> list[tuple[str, str]]:
    """Each question once, with the answer that was written first."""
    found: dict[str, tuple[str, str]] = {}
    for text in continuations:
        for question, answer in pairs(text):
            found.setdefault(normalise(question), (question, answer))
    return list(found.values())
