"""What counts as a word, in any script."""

import pytest

from pipeline.documents import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Heron's café, 1.5 km", ["Heron", "s", "café", "1", "5", "km"]),
        ("निर्देश दिए गए हैं।", ["निर्देश", "दिए", "गए", "हैं"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("السَّلامُ عليكم", ["السَّلامُ", "عليكم"]),
        ("می‌خواهم بروم", ["می‌خواهم", "بروم"]),
        ("東京 Oslo", ["東", "京", "Oslo"]),
        ("12 m², 10³ or ½ of CO₂", ["12", "m²", "10³", "or", "½", "of", "CO₂"]),
        ("☀️ ❤️ ✔️", []),
    ],
    ids=["english", "hindi", "tamil", "arabic", "a joiner", "a script without spaces", "raised numbers", "emoji"],
)
def test_a_word_keeps_its_marks(text: str, found: list[str]) -> None:
    assert words(text) == found
