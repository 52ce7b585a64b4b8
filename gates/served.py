"""What came of loading a candidate into the engine that will serve it. Gates serve nothing: others try it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Served:
    """One try.

    engine: "local" or "vllm". load_seconds: until the adapter was verified, loaded and proved to be applied. seconds:
    the fastest of several answers by the candidate, and base_seconds by the base model, each to the same question.
    changed, asked: known prompts that the candidate answers in other words, of how many. broken: why the engine refuses
    the candidate, in words. failure: why it could not be tried, which says nothing of the candidate.
    """

    engine: str
    load_seconds: float = 0.0
    seconds: float = 0.0
    base_seconds: float = 0.0
    changed: int = 0
    asked: int = 0
    broken: str = ""
    failure: str = ""
