"""Keeps secrets, personal data and instructions to a model out of what is learned: the document is refused or the
place cut, as the recipe says.

What is said of it, to people and in the log, are rules and places, and never a value.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from pipeline.documents.sensitive import Finding, personal_data, redacted, secrets
from pipeline.instructions import Told, hinted, told
from pipeline.recipe import Disclosure, DocumentRules
from pipeline.types import Document, EvalItem, Refusal

_SHOWN = 5  # findings that are named
_LOG = logging.getLogger(__name__)
_KEY = "advanced.documents.{}"


class _Place(NamedTuple):
    """A finding, and which of a document's texts it stands in."""

    where: str
    finding: Finding


def without_disclosures(document: Document, rules: DocumentRules) -> Document | Refusal:
    """The document without what the rules redact of secrets, personal data and instructions to a model.

    A refusal where they quarantine it.
    """
    kinds: tuple[tuple[str, Disclosure, Callable[[str], tuple[Finding, ...]]], ...] = (
        ("secrets", rules.secrets, secrets),
        ("personal_data", rules.personal_data, lambda text: personal_data(text, rules.personal_rules)),
        ("instructions", rules.instructions, _instructions),
    )
    for key, policy, find in kinds:
        if policy is Disclosure.KEEP:
            continue
        if not (places := _places(document, find)):
            continue
        said = _said(places)
        _LOG.warning("%s: %s: %s: %s", document.name, key, policy, said)
        if policy is Disclosure.QUARANTINE:
            reason = f"{said}: remove it, or set {_KEY.format(key)} to 'redact' in the recipe"
            return Refusal(name=document.name, reason=reason)
        document = _redacted(document, find, f"redacted: {said}")
    return document if rules.instructions is Disclosure.KEEP else _remarked(document)


def without_secrets(reason: str) -> str:
    """A reason, which may quote a document, without the secrets in it."""
    return redacted(reason, secrets(reason))


def _remarked(document: Document) -> Document:
    """With a remark where it may tell a model how to answer, in words that workplaces have for their people."""
    if not (places := _places(document, lambda text: _findings(hinted(text)))):
        return document
    remark = f"perhaps {_said(places)}"
    _LOG.info("%s: %s", document.name, remark)
    return replace(document, remarks=(*document.remarks, remark))


def _instructions(text: str) -> tuple[Finding, ...]:
    return _findings(told(text))


def _findings(found: Sequence[Told]) -> tuple[Finding, ...]:
    return tuple(Finding(rule=one.rule, start=one.start, end=one.end) for one in found)


def _places(document: Document, find: Callable[[str], tuple[Finding, ...]]) -> list[_Place]:
    texts = [("title", document.title), ("text", document.body)]
    for number, item in enumerate(document.eval_items, 1):
        texts += [(f"question {number}", item.question), *((f"an answer to {number}", one) for one in item.answers)]
    return [_Place(where, finding) for where, text in texts for finding in find(text)]


def _said(places: Sequence[_Place]) -> str:
    shown = [f"{finding.rule} at character {finding.start} of its {where}" for where, finding in places[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else "")


def _redacted(document: Document, find: Callable[[str], tuple[Finding, ...]], remark: str) -> Document:
    """The document without what is found; a question that asked for it, or told it, is left out."""
    bare = replace(
        document,
        title=redacted(document.title, find(document.title)),
        body=redacted(document.body, find(document.body)),
        eval_items=(),
        remarks=(*document.remarks, remark),
    )
    kept = [item for item in document.eval_items if not any(map(find, (item.question, *item.answers)))]
    return replace(bare, eval_items=tuple(_regrouped(item, document.id, bare.id) for item in kept))


def _regrouped(item: EvalItem, before: str, after: str) -> EvalItem:
    return replace(item, group=after) if item.group == before else item
