"""Plain text that a model writes: paragraphs after a common first word, cut at the end of their last sentence."""

from gates.standing_suites.asking import KeptEngine
from pipeline.engines import SamplingParams

_OPENINGS = (
    "The", "In", "A", "It", "On", "During", "After", "He", "She", "This",
    "Many", "Most", "When", "There", "As", "His", "By", "At", "One", "People",
)  # fmt: skip
_FEWEST_WORDS = 12


def paragraphs(kept: KeptEngine, count: int, tokens: int, seed: int) -> list[str]:
    """At most `count` paragraphs of about so many tokens, each once."""
    copies = -(-count // len(_OPENINGS)) + 1
    params = SamplingParams(max_new_tokens=tokens, temperature=1.0, top_p=0.9, samples=copies, seed=seed)
    said = kept.continued(_OPENINGS, params)
    found = dict.fromkeys(
        filter(
            None,
            (_whole(f"{opening} {text}") for opening, texts in zip(_OPENINGS, said, strict=True) for text in texts),
        )
    )
    return list(found)[:count]


def _whole(text: str) -> str:
    """The text in one line up to its last whole sentence; "" if that is little, or has broken characters."""
    line = " ".join(text.split())
    end = max(line.rfind(mark) for mark in (". ", "! ", "? "))
    end = len(line) if line.endswith((".", "!", "?")) else end + 1
    whole = line[:end].strip()
    return whole if len(whole.split()) >= _FEWEST_WORDS and "\N{REPLACEMENT CHARACTER}" not in whole else ""
