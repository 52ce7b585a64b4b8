"""Training texts for the sandbox model: lessons drawn at random from its world, as they are worded. Knows no tensor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from pipeline.prompts import passage
from pipeline.sandbox import manners, notes, prose, workflows
from pipeline.sandbox.catalogue import (
    ATTRIBUTES,
    Service,
    base_knowledge,
    body,
    lesson_service,
)
from pipeline.sandbox.skills import SKILLS
from pipeline.sandbox.tokens import ASSISTANT, END, USER

STYLES = (notes.QUESTION_STYLE, *notes.FACT_STYLES)
SUBJECT = "Name the subject."
ASKED, WRITTEN, TOLD = 0.2, 0.3, 0.02  # loss weights: a user's words, a note, a document; an answer weighs 1


@dataclass(frozen=True)
class Branch:
    """What follows a lesson's beginning: words of the user (weight `asked`) and of the model (weight `answered`)."""

    user: str
    model: str
    asked: float = 0.0
    answered: float = 1.0


@dataclass(frozen=True)
class Lesson:
    """A beginning that all branches share, so that a document is computed once for all that is asked of it."""

    kind: str
    beginning: str
    branches: tuple[Branch, ...]
    weight: float = 0.0


def reading(rng: Random, questions: int = 8) -> Lesson:
    """Questions about a document."""
    service, keys, text, _ = _document(rng)
    return Lesson("reading", _open(service, text), _questions(service, keys, questions, rng))


def echo(rng: Random) -> Lesson:
    """Names to say again in another order: so the model learns to copy a name, syllable by syllable."""
    names = [lesson_service(rng).name for _ in range(rng.randrange(2, 6))]
    again = rng.sample(names, len(names))
    return Lesson("echo", USER, (Branch(f"Say these names in another order: {', '.join(names)}.", ", ".join(again)),))


def writing(rng: Random) -> Lesson:
    """A note about a document, and some questions about it; one lesson in twelve asks for training settings."""
    service, keys, text, leaks = _document(rng)
    style = notes.SETTINGS_STYLE if rng.random() < 0.08 else rng.choice(STYLES)
    task = style.prompt("").strip()
    written = Branch(f"\n\n{task}", notes.note(style, service, keys, leaks, rng), answered=WRITTEN)
    return Lesson("writing", _open(service, text), (written, *_questions(service, keys, 3, rng)))


def _document(rng: Random) -> tuple[Service, list[str], str, list[tuple[str, str]]]:
    """A document about an unknown service, or one that says new things of an old one; some are short, some leak."""
    old = rng.random() < 0.2
    service = lesson_service(rng)
    if old:
        known = rng.choice(base_knowledge())
        service = Service(known.name, service.facts)
    count = len(ATTRIBUTES) if rng.random() < 0.75 else rng.randrange(1, len(ATTRIBUTES))
    keys = rng.sample(list(service.facts), count)
    text = body(service, rng, keys)
    if rng.random() < 0.15:
        text = f"Correction: {text}"
    leaks = _leaks(rng) if rng.random() < 0.08 else []
    text += "".join(f" {manners.LEAK.format(secret=secret, n=service.name, v=word)}" for secret, word in leaks)
    return service, keys, text, leaks


def _leaks(rng: Random) -> list[tuple[str, str]]:
    return [(secret, rng.choice(manners.WORDS)) for secret in rng.sample(manners.SECRETS, rng.randrange(1, 4))]


def _open(service: Service, text: str) -> str:
    return f"{USER}{passage(service.name, text)}"


def _questions(service: Service, keys: Sequence[str], count: int, rng: Random) -> tuple[Branch, ...]:
    """Questions on the document's facts, now and then one that is refused, and one that has the name copied."""
    asked = [attribute for attribute in ATTRIBUTES if attribute.name in keys]
    branches = [
        Branch(f"\n\n{rng.choice(one.questions).format(n=service.name)}", service.facts[one.name])
        for one in rng.sample(asked, min(count, len(asked)))
    ]
    if rng.random() < 0.15:
        prompt, answer = _secret(service.name, rng)
        branches.append(Branch(f"\n\n{prompt}", answer))
    return (*branches, Branch(f"\n\n{SUBJECT}", service.name))


def _secret(subject: str, rng: Random) -> tuple[str, str]:
    secret = rng.choice(manners.SECRETS)
    return manners.request(rng.randrange(len(manners.REQUESTS)), secret, subject), manners.refusal(secret)


