"""The words we put to a model as its user: asking with and without a document. Knows no tokenizer and no model."""

QUESTION = "{question}"
_TITLE = "{title}"


def framed(frame: str, question: str, title: str = "") -> str:
    """A question in the recipe's `question_prompt`. Without a title, the frame's lines that name it are left out."""
    lines = [line for line in frame.split("\n") if title or _TITLE not in line or QUESTION in line]
    parts = [part.replace(_TITLE, title) for part in "\n".join(lines).partition(QUESTION)]
    return f"{parts[0]}{question}{parts[2]}"


def passage(title: str, body: str) -> str:
    """A document as a user shows it: its title on a line of its own, then its body."""
    return f"{title}\n{body}" if title else body


def open_book(title: str, body: str, question: str) -> str:
    """A question about a document that stands in the prompt."""
    return f"{passage(title, body)}\n\n{question}"


def workflow_question(subject: str, given: str) -> str:
    """What a workflow of that name makes of something."""
    return f"What does {subject or 'this workflow'} make of {given}?"
