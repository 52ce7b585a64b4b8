"""Reads the answers of an OpenAI-compatible server, and refuses one that is not exactly what was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import EngineFailed

_WHOLE = ("stop", "length")


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that a server lists: of an adapter `parent` names the base. `root`: where the server read it from.

    `context`: the longest sequence in tokens, of an adapter its base's; None where the server does not say.
    """

    name: str
    root: str | None
    parent: str | None
    context: int | None


def served_models(url: str, listing: Mapping[str, Any]) -> dict[str, ServedModel]:
    """The models that a /v1/models answer lists, by name. Raises EngineFailed where it lists none."""
    models = listing.get("data")
    if not isinstance(models, list) or not all(isinstance(each, dict) for each in models):
        raise EngineFailed(f"{url} lists no models. Point SEALED_SERVER_URL at an OpenAI-compatible server.")
    lengths = {each.get("id"): each.get("max_model_len") for each in models}
    found = {}
    for each in models:
        length = lengths[each.get("id")] or lengths.get(each.get("parent"))
        found[str(each.get("id"))] = ServedModel(
            name=str(each.get("id")),
            root=each.get("root"),
            parent=each.get("parent"),
            context=length if isinstance(length, int) else None,
        )
    return found


def check_served(url: str, name: str, listing: Mapping[str, Any]) -> None:
    """Raises EngineFailed where the server does not list `name`."""
    served = served_models(url, listing)
    if name not in served:
        names = ", ".join(sorted(served)[:8]) or "nothing"
        raise EngineFailed(
            f"{url} does not serve {name!r}; it serves {names}. Load it there first, or correct SEALED_SERVER_MODEL or "
            "SEALED_SERVER_ADAPTER_MODEL."
        )


def samples_of(url: str, answer: Mapping[str, Any], *, model: str, count: int) -> tuple[str, ...]:
    """The samples of one completion, in their order. Raises EngineFailed unless all are there, whole, and `model`'s."""
    choices = _choices(url, answer, model, count)
    whole = {each.get("index"): each.get("text") for each in choices if each.get("finish_reason") in _WHOLE}
    if set(whole) != set(range(count)) or not all(isinstance(text, str) for text in whole.values()):
        raise EngineFailed(f"{url} gave a sample that is not whole: nothing of it is kept. See the server's log.")
    return tuple(str(whole[place]) for place in range(count))


def logprob_of(url: str, answer: Mapping[str, Any], tokens: Sequence[int], *, model: str) -> float:
    """The log-probability, in nats, of `tokens`, the last ones of a completion's prompt.

    By vLLM's `prompt_logprobs`: for each token of the prompt a mapping by id. Raises EngineFailed unless all are there,
    and the answer is `model`'s.
    """
    (choice,) = _choices(url, answer, model, 1)
    found: Any = choice.get("prompt_logprobs")
    try:
        return sum(float(found[place][str(token)]["logprob"]) for place, token in enumerate(tokens, -len(tokens)))
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise EngineFailed(without_logprobs(url)) from error


def without_logprobs(url: str) -> str:
    """What to do where a server lacks what only corrections need."""
    return (
        f"{url} does not say how likely a prompt's tokens are: corrections cannot be checked by it. Use a server that "
        "supports `prompt_logprobs`, as vLLM does, or SEALED_ENGINE=local. Documents without corrections need none."
    )


def _choices(url: str, answer: Mapping[str, Any], model: str, count: int) -> list[dict[str, Any]]:
    """The choices of a completion. Raises EngineFailed unless they are as many as were asked for, and `model`'s."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(isinstance(each, dict) for each in choices):
        raise EngineFailed(f"{url} gave an answer without choices. Use a server that is OpenAI-compatible.")
    if len(choices) != count:
        raise EngineFailed(
            f"{url} gave {len(choices)} samples where {count} were asked for: it ignores `n`, or limits it. "
            "Use a server that samples as often as it is asked to, or lower self_edits.samples in the recipe."
        )
    if answer.get("model", model) != model:
        raise EngineFailed(
            f"{url} answered as {answer['model']!r} where {model!r} was asked: nothing of it is kept. "
            "Look at what stands between us and the server."
        )
    return choices
