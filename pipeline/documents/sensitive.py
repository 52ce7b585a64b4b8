"""Finds secrets and personal data in a text, by detect-secrets' rules and a few of our own. Never says a value.

Each piece of a text is short when it is searched, so that no rule takes more than linear time.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.documents.randomness import is_random
from pipeline.recipe import PersonalRule

_WINDOW, _OVERLAP = 1_200, 400  # characters; the longest secret but a private key has some three hundred
# Rules that fire on what is public, or on words that stand in any handbook.
_LEFT_OUT = frozenset(
    {
        "Artifactory Credentials",
        "Basic Auth Credentials",
        "IBM Cloud IAM Key",
        "IBM COS HMAC Credentials",
        "Private Key",
        "Public IP (ipv4)",
    }
)
# What stands, in lower case, in all that a rule finds: where none of it is in a text, the rule need not look.
_HINTS = {
    "Artifactory Credentials": ("akc", "ap"),
    "AWS Access Key": ("a3t", "abia", "acca", "akia", "asia", "aws"),
    "Azure Storage Account access key": ("accountkey=",),
    "Cloudant Credentials": ("cloudant", "cl_", "cl-", "clkey", "clpass", "cltoken", "clapi", "clou"),
    "Discord Bot Token": (".",),
    "GitHub Token": ("gh", "github_pat_"),
    "GitLab Token": ("gl", "gr1348941"),
    "JSON Web Token": ("eyj",),
    "Mailchimp Access Key": ("-us",),
    "NPM tokens": ("_authtoken",),
    "OpenAI Token": ("t3blbkfj",),
    "PyPI Token": ("pypi-",),
    "SendGrid API Key": ("sg.",),
    "Slack Token": ("xox", "hooks.slack"),
    "SoftLayer Credentials": ("softlayer", "sl_", "sl-", "slkey", "slpass", "sltoken", "slapi"),
    "Square OAuth Secret": ("sq0csp",),
    "Stripe Access Key": ("k_live_",),
    "Telegram Bot Token": (":",),
    "Twilio API Key": ("ac", "sk"),
    "Credentials in an address": ("://",),
    "Google API Key": ("aiza",),
    "Hugging Face Token": ("hf_",),
    "AI provider's API Key": ("sk-",),
    "PuTTY Key": ("putty",),
    "email address": ("@",),
    "phone number": ("+",),
}
_BLANK, _LONGEST = re.compile(r"\s"), 4_000  # characters of the rest of a match that a window cuts off
_KEY_BLOCK = re.compile("-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_KEY_END = re.compile("-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_ASSIGNED = re.compile(
    r"""(?<![\w-])(?:\w{0,40}[_-])?(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|client[_-]?secret)"""
    r"""["']?[ \t]{0,3}(?:=|:|:=|=>)[ \t]{0,3}["']?([^\s"'<>(){}\[\]$,;]{8,200})""",
    re.IGNORECASE,
)
Rule = tuple[str, re.Pattern[str]]
_OWN: tuple[Rule, ...] = (
    # With a digit: words begin so, too.
    (
        "Artifactory Credentials",
        re.compile(
            r"""(?<![^\s=:"'])(?=[A-Z]{2}[A-Za-z]{0,80}\d)(?:AKC[a-zA-Z0-9]{10,200}|AP[\dA-F][a-zA-Z0-9]{8,200})(?![^\s"'])"""
        ),
    ),
    ("Credentials in an address", re.compile(r"://[^\s/:@?#]{1,128}:([^\s/:@?#]{3,128})@")),
    ("JSON Web Token", re.compile(r"\beyJ[\w-]{8,600}\.[\w-]{4,600}(?:\.[\w-]{4,600})?")),
    ("PuTTY Key", re.compile(r"PuTTY-User-Key-File-\d:[^\n]{0,200}")),
    ("Google API Key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}")),
    ("Hugging Face Token", re.compile(r"\bhf_[A-Za-z0-9]{30,60}\b")),
    ("GitHub Token", re.compile(r"\bgithub_pat_[A-Za-z0-9_]{22,100}")),
    ("AI provider's API Key", re.compile(r"\bsk-(?:ant|proj|svcacct|or)-[A-Za-z0-9_-]{20,200}")),
)
_PERSONAL: tuple[tuple[PersonalRule, re.Pattern[str]], ...] = (
    ("payment card", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")),
    ("IBAN", re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")),
    ("social security number", re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")),
    ("email address", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")),
    ("phone number", re.compile(r"(?<![\w+])\+\d{1,3}[ -]?(?:\(?\d{1,5}\)?[ -]?){2,6}\d(?!\w)")),
)
# How the numbers of issuers of cards begin, and how long they are: other numbers have the same check digit.
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:6011|65\d\d|35\d\d)\d{12}"
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Where a rule found something in a text. It holds no value."""

    rule: str
    start: int
    end: int


def secrets(text: str) -> tuple[Finding, ...]:
    """The passwords, tokens and keys in `text`, in order; those that overlap count once."""
    return _merged([*_private_keys(text), *_matches(text, (*_rules(), *_OWN)), *_assigned(text)])


def personal_data(text: str, rules: tuple[PersonalRule, ...]) -> tuple[Finding, ...]:
    """What of these rules stands in `text`, in order; numbers count only with the right check digits."""
    wanted = [(name, pattern) for name, pattern in _PERSONAL if name in rules]
    found = _matches(text, wanted)
    return _merged([one for one in found if _CHECKS.get(one.rule, bool)(text[one.start : one.end])])


def redacted(text: str, findings: tuple[Finding, ...]) -> str:
    """The text with the name of its rule in the place of each finding."""
    parts, at = [], 0
    for one in findings:
        parts += [text[at : one.start], f"[{one.rule}]"]
        at = one.end
    return "".join([*parts, text[at:]])


@cache
def _rules() -> tuple[Rule, ...]:
    # detect-secrets imports a library for requests, which a look at a release need not wait for.
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    plugins = get_mapping_from_secret_type_to_class()
    chosen = [
        (name, kind) for name, kind in plugins.items() if name not in _LEFT_OUT and issubclass(kind, RegexBasedDetector)
    ]
    return tuple((name, pattern) for name, kind in chosen for pattern in kind().denylist)


def _matches(text: str, rules: Sequence[Rule]) -> list[Finding]:
    found: list[Finding] = []
    lowered = text.casefold()
    rules = [rule for rule in rules if rule[0] not in _HINTS or any(hint in lowered for hint in _HINTS[rule[0]])]
    for start in range(0, max(1, len(text)), _WINDOW - _OVERLAP):
        end = start + _WINDOW
        for name, pattern in rules:
            for match in pattern.finditer(text, start, end):
                # What the window cuts off is found whole in the next one.
                if match.end() < end or end >= len(text) or match.start() < end - _OVERLAP:
                    found.append(Finding(rule=name, start=match.start(), end=_whole(text, match.end(), end)))
    return found


def _whole(text: str, at: int, cut: int) -> int:
    """The end of a match, which goes on where a window cuts it off."""
    most = min(len(text), at + _LONGEST)
    blank = _BLANK.search(text, at, most) if at == cut else None
    return at if at != cut else (blank.start() if blank else most)


def _private_keys(text: str) -> Iterator[Finding]:
    """Whole blocks: the value stands below the words that a rule finds."""
    end = 0
    for found in _KEY_BLOCK.finditer(text):
        if found.start() < end:
            continue
        closing = _KEY_END.search(text, found.end())
        end = closing.end() if closing else len(text)
        yield Finding(rule="Private Key", start=found.start(), end=end)


def _assigned(text: str) -> list[Finding]:
    """Values of names such as `password`, if they look as no word does."""
    found = _matches(text, (("Secret Keyword", _ASSIGNED),))
    values = ((one, _ASSIGNED.match(text[one.start : one.end])) for one in found)
    return [one for one, value in values if value and is_random(value[1])]


def _merged(findings: list[Finding]) -> tuple[Finding, ...]:
    kept: list[Finding] = []
    for one in sorted(findings, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        elif one.end > kept[-1].end:
            kept[-1] = Finding(rule=kept[-1].rule, start=kept[-1].start, end=one.end)
    return tuple(kept)


def _card(text: str) -> bool:
    digits = [int(char) for char in text if char.isdecimal()]
    if _ISSUED.fullmatch("".join(map(str, digits))) is None:
        return False
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


_CHECKS: dict[str, Callable[[str], bool]] = {"payment card": _card, "IBAN": _iban}
PERSONAL_RULES = tuple(name for name, _ in _PERSONAL)
