"""Turns prompts and examples into token ids, by the tokenizer's chat template or plainly where it has none.

Text of users and documents never yields a control token here. Knows no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipeline.errors import BadInput, ExternalError
from pipeline.normal_forms import normal_form
from pipeline.rendering import render, template_day
from pipeline.types import Example

Tokenizer = Any  # a PreTrainedTokenizerBase of transformers, which is not imported here
_MARK = "placeholdertext"


@dataclass(frozen=True)
class Encoded:
    """Token ids, and for each whether it is to be learned. Both have the same length."""

    ids: tuple[int, ...]
    loss: tuple[bool, ...]


@dataclass(frozen=True)
class UserTurn:
    """The ids that open a user's turn, the ids that end it, and the plain text that ends it, if any."""

    ids: tuple[int, ...]
    stops: frozenset[int]
    mark: str


@dataclass(frozen=True)
class Message:
    """One turn of a conversation: who speaks (system, user, assistant), and what is said."""

    role: str
    content: str


@dataclass(frozen=True)
class _Frame:
    """The template's text before and after a user's words, and after an assistant's."""

    head: str
    tail: str
    closing: str


def render_prompt(tokenizer: Tokenizer, prompt: str) -> str:
    """The text the model continues. Tokenising it parses control tokens: for untrusted text use `encode_prompt`."""
    if not tokenizer.chat_template:
        return f"{prompt}\n"
    return render(tokenizer, [{"role": "user", "content": prompt}], generation=True)


