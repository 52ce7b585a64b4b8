"""The one error tree. Each message says what happened and what to do next; each class knows its exit code."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError  # the command line imports this module, and no pydantic


class SealedError(Exception):
    """Anything that sealed itself reports. `exit_code` is what the command line returns for it."""

    exit_code = 1


class BadInput(SealedError):
    """The caller gave something unusable: a wrong option, recipe, number or name."""

    exit_code = 2


class PolicyError(SealedError):
    """A rule of sealed forbids it: a gate, the lifecycle, an approval that is missing or void."""

    exit_code = 3


class Overtaken(PolicyError):
    """Somebody moved production while a decision on it was prepared: theirs stands, and this one was not made."""


class ExternalError(SealedError):
    """Something outside failed or is damaged: a model, an adapter, a database, a server."""

    exit_code = 4


class InternalError(SealedError):
    """An invariant of our own code does not hold: please report it."""

    exit_code = 1


class ConstraintBroken(InternalError):
    """The ledger's database refused a row that breaks a rule of its tables; nothing of the step was kept."""


class BadRecipe(BadInput):
    """A recipe file does not parse, or has an unknown or misplaced key or a value out of bounds."""


class BadDataFile(BadInput):
    """A file of the rehearsal prompts or suites folder cannot be used as it is."""


class BadDocument(BadInput):
    """A document is refused; the message says what is wrong with it."""


class BadRequest(BadInput):
    """A client's request cannot be answered as it is. `param` names the part of it that is wrong."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class NoSuchModel(BadRequest):
    """A client asks for a model that does not answer here."""


class RequestTooLarge(BadRequest):
    """A client's request has more bytes than are read."""


class RequestTooSlow(BadRequest):
    """A client's request did not arrive in time."""


class NoWorkspace(BadInput):
    """The folder is not a sealed workspace."""


class NoSuchRelease(BadInput):
    """There is no release of that number."""


class NoSuchDocument(BadInput):
    """There is no document of that id."""


class Unauthorised(PolicyError):
    """A client gave no API key, or one that is not known."""


class TooManyRequests(PolicyError):
    """A client asks more often than it may. `seconds`: how long to wait."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class NotServing(ExternalError):
    """No release answers yet."""


class ModelMissing(ExternalError):
    """The base model cannot be found or loaded."""


class TaskDataMissing(ExternalError):
    """The data of an lm-eval task are not on this machine."""


class DownloadFailed(ExternalError):
    """A model, or a task's data, could not be fetched, or its bytes are not the pinned ones."""


class ModelChanged(ExternalError):
    """The base model's files are not the ones this workspace was made with."""


class WrongBase(ExternalError):
    """An adapter was trained for another base model, tokenizer or chat template."""


class CorruptAdapter(ExternalError):
    """An adapter's bytes, shapes, configuration or values are not what its manifest says."""


class BadSignature(ExternalError):
    """A release is not signed by a trusted key as it is now: a file, the ledger or the signature was changed."""


class LedgerTampered(ExternalError):
    """Rows of the ledger's approvals or history were altered, removed or inserted by other hands than ours."""


class AdapterNotApplied(ExternalError):
    """An adapter was loaded, and the model answers as its base does, or in no numbers at all."""


class ReleaseNotLoaded(ExternalError):
    """A server takes no text for this release."""


class TrainingFailed(ExternalError):
    """Training did not yield a usable adapter."""


class TooLittleMemory(ExternalError):
    """Not even one adapter's training step fits into the available memory."""


class EngineFailed(ExternalError):
    """The inference server did not answer, refused, or gave an invalid answer."""


class DatabaseFailed(ExternalError):
    """The ledger's database cannot be opened, or is of another schema version."""


class TrackingFailed(ExternalError):
    """MLflow did not answer, or does not hold what was sent to it."""


class SchedulerFailed(ExternalError):
    """Prefect did not answer."""


class ProcessFailed(ExternalError):
    """A server that `sealed ui` started did not answer, or ended by itself; the message names its log."""


class MeasurementFailed(ExternalError):
    """A model could not be measured on a suite: the gates that need it fail closed."""


class LockedError(SealedError):
    """Another run holds the run's lease; nothing was done."""

    exit_code = 0


class LeaseLost(ExternalError):
    """Another run took this run's lease over: it stops before it writes anything."""


def first_problem(error: "ValidationError") -> str:
    """The first thing that pydantic found wrong, with the key it is about."""
    first = error.errors()[0]
    return ": ".join(part for part in (".".join(str(part) for part in first["loc"]), first["msg"]) if part)
