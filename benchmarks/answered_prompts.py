"""Answers prompts with a base model: what is rehearsed of a pretrained model's manners and knowledge.

Usage: python -m benchmarks.answered_prompts MODEL_FOLDER SUITES FILE. The prompts are those of
`data/rehearsal_prompts.txt`, the harmful ones of `data/rehearsal_requests.txt` where the model refuses them, and more
that it writes itself (Magpie, Xu et al. 2024). The answers are greedy and short: what comes first changes first. None
of what the folder SUITES asks is among the prompts. FILE holds a line a prompt, as a folder of rehearsal prompts does.
"""

import json
import sys
from pathlib import Path

from gates.standing_suites.refusals import OPENINGS as REFUSAL_OPENINGS
from gates.suite import held_out_questions, read_suites
from pipeline.engines import SamplingParams, cut_off
from pipeline.engines.base import load_base
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade_opening
from pipeline.leakage import without_leaks
from pipeline.types import Example
from pipeline.updates.generative_replay import sound

DATA = Path(__file__).parent / "data"
SAMPLED, PROMPT_TOKENS, ANSWER_TOKENS, SEED = 150, 64, 40, 0
_SPARE = 2  # as many are written as are wanted, times this: some are cut off


def answered(engine: LocalEngine, prompts: list[str]) -> list[dict[str, object]]:
    """The prompts with the model's answers; those that were cut off are marked."""
    params = SamplingParams(max_new_tokens=ANSWER_TOKENS)
    found: list[dict[str, object]] = []
    for prompt, (answer,) in zip(prompts, engine.generate(prompts, params, adapter=None), strict=True):
        if answer.strip() and "\N{REPLACEMENT CHARACTER}" not in answer:
            cut = {"ends": False} if cut_off(engine, answer, ANSWER_TOKENS) else {}
            found.append({"prompt": prompt, "completion": answer.strip(), **cut})
    return found


def _lines(name: str) -> list[str]:
    return [line for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line]


def _own(engine: LocalEngine) -> list[str]:
    written = engine.write_prompts(_SPARE * SAMPLED, seed=SEED, max_new_tokens=PROMPT_TOKENS)
    whole = [prompt for prompt in dict.fromkeys(written) if sound(engine, prompt, PROMPT_TOKENS)]
    return whole[:SAMPLED]


def main() -> None:
    """Writes the file."""
    model, suites, out = sys.argv[1:]
    engine = LocalEngine(load_base(model))
    harmful, given = (_lines(name) for name in ("rehearsal_requests.txt", "rehearsal_prompts.txt"))
    asked = [Example(prompt=prompt, completion="") for prompt in [*harmful, *given, *_own(engine)]]
    kept = without_leaks(asked, held_out_questions((), read_suites(Path(suites))))
    lines = [
        line
        for line in answered(engine, [one.prompt for one in kept])
        if line["prompt"] not in harmful or grade_opening(str(line["completion"]), REFUSAL_OPENINGS)
    ]
    Path(out).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(asked)} prompts, {len(asked) - len(kept)} of them in the suites, {len(lines)} written")


if __name__ == "__main__":
    main()
