"""Says from inline styles, simple style sheets and attributes whether a browser shows what stands in a tag.

Loads nothing: what an external style sheet hides is known by the usual names of classes alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

Style = Mapping[str, str]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
_HIDDEN_TAGS = frozenset(
    [
        "script",
        "style",
        "noscript",
        "noframes",
        "template",
        "head",
        "title",
        "svg",
        "iframe",
        "object",
        "canvas",
        "datalist",
        "audio",
        "video",
        "annotation",
        "annotation-xml",
        "del",
        "s",
        "strike",
    ]
)
# The last three surround what a page is about, and are about the site.
_UNSHOWN_TAGS = _HIDDEN_TAGS | {"nav", "footer", "aside"}
_LANDMARK_ROLES = frozenset(
    ["navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog", "menu"]
)
_HIDING_CLASSES = frozenset(
    [
        "hidden",
        "hide",
        "d-none",
        "is-hidden",
        "invisible",
        "sr-only",
        "visually-hidden",
        "screen-reader-text",
        "screen-reader-only",
        "a11y-hidden",
        "visuallyhidden",
        "offscreen",
    ]
)
_CONSENT = re.compile(r"cookie|consent|gdpr")
_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|(.))", re.IGNORECASE)
_SELECTOR = re.compile(r"([a-z][a-z0-9]*)?((?:[.#][\w-]+)*)")
_NUMBER = re.compile(r"(-?\d*\.?\d+)\s*(px|pt|em|rem|ex|ch|vw|vh|%)?")
# Sizes below which nobody can read, by unit.
_SMALLEST = {"px": 2.0, "": 2.0, "pt": 2.0, "em": 0.15, "rem": 0.15, "%": 15.0}
_HEX = re.compile(r"#([0-9a-f]{3,8})\b")
_RGB = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,/]+([\d.]+)(%?))?")
_NAMED: dict[str, Colour] = {
    "white": WHITE,
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "ghostwhite": (248, 248, 255),
    "whitesmoke": (245, 245, 245),
    "black": (0, 0, 0),
}
_CLEAR = re.compile(r"transparent|#[0-9a-f]{6}00\b|#[0-9a-f]{3}0\b|(?:rgb|hsl)a?\([^)]*[,/]\s*0(?:\.0\d*)?%?\s*\)")
_ALIKE = 48  # sum of the differences of three channels that nobody sees
_MOST_RULES = 16  # of one class, id or tag: each is looked at for every tag that has it
Sheet = Mapping[str, "tuple[Rule, ...]"]


@dataclass(frozen=True)
class Rule:
    """A style sheet's rule for a tag, classes and an id, of which any may be missing."""

    tag: str
    names: frozenset[str]
    style: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shown:
    """How the text inside a tag is shown: in which colour, on which ground."""

    hidden: bool = False
    ink: Colour | None = (0, 0, 0)
    ground: Colour | None = WHITE


HIDDEN = Shown(hidden=True)


def sheet_of(texts: Iterable[str]) -> Sheet:
    """The rules of style sheets by a class, id or tag that each needs; those in `@media` and the like are left out."""
    found: dict[str, dict[tuple[str, frozenset[str]], Rule]] = {}
    for rule in (rule for text in texts for rule in _rules(_without_comments(text))):
        same = found.setdefault(min(rule.names, default=rule.tag), {})
        if len(same) < _MOST_RULES or (rule.tag, rule.names) in same:
            same[rule.tag, rule.names] = rule
    return {key: tuple(rules.values()) for key, rules in found.items()}


def shown(around: Shown, name: str, attributes: Mapping[str, str], sheet: Sheet) -> Shown:
    """How what stands in a tag is shown, within what stands `around` it."""
    if around.hidden or name in _UNSHOWN_TAGS or _says_hidden(name, attributes):
        return HIDDEN
    if not attributes and name not in sheet:
        return around
    classes = frozenset((attributes.get("class") or "").lower().split())
    if classes & _HIDING_CLASSES or any(map(_CONSENT.search, [*classes, (attributes.get("id") or "").lower()])):
        return HIDDEN
    style = _style_of(name, classes, attributes, sheet)
    if not style:
        return around
    ink = _colour(style["color"]) if "color" in style else around.ink
    ground = _colour(style.get("background-color", style.get("background", ""))) or around.ground
    clear = bool(_CLEAR.match(style.get("color", "")))
    return Shown(hidden=clear or _hides(style) or _alike(ink, ground), ink=ink, ground=ground)


def _says_hidden(name: str, attributes: Mapping[str, str]) -> bool:
    if not attributes:
        return name == "dialog"
    role = (attributes.get("role") or "").lower()
    closed = name == "dialog" and "open" not in attributes
    aria = (attributes.get("aria-hidden") or "").lower() == "true"
    return "hidden" in attributes or aria or closed or role in _LANDMARK_ROLES


