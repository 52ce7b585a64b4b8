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


def questions(continuations: Sequence[str]) -> list[str]:
    """The questions that a model wrote after openings, each once; none whose own answer stands in it."""
    found: dict[str, str] = {}
    for text in continuations:
        for question, answer in _pairs(text):
            if usable(question) and _short(question, answer):
                found.setdefault(normalise(question), question)
    return list(found.values())


def usable(question: str) -> bool:
    """Whether it is one short question."""
    short = len(question.split()) <= _LONGEST_QUESTION and "\n" not in question
    return question.endswith("?") and short and "\N{REPLACEMENT CHARACTER}" not in question


def _pairs(continuation: str) -> Iterator[tuple[str, str]]:
    """The questions with answers, but for what the end cut off."""
    for block in f"{_QUESTION}{continuation}".split(_QUESTION)[1:]:
        question, found, rest = block.partition(f"\n{_ANSWER}")
        answer, whole, _ = rest.strip(" ").partition("\n")
        if found and whole:
            yield " ".join(question.split()), answer.strip(" .")


def _short(question: str, answer: str) -> bool:
    asked, said = normalise(question), normalise(answer)
    known = f" {said} " in f" {asked} " or "\N{REPLACEMENT CHARACTER}" in answer
    return 0 < len(said.split()) <= _LONGEST_ANSWER and not known
