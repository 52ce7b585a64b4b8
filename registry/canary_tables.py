"""The ledger's tables of canaries, beside the others in `registry.tables`. Knows no query."""

from sqlalchemy import Boolean, CheckConstraint, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from pipeline.recipe import CanaryPolicy
from pipeline.types import CanaryAction, CanaryState, Figure, Identity
from registry.columns import Noun, UtcTime
from registry.tables import METADATA, actor_columns, one_of

_ACTIONS = ", ".join(f"'{action.value}'" for action in CanaryAction)

# Each row is one decision; the newest row of the newest epoch says what holds.
canaries = Table(
    "canaries",
    METADATA,
    Column("epoch", ForeignKey("deployments.epoch"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("release", ForeignKey("releases.number"), nullable=False),
    Column("stable", ForeignKey("releases.number"), nullable=False),
    Column("action", String(16), nullable=False),
    *actor_columns(),
    Column("share", Float, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("figures", Noun(tuple[Figure, ...]), nullable=False),
    Column("state", Noun(CanaryState), nullable=False),
    Column("policy", Noun(CanaryPolicy), nullable=False),
    Column("seen", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    one_of("identity", Identity),
    CheckConstraint(f"action IN ({_ACTIONS})", name="action_known"),
    CheckConstraint("share > 0 AND share <= 1", name="share_is_one"),
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("epoch", ForeignKey("deployments.epoch"), nullable=False),
    Column("counts_as", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("canary_failed", Boolean),
    Column("stable_failed", Boolean),
    Column("at", UtcTime, nullable=False),
    CheckConstraint("canary_failed IS NOT NULL OR stable_failed IS NOT NULL", name="somebody_answered"),
    # The database itself holds that a key counts once a day, and an eval item once.
    Index("counts_once", "epoch", "counts_as", unique=True),
)
