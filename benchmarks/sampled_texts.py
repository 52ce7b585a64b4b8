"""Samples plain text from a base model: what is rehearsed of a pretrained model, whose training texts nobody has.

Usage: python -m benchmarks.sampled_texts MODEL_FOLDER START FILE. START is the token that stood between the texts that
the model was pretrained on ("<|endoftext|>"). Texts are sampled at temperature 1 from it and a common first word, 64
tokens each, and written as paragraphs, as a folder of rehearsal prompts holds them.
The model's own text is what it gives most probability to, so holding its probabilities there holds it where it writes.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

COUNT, TOKENS, BATCH, SEED = 270, 64, 100, 0
OPENINGS = (
    "The", "In", "A", "It", "On", "During", "After", "He", "She", "This",
    "Many", "Most", "When", "There", "As", "His", "By", "At", "One", "According to",
)  # fmt: skip


def sampled(folder: str, start: str, count: int) -> list[str]:
    """At most `count` texts of one paragraph, each cut at its last whole sentence."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(SEED)
    found: dict[str, None] = {}
    while len(found) < count:
        heads = [OPENINGS[number % len(OPENINGS)] for number in range(BATCH)]
        rows = tokenizer([start + head for head in heads], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.no_grad():
            ids = model.generate(**rows, max_new_tokens=TOKENS, do_sample=True, temperature=1.0, top_k=0)
        print(f"{len(found)} texts", flush=True)
        found |= dict.fromkeys(
            filter(None, (_paragraph(text) for text in tokenizer.batch_decode(ids, skip_special_tokens=True)))
        )
    return list(found)[:count]


def _paragraph(text: str) -> str:
    """The text's first lines up to its last full stop, in one line; "" if that is little."""
    line = " ".join(text.split())
    whole = line[: line.rfind(". ") + 1]
    return whole if len(whole.split()) >= 20 else ""


def main() -> None:
    """Writes the file."""
    folder, start, file = sys.argv[1:]
    Path(file).write_text("\n\n".join(sampled(folder, start, COUNT)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
