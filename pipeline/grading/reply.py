"""Cuts the part out of a model's reply that answers: without thoughts, markup, greetings and further turns."""

import re

LONGEST = 4_000  # characters of a reply that are read: an answer stands at the beginning, and grading stays linear

_BOXED = re.compile(r"\\boxed\{([^{}]{1,400})\}")
_FINAL = re.compile(r"final answer(?:\s+is)?\s*[:*]*", re.IGNORECASE)
_MARKUP = (
    (re.compile(r"!?\[([^\[\]\n]{1,200})\]\([^()\s]{1,300}\)"), r"\1"),  # a link
    (re.compile(r"</?[A-Za-z][^<>\n]{0,60}>"), " "),  # a tag
    (re.compile(r"\*+|`+|~~|(?<!\w)__?(?=\w)|(?<=\w)__?(?!\w)"), ""),  # bold, italics, code
    (re.compile(r"^[ \t]{0,8}>(?!\d)[ \t]?", re.MULTILINE), ""),  # a quotation
)
_HEADING = re.compile(r"^[ \t]{0,8}#{1,6}[ \t].*$", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]{0,8}(?:[-*•+]|\(?[A-Ha-h][.)]|\(?\d{1,2}[.)])[ \t]+", re.MULTILINE)
_OPTION = re.compile(r"[ \t]+\(?[A-Ha-h]\)[ \t]+")
_TURN = re.compile(
    r"^[ \t]{0,8}(?:q|question|user|human|passage|context|instruction|###.*)[ \t]?:", re.IGNORECASE | re.MULTILINE
)
_SPEAKER = re.compile(
    r"\s*(?:a|answer|the answer|assistant|ai|bot|response|output|reply|antwort|réponse|respuesta|risposta)\s?:\s*",
    re.IGNORECASE,
)
_GREETINGS = (
    "sure|certainly|of course|absolutely|great question|good question|thanks for asking|thank you for asking|"
    "no problem|i'm happy to help|i am happy to help|happy to help|here is the answer|here's the answer|hello|hi|"
    "let me (?:think|check|see|look)(?: (?:about|at|into) (?:that|this|it))?|"
    "let's (?:think|see)(?: about (?:that|this|it))?|hmm+|okay|ok"
)
_GREETING = re.compile(rf"\s*(?:(?:{_GREETINGS})\b[ ,]*)+[.!:]*\s*", re.IGNORECASE)
_FAREWELL = re.compile(
    r"\s(?:let me know if|is there anything else|i hope (?:this|that) helps|feel free to)\b", re.IGNORECASE
)


def answering(reply: str) -> str:
    """The first paragraph that answers, of at most LONGEST characters; list items one a line. "" where nothing does.

    What follows "final answer" or stands in a box counts alone. A following question, which small models ask
    themselves, ends the reply.
    """
    text = _stated(reply.rpartition("</think>")[2])
    if text.lstrip()[:7] == "<think>":
        return ""
    text = text.lstrip()[: 2 * LONGEST]
    for pattern, plain in _MARKUP:
        text = pattern.sub(plain, text)
    return _paragraph(_own_turn(text))[:LONGEST]


def _stated(text: str) -> str:
    """What the reply itself calls its answer, or all of it."""
    if boxed := _last(_BOXED, text):
        return boxed[1]
    final = _last(_FINAL, text)
    return text[final.end() :] if final and text[final.end() :].strip() else text


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def _own_turn(text: str) -> str:
    """Without a repeated question at the beginning, the speaker's label, and turns that follow."""
    if (turn := _TURN.match(text)) and "\n" in text[turn.end() :]:
        text = text[turn.end() :].partition("\n")[2]
    text = text[speaker.end() :] if (speaker := _SPEAKER.match(text)) else text
    further = _TURN.search(text, 1)
    return text[: further.start()] if further else text


def _paragraph(text: str) -> str:
    """The first paragraph with content; those before it that only greet or announce are left out."""
    for paragraph in re.split(r"\n[ \t\r]*\n", text):
        body = _HEADING.sub("", paragraph).strip() or ("" if "\n\n" in text else paragraph.strip(" #"))
        body = body[greeting.end() :] if (greeting := _GREETING.match(body)) else body
        body = body[speaker.end() :] if (speaker := _SPEAKER.match(body)) else body
        farewell = _FAREWELL.search(body)
        body = body[: farewell.start()] if farewell and farewell.start() else body
        if body.strip() and not body.rstrip().endswith(":"):
            return _items(body.strip())
    return ""


def _items(body: str) -> str:
    """Without the labels of a list's items."""
    body = _OPTION.sub("\n", f" {body}" if _OPTION.match(f" {body}") else body)
    labels = len(_BULLET.findall(body))
    dated = labels == 1 and re.match(r"\s*\d{2,}|\s*[2-9]\.", body)  # "28. August" is no item
    return (body if dated else _BULLET.sub("", body)).strip()
