"""Writes a document as a file that `pipeline.documents.parsing` reads back as the same document."""

import yaml

from pipeline.types import Document, DocumentKind


def markdown(document: Document) -> str:
    """The document as a Markdown file with YAML front matter: title, kind where it is not a passage, questions."""
    head: dict[str, object] = {"title": document.title}
    if document.kind is not DocumentKind.PASSAGE:
        head["kind"] = document.kind.value
    head["questions"] = [
        {"question": eval_item.question, "answers": list(eval_item.answers), "split": eval_item.split.value}
        for eval_item in document.eval_items
    ]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n{document.body}\n"