def _style_of(name: str, classes: frozenset[str], attributes: Mapping[str, str], sheet: Sheet) -> dict[str, str]:
    style: dict[str, str] = {}
    if sheet:
        names = {f".{one}" for one in classes} | {f"#{(attributes.get('id') or '').lower()}"}
        for rule in (rule for key in (name, *sorted(names)) for rule in sheet.get(key, ())):
            if rule.tag in ("", name) and rule.names <= names:
                style.update(rule.style)
    if name == "font" and "color" in attributes:
        style["color"] = (attributes["color"] or "").lower()
    if "bgcolor" in attributes:
        style["background-color"] = (attributes["bgcolor"] or "").lower()
    if text := attributes.get("style"):
        style.update(_declarations(text))
    return style


@lru_cache(maxsize=256)
def _declarations(text: str) -> Style:
    plain = _ESCAPE.sub(_unescaped, _without_comments(text)).lower().replace("!important", "")
    pairs = (one.partition(":") for one in plain.split(";"))
    return {name.strip(): " ".join(value.split()) for name, _, value in pairs if value.strip()}


def _without_comments(text: str) -> str:
    first, *others = text.split("/*")
    return first + "".join(other.partition("*/")[2] for other in others)


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[2]
    point = int(found[1], 16)
    return chr(point) if 0 < point < 0xD800 else ""


def _rules(sheet: str) -> Iterator[Rule]:
    depth, start, selector = 0, 0, ""
    for brace in re.finditer("[{}]", sheet):
        if brace[0] == "{":
            if depth == 0:
                selector = sheet[start : brace.start()].rpartition(";")[2].strip().lower()
            depth, start = depth + 1, brace.end()
            continue
        if depth == 1 and not selector.startswith("@"):
            style = tuple(_declarations(sheet[start : brace.start()]).items())
            yield from (found for one in selector.split(",") if (found := _rule(one.strip(), style)))
        depth, start = max(0, depth - 1), brace.end()


def _rule(selector: str, style: tuple[tuple[str, str], ...]) -> Rule | None:
    """The rule of a selector whose last part names a class or id, or that is one tag; None for others."""
    parts = selector.replace(">", " ").split()
    found = _SELECTOR.fullmatch(parts[-1]) if parts else None
    if not found or not any(found.groups()) or (len(parts) > 1 and not found[2]):
        return None
    return Rule(found[1] or "", frozenset(re.findall(r"[.#][\w-]+", found[2])), style)


def _hides(style: Style) -> bool:
    return bool(style) and (
        style.get("display") == "none"
        or style.get("visibility") in ("hidden", "collapse")
        or style.get("content-visibility") == "hidden"
        or _below(style.get("opacity"), 0.1)
        or _tiny(style)
        or _moved_away(style)
        or _clipped(style)
    )


def _tiny(style: Style) -> bool:
    found = _NUMBER.match(style.get("font-size", "")) or _NUMBER.search(style.get("font", ""))
    if found and float(found[1]) < _SMALLEST.get(found[2] or "", 0.0):
        return True
    cut = style.get("overflow", style.get("overflow-y", "")) in ("hidden", "clip")
    sizes = [style.get(key) for key in ("width", "height", "max-width", "max-height")]
    return cut and any(_below(size, 2.0) for size in sizes)


def _moved_away(style: Style) -> bool:
    placed = style.get("position") in ("absolute", "fixed", "relative")
    sides = [style.get(side) for side in ("left", "top", "right", "bottom")] if placed else []
    moved = [style.get("text-indent"), style.get("margin-left"), style.get("margin-top"), *sides]
    shifted = re.search(r"translate[xy3d]*\(\s*-(\d+)", style.get("transform", ""))
    return any(_below(one, -400.0) for one in moved) or bool(shifted and int(shifted[1]) > 400)


def _clipped(style: Style) -> bool:
    clip, path = style.get("clip", "").replace(" ", ""), style.get("clip-path", "")
    scaled = re.search(r"scale[xy3d]*\(\s*0*(?:\.0+)?\s*[,)]", style.get("transform", ""))
    faded = re.search(r"opacity\(\s*0*(?:\.0\d*)?%?\s*\)", style.get("filter", ""))
    return bool(
        re.match(r"rect\([01](px)?,", clip) or re.match(r"inset\((50|[6-9]\d|100)%|circle\(0", path) or scaled or faded
    )


def _below(value: str | None, limit: float) -> bool:
    found = _NUMBER.match(value or "")
    return found is not None and float(found[1]) < limit


def _colour(value: str) -> Colour | None:
    """The first colour of a value; None where it is not known, or lets through what lies below."""
    if _CLEAR.match(value):
        return None
    if found := _RGB.search(value):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _HEX.search(value):
        digits = found[1]
        wide = "".join(2 * one for one in digits[:3]) if len(digits) < 6 else digits[:6]
        return int(wide[:2], 16), int(wide[2:4], 16), int(wide[4:6], 16)
    return next((_NAMED[word] for word in value.split() if word in _NAMED), None)


def _alike(ink: Colour | None, ground: Colour | None) -> bool:
    return ink is not None and ground is not None and sum(abs(ink[at] - ground[at]) for at in range(3)) < _ALIKE
