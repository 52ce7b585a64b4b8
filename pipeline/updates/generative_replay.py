"""Generative replay and answered rehearsal prompts: examples of what the base model says.

The base model never changes, so its answers are cached on disk: those to rehearsal prompts for good, and generative
replay, which every run draws anew, for a run that is resumed. Knows no run and no document.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline import progress
from pipeline.digests import canonical_json, digest_of
from pipeline.engines import Engine, SamplingParams, cut_off
from pipeline.files import write_text
from pipeline.types import Example, Role
from pipeline.updates.rehearsal_prompts import RehearsalPrompt

# Written prompts that are not usable are made up for by writing more of them.
_SPARE = 1.5
_RUN = 4


def answer_budget(engine: Engine) -> int:
    """Tokens that a rehearsed answer may have; one that is cut off there is not used."""
    return min(256, engine.context // 4)


def answer_rehearsal_prompts(
    engine: Engine, rehearsal_prompts: Sequence[RehearsalPrompt], cache: Path
) -> tuple[Example, ...]:
    """The prompts with their completions (role REHEARSAL), the base model's where none was given; unsound ones not."""
    limit = answer_budget(engine)
    file = cache / f"rehearsal_prompts-{digest_of('rehearsal_prompts', engine.base_digest, limit)[:16]}.json"
    known = dict(_load(file))
    asked = [one.prompt for one in rehearsal_prompts if one.completion is None and one.prompt not in known]
    if asked:
        answers = engine.generate(asked, SamplingParams(max_new_tokens=limit), adapter=None)
        known |= {prompt: answer for prompt, (answer,) in zip(asked, answers, strict=True)}
        write_text(file, canonical_json(list(known.items())))
    return tuple(
        Example(prompt=one.prompt, completion=completion, role=Role.REHEARSAL, ends=one.ends)
        for one in rehearsal_prompts
        if sound(engine, completion := one.completion or known[one.prompt], limit)
    )


def write_generative(engine: Engine, count: int, seed: int, cache: Path) -> tuple[Example, ...]:
    """At most `count` prompts that the base model writes from an empty user turn, with its greedy answers.

    Role GENERATIVE. Magpie (Xu et al. 2024) as generative replay: it reaches what nobody thought of rehearsing.
    """
    if count == 0:
        return ()
    limit = answer_budget(engine)
    file = cache / f"generative-{digest_of('generative', engine.base_digest, limit, count, seed)[:16]}.json"
    pairs = _load(file)
    if not pairs:
        with progress.part(0, 1, 2):
            written = engine.write_prompts(int(_SPARE * count), seed=seed, max_new_tokens=limit)
        prompts = [prompt for prompt in dict.fromkeys(written) if sound(engine, prompt, limit)]
        with progress.part(1, 1, 2):
            answers = engine.generate(prompts, SamplingParams(max_new_tokens=limit), adapter=None)
        pairs = [(prompt, answer) for prompt, (answer,) in zip(prompts, answers, strict=True)]
        write_text(file, canonical_json(pairs))
    usable = [(prompt, answer) for prompt, answer in pairs if sound(engine, answer, limit)]
    return tuple(Example(prompt=prompt, completion=said, role=Role.GENERATIVE) for prompt, said in usable[:count])


def sound(engine: Engine, text: str, limit: int) -> bool:
    """Whether a text can be rehearsed: not empty, not cut off at `limit` tokens, no broken characters, no loop."""
    words = text.split()
    if not words or "\N{REPLACEMENT CHARACTER}" in text or cut_off(engine, text, limit):
        return False
    runs = [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
    return len(set(runs)) >= 0.5 * len(runs)


def _load(file: Path) -> list[tuple[str, str]]:
    """The cached pairs; none if the file is missing or damaged, which is then written again."""
    try:
        return [(str(prompt), str(answer)) for prompt, answer in json.loads(file.read_text(encoding="utf-8"))]
    except (FileNotFoundError, ValueError, TypeError):
        return []
