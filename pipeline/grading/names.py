"""Whether an answer that stands in a reply is part of another name: "New York" in "New York City Ballet"."""

import re

from pipeline.grading.context import Context
from pipeline.grading.matching import Match
from pipeline.grading.normalisation import words_of
from pipeline.grading.reading import Reading, texts
from pipeline.grading.tokens import Word
from pipeline.grading.unspaced import stands_alone
from pipeline.grading.values import Number

_GLUED = re.compile(r"[+#@/_\\=&'’.–-]\S?$|^[+#@\\_]")
_TITLES = words_of(
    "sir dame dr doctor mr mrs ms prof professor president king queen prince princess emperor pope captain general "
    "colonel admiral senator judge lord lady chancellor minister saint mount river city the port page chapter number "
    "section release version room level line gate answer author name yes no herr frau monsieur madame señor don"
)
_DISTINGUISHING = words_of(
    "new old north south east west northern southern eastern western central upper lower great greater little san "
    "santa los las el la british american papua equatorial junior vice deputy anti non post pre"
)
# "Eastern Europe" lies in Europe; "South Africa" and "North America" are names of their own.
_PARTS, _CONTINENTS = words_of("northern eastern southern western central"), words_of("europe asia africa")
_OTHER_RANKS = words_of("deputy vice assistant former acting ex non anti semi")
_SUFFIXES = words_of("jr sr inc ltd corp llc gmbh ag plc co team")
_PARTICLES = words_of("da de del della van von der den di la le bin ibn al du dos")
_PEOPLE = words_of(  # without accents
    "who whom whose person man woman author writer painter artist composer actor actress singer player scientist "
    "physicist inventor leader president king queen minister founder director team club wer qui quien chi quem wie кто "
    "谁 誰 누구"
)
_HEADS = words_of("city town village state province republic kingdom county university island duke earl")
_ROMAN = re.compile("[IVX]+")
_YEARS = range(1000, 2200)
# Places that hold others: "Paris, France" names one place.
_HOLDING = words_of(
    "usa us uk eu france germany italy spain portugal england scotland wales ireland netherlands belgium "
    "switzerland austria poland sweden norway denmark finland greece turkey russia ukraine china japan korea india "
    "australia canada mexico brazil argentina chile peru egypt nigeria kenya israel iran iraq europe asia africa "
    "america alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho "
    "illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi "
    "missouri montana nebraska nevada ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia "
    "washington wisconsin wyoming ontario quebec dc"
)


def in_other_name(context: Context, match: Match) -> bool:
    """Whether the words around the answer make another name of it. Words of the question never do.

    A name may be longer on the left where a person is meant ("John Adams" for "Adams"), not on the right ("Washington
    Irving" for "Washington"), and not by a word that tells places apart ("New Jersey" for "Jersey").
    """
    reading = context.reading
    asked = texts(context.question.words)
    if not stands_alone(reading.words, match.start, match.end):
        return True
    if _is_glued(reading, match):
        return True
    if _owns_something(reading, match, context):
        return True
    if _continues(reading, match, asked):
        return True
    return _begins_before(reading, match, asked) or _counts_other(reading, match, asked)


def is_holding_place(word: Word) -> bool:
    """Whether it is a country or state that may follow a place's name."""
    return word.plain in _HOLDING


def _is_glued(reading: Reading, match: Match) -> bool:
    """Whether a sign joins it to a neighbour: "COVID-19", "C++", "example.org"."""
    words, before, after = reading.words, reading.gap(match.start), reading.gap(match.end)
    left = match.start > 0 and before != "" and not any(map(str.isspace, before)) and bool(_GLUED.search(before))
    sticks = after[:1] in tuple("+#@\\_=") if after else False
    right = match.end < len(words) and after != "" and not any(map(str.isspace, after)) and bool(_GLUED.search(after))
    return left or right or sticks


