"""Who somebody is by the name they give: which names are refused, and which two names are one person's.

A name is compared by its skeleton: compatibility forms are resolved, case, accents, spaces, punctuation and invisible
characters are dropped, and look-alike letters are one letter (a small part of Unicode's UTS 39). That is strict on
purpose: two people whose names differ only so must give fuller names. It proves nobody's identity.
"""

import getpass
import os
import pwd
import unicodedata

from pipeline.errors import BadInput

# Letters that look like a Latin one after case folding: Cyrillic, Greek, Latin with hooks or strokes, and digits.
_LOOKALIKES = str.maketrans(
    "авекмнорстухіјѕԁһӏԛԝɡɑıȷłøđαβεηικνορτυχω01i",
    "abekmhopctyxljsdhlqwgaljlodabenlkvoptuxwoll",
)
_SEEN = frozenset({"Lu", "Ll", "Lt", "Lo", "Nd", "Nl"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")  # Hangul fillers: letters that print nothing
_CONFUSED = frozenset({"LATIN", "CYRILLIC", "GREEK"})
PROPOSER = "SEALED_PROPOSER"  # the variable that names who proposes


def skeleton(actor: str) -> str:
    """The name as it is compared; empty where it has no letter or digit that prints."""
    return _letters(actor).translate(_LOOKALIKES)


def against_name(actor: str) -> str | None:
    """Why nobody can be recorded under this name, in words, or None."""
    letters = _letters(actor)
    if not letters:
        return "a name with letters or digits is needed: it is recorded"
    scripts = {unicodedata.name(one, "?").split()[0] for one in letters if one.isalpha()}
    if len(scripts) > 1 and scripts & _CONFUSED:
        found = " and ".join(sorted(script.capitalize() for script in scripts))
        return f"the name {actor!r} mixes letters of {found}: write it in one alphabet"
    return None


def proposer_named(given: str | None = None) -> str:
    """Who proposes what a run makes: `given`, else SEALED_PROPOSER, else the account. Raises BadInput for no name."""
    actor = given or os.environ.get(PROPOSER) or account()
    if (objection := against_name(actor)) is not None:
        raise BadInput(f"the proposer: {objection}. Give another with --proposer or {PROPOSER}.")
    return actor


def account() -> str:
    """The name of the account that runs this process. Raises BadInput where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise BadInput(
            "this account has no name: say who you are with --as NAME or SEALED_ACTOR, and who proposes with "
            "SEALED_PROPOSER."
        ) from error


def running_account() -> str:
    """The operating system's account of this process, which no variable can change; its number where it has no name."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def _letters(actor: str) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", actor).casefold())
    return "".join(one for one in folded if unicodedata.category(one) in _SEEN and one not in _BLANK_LETTERS)