def encode_prompt(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Ids of `render_prompt`, in which no part of `prompt` becomes a control token. BOS stands at most once."""
    text = render_prompt(tokenizer, prompt)
    if not tokenizer.chat_template:
        return encode_plain(tokenizer, text)
    frame, control = _frame_of(tokenizer), _control(tokenizer)
    if len(control.findall(text)) == len(control.findall(frame.head)) + len(control.findall(frame.tail)):
        ids = _encode(tokenizer, text)
        if _spelled(tokenizer, ids) == sum(
            _spelled(tokenizer, _encode(tokenizer, it)) for it in (frame.head, frame.tail)
        ):
            return ids
    return _encode_around(tokenizer, frame, text, prompt)


def encode_messages(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Ids of a conversation up to the assistant's answer; no part of a content becomes a control token.

    One user's turn is encoded as `encode_prompt` does. Without a chat template each turn is a line. Raises BadInput
    where the template refuses the conversation.
    """
    if len(messages) == 1 and messages[0].role == "user":
        return encode_prompt(tokenizer, messages[0].content)
    if not tokenizer.chat_template:
        return encode_plain(tokenizer, "".join(f"{message.content}\n" for message in messages))
    text = _conversation(tokenizer, messages)
    marks = [Message(message.role, f"{_MARK}{place}.") for place, message in enumerate(messages)]
    frames = re.split(rf"{_MARK}\d+\.", _conversation(tokenizer, marks))
    control = _control(tokenizer)
    if len(control.findall(text)) == sum(len(control.findall(frame)) for frame in frames):
        ids = _encode(tokenizer, text)
        if _spelled(tokenizer, ids) == sum(_spelled(tokenizer, _encode(tokenizer, frame)) for frame in frames):
            return ids
    if len(frames) != len(messages) + 1:
        raise BadInput("this model's chat template cannot show the name of a control token in such a conversation.")
    return _encode_between(tokenizer, frames, [message.content for message in messages])


def encode_plain(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of a text that the model continues, without a template: BOS where this tokenizer has it, then plain text."""
    return [*_bos(tokenizer), *encode_text(tokenizer, text)]


def encode_example(tokenizer: Tokenizer, example: Example, *, whole: bool = False) -> Encoded:
    """A training sequence, in which the completion and its end of turn are learned; of plain text (no prompt), all is.

    A completion that was cut off has no end of turn. `whole`: the prompt is learned as well, as in SEAL's loss on all
    tokens.
    """
    completion = encode_text(tokenizer, example.completion)
    if example.prompt:
        opening, closing = encode_prompt(tokenizer, example.prompt), _closing(tokenizer)
    else:
        opening, closing = _bos(tokenizer), _eos(tokenizer)
    learned = [*completion, *(closing if example.ends else [])]
    return Encoded(ids=(*opening, *learned), loss=(*[whole] * len(opening), *[True] * len(learned)))


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of plain text: the names of control tokens are spelled out, and nothing is added around it."""
    cuts = [match.start() + 1 for match in _control(tokenizer).finditer(text)]
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [token for piece in pieces if piece for token in _plain(tokenizer, piece)]


def _plain(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of a text that names no control token as it stands: where a normalising tokenizer finds one, it is cut."""
    ids = _encode(tokenizer, text, split=True)
    if not _spelled(tokenizer, ids):
        return ids
    if len(text) > 1:
        middle = len(text) // 2
        return _plain(tokenizer, text[:middle]) + _plain(tokenizer, text[middle:])
    normal = normal_form("NFKC", text)
    return [] if normal == text else [token for char in normal for token in _plain(tokenizer, char)]


def stop_ids(tokenizer: Tokenizer, model: Any) -> set[int]:
    """Ids that end an answer: EOS of the tokenizer and of the model's configurations, and the template's end of turn.

    `model`: anything with a `config` and perhaps a `generation_config`.
    """
    stops = {*_eos(tokenizer), *_closing(tokenizer)[-1:]}
    for holder in (model.config, getattr(model, "generation_config", None)):
        found = getattr(holder, "eos_token_id", None)
        stops.update(found if isinstance(found, list) else [] if found is None else [found])
    return stops


def open_user_turn(tokenizer: Tokenizer) -> UserTurn:
    """The opening of a user's turn without words, from which a model writes a prompt itself (Magpie, Xu et al. 2024).

    Without a chat template a prompt is a line, so the opening is BOS (or EOS) and a newline ends it.
    """
    if not tokenizer.chat_template:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return UserTurn(ids=(start if start is not None else 0,), stops=frozenset(_eos(tokenizer)), mark="\n")
    frame, control = _frame_of(tokenizer), _control(tokenizer)
    first = control.search(frame.tail)
    plain = frame.tail[: first.start()] if first else frame.tail
    stops = _encode(tokenizer, _control_text(control, frame.tail, first.start()))[-1:] if first else []
    ids = tuple(_encode(tokenizer, frame.head))
    return UserTurn(ids=ids, stops=frozenset([*stops, *_eos(tokenizer)]), mark=plain.strip())


def written_prompt(turn: UserTurn, text: str) -> str:
    """The prompt in what a model wrote from an open user turn: what stands before the words that end it."""
    return (text.partition(turn.mark)[0] if turn.mark else text).strip()


def _encode_around(tokenizer: Tokenizer, frame: _Frame, text: str, prompt: str) -> list[int]:
    """The frame's control tokens are parsed; the words between the innermost two are plain."""
    framed = text.startswith(frame.head) and text.endswith(frame.tail)
    words = text[len(frame.head) : len(text) - len(frame.tail)] if framed else prompt
    control = _control(tokenizer)
    last, first = list(control.finditer(frame.head)), control.search(frame.tail)
    opening = last[-1].start() + len(_control_text(control, frame.head, last[-1].start())) if last else 0
    closing = first.start() if first else len(frame.tail)
    return [
        *_encode(tokenizer, frame.head[:opening]),
        *encode_text(tokenizer, frame.head[opening:] + words + frame.tail[:closing]),
        *_encode(tokenizer, frame.tail[closing:]),
    ]


def _conversation(tokenizer: Tokenizer, messages: Sequence[Message]) -> str:
    try:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return render(tokenizer, turns, generation=True)
    except ExternalError as error:
        raise BadInput(f"this model does not take such a conversation: {error.__cause__}. Change its roles.") from error


def _encode_between(tokenizer: Tokenizer, frames: Sequence[str], contents: Sequence[str]) -> list[int]:
    """The frames' control tokens are parsed; the words between two of them are plain, those of contents included."""
    control, ids, plain = _control(tokenizer), list[int](), ""
    for frame, content in zip(frames, [*contents, ""], strict=True):
        found = list(control.finditer(frame))
        if found:
            first, last = found[0].start(), found[-1].start()
            end = last + len(_control_text(control, frame, last))
            ids += [*encode_text(tokenizer, plain + frame[:first]), *_encode(tokenizer, frame[first:end])]
            plain, frame = "", frame[end:]
        plain += frame + content
    return [*ids, *encode_text(tokenizer, plain)]


def _frame_of(tokenizer: Tokenizer) -> _Frame:
    return _frame(tokenizer, str(tokenizer.chat_template), template_day(tokenizer))


@lru_cache(maxsize=8)
def _frame(tokenizer: Tokenizer, template: str, day: str) -> _Frame:
    del template, day  # part of the cache's key only: a tokenizer's template can be replaced, and days pass
    user, assistant = {"role": "user", "content": _MARK}, {"role": "assistant", "content": _MARK}
    head, _, tail = render(tokenizer, [user], generation=True).partition(_MARK)
    closing = render(tokenizer, [user, assistant], generation=False).rpartition(_MARK)[2]
    return _Frame(head=head, tail=tail, closing=closing)


@lru_cache(maxsize=8)
def _control(tokenizer: Tokenizer) -> re.Pattern[str]:
    """Matches, without width, where the name of an added token begins (overlapping names included)."""
    names = sorted({token.content for token in tokenizer.added_tokens_decoder.values()}, key=len, reverse=True)
    return re.compile(f"(?={'|'.join(re.escape(name) for name in names)})") if names else re.compile(r"(?!)")


@lru_cache(maxsize=8)
def _control_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of the special tokens, and of added ones that are words: not of blanks, nor of single characters."""
    added = tokenizer.added_tokens_decoder.items()
    return frozenset(id_ for id_, token in added if token.special or len(token.content.strip(" \n\t\u2581")) > 1)


def _spelled(tokenizer: Tokenizer, ids: Sequence[int]) -> int:
    """How many of the ids are control tokens."""
    control = _control_ids(tokenizer)
    return sum(token in control for token in ids)


def _control_text(control: re.Pattern[str], text: str, start: int) -> str:
    """The longest control token that begins at `start`."""
    named = re.match(control.pattern.removeprefix("(?=").removesuffix(")"), text[start:])
    return named.group() if named else ""


def _encode(tokenizer: Tokenizer, text: str, *, split: bool = False) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=split))


def _bos(tokenizer: Tokenizer) -> list[int]:
    """BOS, where this tokenizer begins a text with it."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer.encode("a")[:1] == [bos] else []


def _eos(tokenizer: Tokenizer) -> list[int]:
    return [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]


def _closing(tokenizer: Tokenizer) -> list[int]:
    """What ends an assistant's turn: the template's text up to its first control token, else EOS."""
    if not tokenizer.chat_template:
        return _eos(tokenizer)
    text, control = _frame_of(tokenizer).closing, _control(tokenizer)
    first = control.search(text)
    if not first:
        return _eos(tokenizer)
    return _encode(tokenizer, text[: first.start()] + _control_text(control, text, first.start()))
