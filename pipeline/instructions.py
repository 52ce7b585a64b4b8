"""Finds text that tells a language model what to do: orders to forget, how to answer, whose role to take.

Wordings of many languages, by rule: what is worded otherwise passes. Linear in the text. Knows no document.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pipeline.normal_forms import UNSPACED

FORGET = "order to forget instructions"
ANSWER = "order how to answer"
ROLE = "role marker"
ADDRESS = "address to a language model"


class _Words(NamedTuple):
    """How a language says "ignore", "earlier" or "all", and "instructions". `last`: whether the verb comes last."""

    verb: str
    whose: str
    things: str
    last: bool = False


_FORGET = (
    _Words(
        r"ignore|disregard|forget|do not follow|stop following|override",
        r"previous|prior|above|earlier|preceding|former|all|any|every|your|these",
        r"instructions?|prompts?|directions|guidelines|directives",
    ),
    _Words(
        r"ignorier\w*|vergiss|vergesst|vergessen|missacht\w*",
        r"vorherig\w*|bisherig\w*|vorig\w*|obig\w*|früher\w*|all\w*",
        r"anweisung\w*|instruktion\w*|vorgaben|befehle",
    ),
    _Words(
        r"ignore[zr]?|oubliez?|néglige[zr]?",
        r"précédent\w*|antérieur\w*|ci-dessus|tou\w*",
        r"instructions?|consignes?|directives?",
    ),
    _Words(r"ignor[aeo]\w*|olvid[ae]\w*", r"anterior\w*|previ[ao]s?|tod[ao]s", r"instrucci\w+|indicaciones|órdenes"),
    _Words(r"ignor[ai]\w*|dimentic\w+", r"precedent\w*|tutt[ei]", r"istruzion\w+|indicazion\w+|direttiv\w+"),
    _Words(
        r"ignor[ea]\w*|esqueç\w+|esquec\w+|desconsider\w+", r"anterior\w*|prévi\w+|tod[ao]s", r"instruç\w+|orientaç\w+"
    ),
    _Words(r"negeer|vergeet", r"vorige|eerdere|bovenstaande|alle", r"instructies|opdrachten|aanwijzingen"),
    _Words(
        r"zignoruj\w*|ignoruj\w*|zapomnij\w*", r"poprzedni\w*|wcześniejsz\w*|wszystki\w*", r"instrukcj\w*|polece\w+"
    ),
    _Words(
        r"проигнорируй\w*|игнорируй\w*|забудь\w*", r"предыдущ\w*|прежни\w*|все\w?", r"инструкци\w*|указани\w*|команд\w*"
    ),
    _Words(r"bỏ qua|phớt lờ|quên", r"trước|trên|tất cả|mọi", r"hướng dẫn|chỉ thị|mệnh lệnh"),
    _Words(r"تجاهل\w*|انس\w*", r"السابق\w*|جميع|كل", r"التعليمات|تعليمات|الأوامر"),
    _Words(
        r"忽略|忽视|忽視|无视|無視|忘记|忘記", r"之前|以上|上述|先前|前面|所有|一切", r"指令|指示|提示词|提示詞|命令"
    ),
    _Words(
        r"yok say\w*|unut\w*|görmezden gel\w*", r"önceki|yukarıdaki|tüm", r"talimat\w*|komut\w*|yönerge\w*", last=True
    ),
    _Words(r"अनदेखा|नज़रअंदाज़|भूल", r"पिछले|पिछली|सभी|पूर्व", r"निर्देश\w*|आदेश\w*", last=True),
    _Words(r"無視|忘れ", r"これまで|以前|上記|前の|すべて|全て", r"指示|命令|プロンプト|指令", last=True),
    _Words(r"무시|잊어", r"이전|앞의|위의|모든", r"지시|명령|지침|프롬프트", last=True),
)
_NEGATED = re.compile(r"(?:not|never|n't|nicht|nie|ne|jamais|no|nunca|não|non|niet|не|لا)\W{1,2}$", re.IGNORECASE)
_NEAR = 60  # characters between the words of an order
_NEGATION = 12  # characters of a "never" before it
_GAP = r"[^.!?。！？\n]{0,40}?"
# Each pattern with what must stand in the text, in lower case, for it to be looked for.
_ANSWERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        rf"(?<!\w)(?:answer|reply(?: to)?|respond(?: to)?)(?!\w)[^.!?\n]{{0,20}}?(?<!\w)(?:every|all|any|each)(?!\w)"
        rf"{_GAP}(?<!\w)(?:questions?|quer(?:y|ies)|prompts?|messages?)(?!\w){_GAP}(?<!\w)(?:with|by|saying)(?!\w)",
        ("answer", "reply", "respond"),
    ),
    (
        r"(?<!\w)(?:whenever|when|if|once) (?:you are|you're) (?:ever |next )?asked(?!\w)[^.!?\n]{0,120}?(?<!\w)"
        r"(?:answer|say|reply|respond)(?!\w)",
        ("asked",),
    ),
    (
        r"(?<!\w)(?:whenever|when|if) (?:ever )?asked(?!\w)[^.!?\n,]{0,120}?, *"
        r"(?:always |please |just |only |you must )*(?:answer|say|reply|respond)(?!\w)",
        ("asked",),
    ),
    (r"(?<!\w)from now on,? (?:you|answer|reply|respond|say|act)(?!\w)", ("from now on",)),
    (
        rf"(?<!\w)(?:antworte|beantworte)n?(?!\w){_GAP}(?<!\w)(?:jede|alle)\w*{_GAP}(?<!\w)fragen?(?!\w){_GAP}"
        r"(?<!\w)mit(?!\w)",
        ("antworte",),
    ),
    (
        rf"(?<!\w)répond\w*{_GAP}(?<!\w)(?:tou\w+|chaque)(?!\w){_GAP}(?<!\w)questions?(?!\w){_GAP}(?<!\w)"
        r"(?:par|avec)(?!\w)",
        ("répond",),
    ),
    (
        rf"(?<!\w)(?:respond|contest)\w*{_GAP}(?<!\w)(?:tod[ao]s|cada|cualquier)(?!\w){_GAP}(?<!\w)"
        rf"(?:preguntas?|perguntas?)(?!\w){_GAP}(?<!\w)(?:con|com)(?!\w)",
        ("pregunta", "pergunta"),
    ),
    (rf"(?<!\w)rispond\w*{_GAP}(?<!\w)(?:tutte|ogni)(?!\w){_GAP}(?<!\w)domand\w+{_GAP}(?<!\w)con(?!\w)", ("rispond",)),
    (rf"(?<!\w)отвечай\w*{_GAP}(?<!\w)(?:кажд\w+|все|любо\w+)(?!\w){_GAP}(?<!\w)вопрос\w*", ("отвечай",)),
    (r"(?:所有|每个|每個|任何)的?(?:问题|問題)[^。！？\n]{0,10}?回答", ("回答",)),
    (r"(?:すべて|全て|あらゆる)の質問[^。！？\n]{0,20}?答え", ("質問",)),
    (r"모든 질문[^.!?\n]{0,30}?(?:답|대답)", ("모든 질문",)),
)
_MODEL = r"(?:AI|A\.I\.|artificial intelligence|(?:large )?language models?|LLMs?|chat ?bots?)"
_MODELS = ("ai", "a.i.", "artificial intelligence", "language model", "llm", "chatbot", "chat bot")
_ADDRESSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"(?<!\w)(?:you are|you're|act as|behave as|pretend (?:to be|you are))(?: now)?(?: an?| the| my)?"
        rf"(?: \w{{1,20}}){{0,2}}? {_MODEL}(?!\w)",
        _MODELS,
    ),
    (
        rf"(?<!\w)(?:dear|attention|note to|message to|a word to)(?: the| all| any| every)?,? {_MODEL}(?!\w)",
        _MODELS,
    ),
    (r"(?<!\w)as an? (?:AI|language model|AI (?:assistant|model)|AI language model),? you(?!\w)", _MODELS),
    (r"(?<!\w)(?:reveal|print|repeat|show|ignore)(?: me)?(?: your| the) (?:system|hidden|initial) prompt", ("prompt",)),
)
_ROLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^[ \t]{0,8}<\|(?:im_start|start_header_id|system|user|assistant)\|>", ("<|",)),
    (r"^[ \t]{0,8}(?:<start_of_turn>|\[/?INST\]|<</?SYS>>)", ("<start_of_turn>", "inst]", "sys>>")),
    (r"^[ \t]{0,8}(?:#{2,6}[ \t]{0,3}|\[)(?:system|assistant)(?: prompt| message)?\]?[ \t]{0,3}:", ("system", "assis")),
    (
        r"^[ \t]{0,8}(?:new |updated )?(?:system|developer) (?:prompt|message|override|instructions?)[ \t]{0,3}:",
        ("system ", "developer "),
    ),
    (r"^[ \t]{0,8}(?:human|user)[ \t]{0,3}:[^\n]{0,300}\n+[ \t]{0,8}(?:assistant|AI)[ \t]{0,3}:", ("\n",)),
)
_FLAGS = re.IGNORECASE | re.MULTILINE
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|[。！？\n]")
_LONGEST = 400  # characters of a sentence on each side of what was found


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where a sentence tells a model what to do, and by which rule it was found."""

    rule: str
    start: int
    end: int


