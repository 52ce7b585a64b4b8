"""What the gates of a policy can see with the suites that are there, and how many items a margin needs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gates.draws import draw
from gates.evidence import ReleaseEvalSet
from gates.power import gain_seen, loss_seen, margin_held
from gates.statistics import items_needed, tango_lower
from gates.suite import Suite, Suites
from pipeline.recipe import PolicyRules
from pipeline.types import EvalItem, GateReport

USUAL_CHANGED = 0.05  # share of answers that change, where no run has measured it
_LEAST_CHANGED = 0.01


@dataclass(frozen=True, kw_only=True)
class GatePlan:
    """One gate that must find an update not worse: what it has, what that shows, and what its margin needs.

    items: what it asks; groups: how many of them count apart, for those of one group tell much the same. least: items
    without which it is INCONCLUSIVE. margin, changed, seen and holds are shares in [0, 1]. changed: answers that change
    in either direction (of sampled answers the mean square of what they change by); `measured` by the last report, or
    assumed. seen: the smallest true loss with which it does not
    pass in nine cases of ten; None: not even a total one. holds: the smallest margin at which an update that loses
    nothing passes in nine of ten; None without items. needed: groups that the margin needs for that.
    """

    gate: str
    items: int
    groups: int
    least: int
    margin: float
    changed: float
    measured: bool
    seen: float | None
    holds: float | None
    needed: int

    @property
    def enough(self) -> bool:
        """Whether an update that loses nothing passes in nine cases of ten."""
        return self.items >= self.least and self.groups >= self.needed


@dataclass(frozen=True, kw_only=True)
class GainPlan:
    """The gate that must find a run learned: with `items` questions, the smallest true gain that passes in nine of ten.

    None: not even a total one does.
    """

    items: int
    least_gain: float
    seen: float | None


@dataclass(frozen=True, kw_only=True)
class GatesPlan:
    """All gates that compare answers."""

    acquisition: GainPlan
    not_worse: tuple[GatePlan, ...]

    @property
    def too_few(self) -> str:
        """Which gates have too few items, in words; "" where all have enough."""
        short = [one for one in self.not_worse if not one.enough]
        if not short:
            return ""
        assumed = ", ".join(one.gate for one in short if one.items >= one.least and not one.measured)
        until = f" Assumed, until a run measures it: how many answers change of {assumed}." if assumed else ""
        named = ", ".join(one.gate for one in short)
        return f"Too few items: {named}. An update that loses nothing may be INCONCLUSIVE there.{until}"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks instead: another margin for every gate, another share of changed answers."""

    margin: float | None = None
    changed: float | None = None


def plan(
    suites: Suites,
    policy: PolicyRules,
    earlier: Iterable[ReleaseEvalSet] = (),
    last: GateReport | None = None,
    wish: Wish | None = None,
) -> GatesPlan:
    """What can be seen with these suites and the eval sets of `earlier` releases.

    last: the newest report, which says how many answers change in a run.
    """
    rules, found, wish = policy.acquisition, _measured(last, policy), wish or Wish()
    return GatesPlan(
        acquisition=GainPlan(
            items=rules.min_items,
            least_gain=rules.min_gain,
            seen=gain_seen(rules.min_items, rules.min_gain, policy.alpha),
        ),
        not_worse=tuple(
            _plan(replace(one, margin=wish.margin or one.margin), policy.alpha, wish.changed or found.get(one.gate))
            for one in _asked(suites, policy, earlier)
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A gate, the group of each item that it asks, and its rules."""

    gate: str
    groups: tuple[str, ...]
    least: int
    margin: float


def _asked(suites: Suites, policy: PolicyRules, earlier: Iterable[ReleaseEvalSet]) -> list[_Asked]:
    asked = draw(tuple(earlier), policy.retention.max_earlier_items)
    known = [item for one in asked for item in one.eval_items]
    return [
        _Asked(gate=gate, groups=groups, least=rules.min_items, margin=rules.margin)
        for gate, groups, rules in (
            ("retention", _groups(suites.retention, known), policy.retention),
            ("regression", _groups(suites.regression), policy.regression),
            ("safety", _groups(suites.safety), policy.safety),
        )
    ]


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """A rule that no update can meet with the suites there are: its place in a recipe, and why, in a sentence."""

    place: str
    sentence: str


def impossible(suites: Suites, policy: PolicyRules, earlier: Iterable[ReleaseEvalSet] = ()) -> Impossible | None:
    """The first rule of a required gate that even an update that changes no answer cannot meet.

    A gate that has nothing to ask is none: its verdict says what to add, once it is known what was learned.
    """
    for one in _asked(suites, policy, earlier):
        if not (items := len(one.groups)) or one.gate not in policy.required:
            continue
        files = f"suites/{one.gate} holds {items:,}" + (" with earlier releases" if one.gate == "retention" else "")
        if items < one.least:
            sentence = f"{one.least:,} items are asked for, and {files}. Add items, or ask for fewer"
            return Impossible(place=f"policy.{one.gate}.min_items", sentence=sentence)
        if tango_lower(0, 0, items, policy.alpha) < -one.margin:
            sentence = f"{items:,} items cannot show a margin of {one.margin:g}. Add items, or widen the margin"
            return Impossible(place=f"policy.{one.gate}.margin", sentence=sentence)
    return None


def too_small(per_run: int, policy: PolicyRules) -> Impossible | None:
    """The rule of acquisition that no run of at most `per_run` documents can meet."""
    rules = policy.acquisition
    if "acquisition" not in policy.required:
        return None
    takes = f"a run takes {per_run:,} (documents.per_run). Take more, or ask for fewer"
    if rules.min_documents > per_run:
        sentence = f"{rules.min_documents:,} documents with test questions are asked for, and {takes}"
        return Impossible(place="policy.acquisition.min_documents", sentence=sentence)
    if rules.min_items > (most := per_run * rules.max_per_document):
        sentence = f"{rules.min_items:,} test questions are asked for, of a run's documents {most:,} count, and {takes}"
        return Impossible(place="policy.acquisition.min_items", sentence=sentence)
    return None


def _plan(one: _Asked, alpha: float, measured: float | None) -> GatePlan:
    changed = USUAL_CHANGED if measured is None else max(measured, _LEAST_CHANGED)
    apart = len(set(one.groups))
    return GatePlan(
        gate=one.gate,
        items=len(one.groups),
        groups=apart,
        least=one.least,
        margin=one.margin,
        changed=changed,
        measured=measured is not None,
        seen=loss_seen(apart, one.margin, alpha, changed) if apart else None,
        holds=margin_held(apart, alpha, changed) if apart else None,
        needed=items_needed(changed, one.margin, alpha),
    )


def _groups(suites: Iterable[Suite], more: Iterable[EvalItem] = ()) -> tuple[str, ...]:
    """The group of each item; one that stands alone is its own."""
    items = [(item.group, suite.name, item.id) for suite in suites for item in suite.items]
    items += [(item.group, "", item.id) for item in more]
    return tuple(group or f"{suite}\0{item}" for group, suite, item in items)


def _measured(last: GateReport | None, policy: PolicyRules) -> Mapping[str, float]:
    """What changed, by gate, as a report measured it; nothing where it sampled otherwise than the policy."""
    changed: dict[str, float] = {}
    for result in last.results if last else ():
        figures = {figure.name: figure.value for figure in result.figures}
        as_now = figures.get("samples", 0) == (policy.retention.samples if result.gate == "retention" else 0)
        if "changed" in figures and as_now:
            changed[result.gate] = figures["changed"]
    return changed
