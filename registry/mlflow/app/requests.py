"""What a request to MLflow's server would change in the registry, as values. Knows no MLflow and no HTTP."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """Each way in which MLflow's API can change the registry, in words that complete "may not ..."."""

    CREATE_MODEL = "create a registered model"
    RENAME_MODEL = "rename a registered model"
    DESCRIBE_MODEL = "change the description of a registered model"
    DELETE_MODEL = "delete a registered model"
    TAG_MODEL = "set a tag of a registered model"
    UNTAG_MODEL = "delete a tag of a registered model"
    SET_ALIAS = "set an alias"
    DELETE_ALIAS = "delete an alias"
    CREATE_VERSION = "create a version"
    DESCRIBE_VERSION = "change the description of a version"
    DELETE_VERSION = "delete a version"
    TAG_VERSION = "set a tag of a version"
    UNTAG_VERSION = "delete a tag of a version"
    MOVE_STAGE = "move a version to a stage"
    UNKNOWN = "change the registry by a request that this server does not know"


@dataclass(frozen=True, kw_only=True)
class RegistryRequest:
    """One request, parsed as MLflow parses it. What an action does not have is empty.

    `version` is the number of the version as MLflow reads it: " 1", "01" and "+1" are "1". `key` and `value` are of
    the tag, `alias` is of the alias, `description` is the new one, `tags` are those of a version that is created.
    """

    action: Action
    model: str = ""
    version: str = ""
    key: str = ""
    value: str = ""
    alias: str = ""
    description: str = ""
    tags: tuple[tuple[str, str], ...] = ()