def _owns_something(reading: Reading, match: Match, context: Context) -> bool:
    """ "Newton's dog" is not Newton, unless the question asks whose it is."""
    last = reading.words[match.end - 1]
    if not last.possessive or match.wanted[-1].possessive:
        return False
    asked = context.question.words
    return not any(word.possessive or word.text == "whose" for word in asked)


def _follows(reading: Reading, at: int) -> Word | None:
    """The word there, if only a blank stands before it."""
    return reading.words[at] if 0 < at < len(reading.words) and reading.words[at].gap == " " else None


def _shouts(reading: Reading) -> bool:
    return not any(char.islower() for word in reading.words for char in word.shown)


def _continues(reading: Reading, match: Match, asked: frozenset[str]) -> bool:
    """Whether a name goes on behind it."""
    at, named = match.end, any(word.capital for word in reading.words[match.start : match.end])
    while (word := _follows(reading, at)) is not None and word.capital and word.plain in asked:
        at += 1
    if word is None or _shouts(reading) or not named:
        return False
    after = _follows(reading, at + 1)
    if word.text in _PARTICLES and after is not None and after.capital:
        return True
    if _ROMAN.fullmatch(word.shown):
        return word.shown != "I"
    if isinstance(word.value, Number) and reading.words[match.end - 1].value is None:
        return word.value.amount not in _YEARS and word.kind != "word" and word.shown not in asked
    return word.capital and word.text not in _SUFFIXES and not is_holding_place(word) and word.shown != "I"


def _begins_before(reading: Reading, match: Match, asked: frozenset[str]) -> bool:
    """Whether a name that it is part of begins before it."""
    first = reading.words[match.start]
    initial = reading.sentences[reading.sentence_of[match.start]].start
    if match.start <= initial or _shouts(reading):
        return False
    word = reading.words[match.start - 1]
    if first.gap == " " and word.text in _OTHER_RANKS and word.plain not in asked:
        return True
    if first.gap == " " and word.capital:
        return _is_part(reading, match, word, asked, opening=match.start - 1 == initial)
    if first.gap == " " and word.text == "of" and match.start - 2 > initial and first.capital:
        head = reading.words[match.start - 2]
        return head.capital and head.plain not in asked and head.plain not in _HEADS
    return False


def _is_part(reading: Reading, match: Match, word: Word, asked: frozenset[str], *, opening: bool) -> bool:
    first = reading.words[match.start]
    if word.text in _PARTS and first.plain in _CONTINENTS and "continent" in asked:
        return False
    if word.plain in asked or word.text in _TITLES or (opening and word.text in reading.language.common):
        return False
    if first.value is not None:
        return _names_number(reading, match, word, opening=opening)
    if not any(one.capital for one in match.wanted) and not first.capital:
        return False
    if word.text in _DISTINGUISHING or not any(one.capital for one in match.wanted):
        return first.capital
    bare = match.end == len(reading.words) and not word.text.endswith("ly")
    return (not opening or bare) and first.capital and bool(asked) and not asked & _PEOPLE


def _names_number(reading: Reading, match: Match, word: Word, *, opening: bool) -> bool:
    """ "Apollo 11" is not 11. At the beginning of a sentence any word is a capital: there only a bare name counts."""
    if not isinstance(reading.words[match.start].value, Number):
        return False
    bare = match.end == len(reading.words) and match.start == 1
    return not opening or (
        bare and not word.text.endswith(("ed", "ly")) and word.text not in ("about", "around", "circa", "only")
    )


def _counts_other(reading: Reading, match: Match, asked: frozenset[str]) -> bool:
    """Whether a number counts something else than was accepted: "5 pears" for "5 apples"."""
    noun, word = match.wanted[-1].suffix, _follows(reading, match.end)
    if len(match.wanted) > 1 or " " in noun or not noun or match.wanted[0].kind != "value" or word is None:
        return False
    common = word.text in reading.language.common or word.text in ("left", "in", "altogether")
    return not common and not {word.plain, word.plain.removesuffix("s")} & asked
