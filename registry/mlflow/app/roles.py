"""Who may do what on the server, by the names of MLflow's sign-in; read from the environment or a TOML file.

Nobody has a role by default. SEALED_REVIEWERS, SEALED_ON_CALL and SEALED_TRAINERS hold names separated by commas;
SEALED_REVIEW_CONFIG names a TOML file with the lists `reviewers`, `on_call` and `trainers`. A variable wins over its
list.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.actors import against_name, skeleton
from pipeline.errors import BadInput, first_problem
from registry.projection import OUTCOME_TAG, REVIEW_PREFIX

CONFIG_VARIABLE = "SEALED_REVIEW_CONFIG"
_VARIABLES = {"reviewers": "SEALED_REVIEWERS", "on_call": "SEALED_ON_CALL", "trainers": "SEALED_TRAINERS"}
# What MLflow allows in the name of a tag, but for the slash: it would make an @ and a / of two names one.
_NOT_IN_TAGS = re.compile(r"[^\w.\- ]")


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The names that have each role. A trainer is a service account: it registers, and writes what the ledger says."""

    reviewers: frozenset[str] = frozenset()
    on_call: frozenset[str] = frozenset()
    trainers: frozenset[str] = frozenset()

    @property
    def everybody(self) -> frozenset[str]:
        return self.reviewers | self.on_call | self.trainers


class _Lists(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reviewers: tuple[str, ...] = ()
    on_call: tuple[str, ...] = ()
    trainers: tuple[str, ...] = ()


def read_roles(environment: Mapping[str, str]) -> Roles:
    """The roles that `environment` and the file it names give. Raises BadInput where they cannot be used."""
    named = environment.get(CONFIG_VARIABLE, "").strip()
    lists = (_read(Path(named)) if named else _Lists()).model_dump()
    for role, variable in _VARIABLES.items():
        if variable in environment:
            lists[role] = tuple(name.strip() for name in environment[variable].split(",") if name.strip())
    roles = Roles(**{role: frozenset(names) for role, names in lists.items()})
    _expect_usable(roles)
    return roles


def review_tag(name: str) -> str:
    """The only tag that this reviewer may set. MLflow allows no @ in the name of a tag: it becomes an underscore."""
    return REVIEW_PREFIX + _NOT_IN_TAGS.sub("_", name)


def _read(file: Path) -> _Lists:
    try:
        return _Lists.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{file}, which {CONFIG_VARIABLE} names, cannot be read: {error}. Correct it.") from error
    except ValidationError as error:
        raise BadInput(
            f"{file}: {first_problem(error)}. It holds the lists reviewers, on_call and trainers, of names."
        ) from error


def _expect_usable(roles: Roles) -> None:
    """Raises BadInput where a name proves nothing, or where two names or two roles could be taken for one."""
    for name in sorted(roles.everybody):
        if (objection := against_name(name)) is not None:
            raise BadInput(f"the name {name!r} can have no role: {objection}.")
    for name in sorted(roles.trainers & (roles.reviewers | roles.on_call)):
        raise BadInput(f"{name} is a trainer: give another account to review or to roll back with.")
    for reviewer in sorted(roles.reviewers):
        if review_tag(reviewer) == OUTCOME_TAG:
            raise BadInput(f"no reviewer can be named {reviewer}: the tag {OUTCOME_TAG} says what became of decisions.")
    for compare in (skeleton, review_tag):
        known: dict[str, str] = {}
        for name in sorted(roles.reviewers):
            if (other := known.setdefault(compare(name), name)) != name:
                raise BadInput(f"the reviewers {other} and {name} could be taken for one person: give fuller names.")
