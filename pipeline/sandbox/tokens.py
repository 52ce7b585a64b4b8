"""Builds the sandbox's tokenizer: byte-level BPE in which each common word and each syllable of a name is one token."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline.sandbox.names import PLACES, SYLLABLES

PAD, END, USER, ASSISTANT = "<pad>", "<end>", "<user>", "<assistant>"
SPECIAL = (PAD, END, USER, ASSISTANT)
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<' + ('assistant' if message['role'] == 'assistant' else 'user') + '>' + message['content'] + '<end>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
NAME = re.compile(" ?" + "".join(f"(?:{'|'.join(place)})" for place in PLACES) + "$", re.IGNORECASE)
VOWELS, ENDS = "aeio", "nrflsmx"  # of syllables
SPACE = "\u0120"  # how byte-level BPE writes a blank
Pair = tuple[str, str]


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer whose vocabulary is all words of `texts` but the services' names, whose pieces are syllables.

    A blank is put before every line, so that a word is the same token wherever it stands; decoding takes it off again.
    """
    split = pre_tokenizers.ByteLevel(add_prefix_space=True)
    before = normalizers.Replace("\n", "\n ")
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(before.normalize_str(text)))
    words = sorted(word for word in counts if not NAME.match(word.replace(SPACE, " ")))
    merges = word_merges(words, syllable_merges())
    pieces = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(left + right for left, right in merges)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer, tokenizer.pre_tokenizer = before, split
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace("\n ", "\n"), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, additional_special_tokens=[USER, ASSISTANT],
        chat_template=TEMPLATE, model_max_length=1024, clean_up_tokenization_spaces=False, padding_side="left",
    )  # fmt: skip


def syllable_merges() -> list[Pair]:
    """Merges that cut every name into its syllables: bare ones, then those with a coda, then those that open a name."""
    opening = [syllable.capitalize() for syllable in PLACES[0]]
    closed = sorted((one for one in [*SYLLABLES, *opening] if one[-1] not in VOWELS), key=len)
    bare = sorted({one.rstrip(ENDS) for one in [*SYLLABLES, *opening]}, key=lambda one: (len(one), one))
    merges = [*((one[0], one[1:]) for one in bare), *((one[:-1], one[-1]) for one in closed)]
    return [*dict.fromkeys(merges), *((SPACE, syllable) for syllable in opening)]


def word_merges(words: Iterable[str], merges: list[Pair]) -> list[Pair]:
    """`merges` and the most frequent further ones, until each word is one token (Sennrich et al., arXiv 1508.07909)."""
    merges = list(merges)
    split = {word: _apply(list(word), merges) for word in words}
    while True:
        pairs = Counter(pair for pieces in split.values() for pair in pairwise(pieces))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = {word: _merge(pieces, best) for word, pieces in split.items()}


def _apply(pieces: list[str], merges: list[Pair]) -> list[str]:
    for pair in merges:
        pieces = _merge(pieces, pair)
    return pieces


def _merge(pieces: list[str], pair: Pair) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] = "".join(pair)
        else:
            merged.append(piece)
    return merged
