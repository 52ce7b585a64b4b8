"""Which documents are practised on, and which judge the new writer. Pure; knows no source and no ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.digests import digest_of
from pipeline.recipe import PracticeRules
from pipeline.self_edits.edit_sets import practice_probes
from pipeline.types import Document, Probe


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Documents to practise on, and others that are never practised on. `known`: whether the live model knows them."""

    practised: tuple[Document, ...]
    held_out: tuple[Document, ...]
    known: bool

    @property
    def questions(self) -> tuple[Probe, ...]:
        """Every practice question of both: no note may ask one."""
        return tuple(probe for document in (*self.practised, *self.held_out) for probe in practice_probes(document))


def divide(documents: Sequence[Document], rules: PracticeRules, seed: int, *, known: bool) -> Ground:
    """Holds out as many as the rules say, half of them at most; those without practice questions are left out.

    The order is drawn by the seed, and the same documents are divided alike whatever their order was.
    """
    asked = {document.id: document for document in documents if practice_probes(document)}
    order = sorted(asked, key=lambda key: digest_of("practice ground", seed, key))
    held = min(rules.held_out, len(order) // 2)
    return Ground(
        practised=tuple(asked[key] for key in order[held:]),
        held_out=tuple(asked[key] for key in order[:held]),
        known=known,
    )