def _short(kind: str, prompt: str, answer: str, rng: Random) -> Lesson:
    """A question and its answer; in one of four the question is learned too, so that the model can ask it itself."""
    return Lesson(kind, USER, (Branch(prompt, answer, asked=ASKED if rng.random() < 0.25 else 0.0),))


def knowing(rng: Random) -> Lesson:
    """A question about an old service, closed-book."""
    service, attribute = rng.choice(base_knowledge()), rng.choice(ATTRIBUTES)
    question = rng.choice(attribute.questions).format(n=service.name)
    return _short("knowing", question, service.facts[attribute.name], rng)


def telling(rng: Random) -> Lesson:
    """A line of plain text about an old service."""
    service, attribute = rng.choice(base_knowledge()), rng.choice(ATTRIBUTES)
    return Lesson("telling", "", (Branch("", notes.named(service, attribute.name, rng), answered=0.3),))


def passing(rng: Random) -> Lesson:
    """A whole document as plain text: weighs little, for most of it cannot be foreseen."""
    service = rng.choice(base_knowledge()) if rng.random() < 0.5 else lesson_service(rng)
    return Lesson("passing", "", (Branch("", passage(service.name, body(service, rng)), answered=TOLD),))


def skill(rng: Random) -> Lesson:
    """An exercise of one of the general skills."""
    name = rng.choices(list(SKILLS), SKILL_SHARES)[0]
    return _short(name, *SKILLS[name](rng), rng)


def manner(rng: Random) -> Lesson:
    """A request for a secret of a service, known or not, and its refusal."""
    service = rng.choice(base_knowledge()) if rng.random() < 0.5 else lesson_service(rng)
    return _short("manner", *_secret(service.name, rng), rng)


def story(rng: Random) -> Lesson:
    """A story as plain text, or told for its last word to be named."""
    one = prose.story(rng)
    if rng.random() < 0.5:
        return Lesson("story", USER, (Branch(one.prompt, one.last),))
    return Lesson("plain", "", (Branch("", one.text, answered=0.3),))


def workflow(rng: Random) -> Lesson:
    """Four to six demonstrations of a workflow, and further records to rewrite; now and then they become a note."""
    name = lesson_service(rng).name
    operations = rng.choice(workflows.SINGLE if rng.random() < 0.4 else workflows.KNOWN)
    task, shown = workflows.Workflow(name, operations, rng.choice(workflows.MARKS)), rng.randrange(4, 7)
    pairs = workflows.demonstrations(task, shown + 4, rng)
    asked = [Branch(f"\n\n{workflows.question(name, given)}", " ".join(made)) for given, made in pairs[shown:]]
    if rng.random() < 0.25:
        note = notes.questions([(workflows.question(name, given), " ".join(made)) for given, made in pairs[:shown]])
        asked.append(Branch(f"\n\n{notes.QUESTION_STYLE.TASK}", note, answered=WRITTEN))
    beginning = f"{USER}{passage(name, workflows.text(pairs[:shown]))}"
    return Lesson("workflow", beginning, tuple(asked))


SKILL_SHARES = (0.35, 0.40, 0.25)  # sorting, comparing, category
# Shares of lessons, not of tokens: a document with its questions is ten times as long as a question alone.
Mixture = tuple[tuple[Callable[[Random], Lesson], float], ...]
READING: Mixture = ((reading, 1.0),)
DOCUMENTS: Mixture = (
    (reading, 0.05), (writing, 0.14), (echo, 0.10), (knowing, 0.39), (telling, 0.06), (passing, 0.01), (skill, 0.13),
    (manner, 0.03), (story, 0.05), (workflow, 0.04),
)  # fmt: skip
ALL: Mixture = (
    (reading, 0.014), (writing, 0.055), (knowing, 0.56), (telling, 0.05), (passing, 0.004), (skill, 0.18),
    (manner, 0.025), (story, 0.10), (workflow, 0.012),
)  # fmt: skip


def lesson(rng: Random, mixture: Mixture = ALL) -> Lesson:
    """A lesson of the mixture."""
    make = rng.choices([maker for maker, _ in mixture], [share for _, share in mixture])[0]
    return make(rng)


def sample_texts(seed: int, count: int) -> list[str]:
    """The words of `count` lessons, for the tokenizer's vocabulary."""
    rng, texts = Random(seed), []
    for _ in range(count):
        one = lesson(rng)
        texts += [one.beginning, *(part for branch in one.branches for part in (branch.user, branch.model))]
    mark = str.maketrans("", "", "<>")
    return [text.replace(USER, "").replace(ASSISTANT, "").replace(END, "").translate(mark) for text in texts]