def told(text: str) -> tuple[Told, ...]:
    """The sentences in `text` that tell a model what to do, in order; what overlaps counts once."""
    plain = _folded(text)
    found = [Told(rule=rule, start=_start(plain, start), end=_end(plain, end)) for rule, start, end in _found(plain)]
    kept: list[Told] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return tuple(kept)


def told_beyond(text: str, source: str) -> tuple[Told, ...]:
    """What `told` finds in a text that was written about `source`, by rules that find nothing in `source` itself.

    A text about such orders may quote them; one that was taken without any may not bring them.
    """
    found = told(text)
    known = {one.rule for one in told(source)} if found else set()
    return tuple(one for one in found if one.rule not in known)


def _found(text: str) -> Iterator[tuple[str, int, int]]:
    lowered = text.lower()
    for order in _orders():
        if any(hint in lowered for hint in order.hints):
            yield from ((FORGET, start, end) for start, end in order.found(text))
    for rule, pattern, hints in _patterns():
        if any(hint in lowered for hint in hints):
            yield from ((rule, match.start(), match.end()) for match in pattern.finditer(text))


class _Order(NamedTuple):
    """The words of a language as patterns. `first` are looked for, then `second` behind them, and `whose` by both."""

    first: re.Pattern[str]
    second: re.Pattern[str]
    whose: re.Pattern[str]
    hints: tuple[str, ...]
    last: bool

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self.first.finditer(text):
            other = self.second.search(text, match.end(), match.end() + _NEAR)
            if other is None or _SENTENCE_END.search(text, match.end(), other.start()):
                continue
            if _NEGATED.search(text, max(0, match.start() - _NEGATION), match.start()):
                continue
            least = max(_start(text, match.start()), match.start() - _NEAR) if self.last else match.end()
            if self.whose.search(text, least, min(_end(text, other.end()), other.end() + _NEAR // 2)):
                yield match.start(), other.end()


@cache
def _orders() -> tuple[_Order, ...]:
    made = []
    for words in _FORGET:
        verb, whose, things = map(_pattern, (words.verb, words.whose, words.things))
        first, second = (things, verb) if words.last else (verb, things)
        made.append(_Order(first, second, whose, _hints(words.things), words.last))
    return tuple(made)


def _pattern(words: str) -> re.Pattern[str]:
    spaced = not re.match(f"[{UNSPACED}가-힣]", words)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)" if spaced else words, _FLAGS)


def _hints(words: str) -> tuple[str, ...]:
    """How each of the words begins: what must stand in a text for one of them to be found."""
    return tuple(re.split(r"\w?\?|[\\\[(]", word)[0] for word in words.split("|"))


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], tuple[str, ...]], ...]:
    listed = ((ANSWER, _ANSWERS), (ADDRESS, _ADDRESSES), (ROLE, _ROLES))
    return tuple((rule, re.compile(one, _FLAGS), hints) for rule, patterns in listed for one, hints in patterns)


def _folded(text: str) -> str:
    """The text with full-width and other compatible spellings of single characters made plain, at the same places."""
    spelled = {char: unicodedata.normalize("NFKC", char) for char in set(text) if not char.isascii()}
    return text.translate({ord(char): plain for char, plain in spelled.items() if len(plain) == 1 and plain != char})


def _start(text: str, at: int) -> int:
    """Where the sentence begins that holds the place `at`."""
    least = max(0, at - _LONGEST)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, least, at)]
    return ends[-1] if ends else least


def _end(text: str, at: int) -> int:
    """Where it ends."""
    match = _SENTENCE_END.search(text, max(0, at - 1), at + _LONGEST)
    return max(at, match.start()) if match else min(len(text), at + _LONGEST)
