"""Reads the Markdown pages: their fenced blocks, their inline code and their links."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n\n?)?^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: where it stands, its language, its text, and why it is not run ("" where it is)."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of a console block, with continued lines joined and comments kept."""
        joined = self.text.replace("\\\n", " ")
        return tuple(line[2:] for line in joined.splitlines() if line.startswith("$ "))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(*pages: Path) -> tuple[Block, ...]:
    """Every fenced block of the pages (default: all), in order."""
    return tuple(
        Block(
            page=page,
            line=read(page).count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=found["text"],
            reason=found["reason"] or "",
        )
        for page in pages or PAGES
        for found in FENCE.finditer(read(page))
    )


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", read(page))


def inline_code(page: Path) -> tuple[str, ...]:
    """The spans of inline code in the page's prose, each on one line."""
    return tuple(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page)))


def links(page: Path) -> tuple[str, ...]:
    """The targets of the page's links that are no web addresses."""
    return tuple(re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", read(page)))


def anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", read(page)), flags=re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings)
