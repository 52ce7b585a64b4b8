"""The bodies of OpenAI's requests: what is understood of them, and what is refused since it would change the answer."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.chat import Message
from pipeline.errors import BadRequest, first_problem

MOST_CHOICES = 16
_MOST_MESSAGES = 512
_MOST_STOPS = 4
_LONGEST_STOP = 256  # characters: each token is compared with every beginning of a stop string
# Parameters that would change the answer, with the values that ask for nothing: all others are refused.
_NOTHING: dict[str, tuple[object, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "top_k": (-1, 0),
    "min_p": (0,),
    "stop_token_ids": ([],),
    "prompt_logprobs": (),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "prediction": (),
}
Body = TypeVar("Body", bound="_Body")
_Stop = Annotated[str, Field(max_length=_LONGEST_STOP)]


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Part(BaseModel):
    type: Literal["text"]
    text: str


class _Turn(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]

    def message(self) -> Message:
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, content)


class _Body(BaseModel):
    """What both kinds of requests have. Parameters that change nothing, such as metadata, are ignored."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=_MOST_STOPS)] | None = None
    seed: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    user: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end the text, without empty ones."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(one for one in given if one)

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the tokens it took."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatBody(_Body):
    """The JSON of POST /v1/chat/completions."""

    messages: Annotated[list[_Turn], Field(min_length=1, max_length=_MOST_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None

    @property
    def conversation(self) -> tuple[Message, ...]:
        return tuple(turn.message() for turn in self.messages)

    @property
    def wanted(self) -> int | None:
        """Most new tokens; None: as many as fit."""
        return self.max_completion_tokens or self.max_tokens


class TextBody(_Body):
    """The JSON of POST /v1/completions: a text, or the ids of one."""

    prompt: (
        str
        | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
        | Annotated[list[str], Field(min_length=1, max_length=1)]
    )

    @property
    def wanted(self) -> int:
        """Most new tokens: OpenAI's default is 16."""
        return self.max_tokens or 16


def read_request(kind: type[Body], data: bytes) -> Body:
    """The request in a body. Raises BadRequest, naming the parameter that is wrong."""
    try:
        body = kind.model_validate_json(data)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BadRequest(f"the request cannot be read: {first_problem(error)}.", param=where or None) from error
    _refuse_unsupported(body.model_extra or {})
    return body


def _refuse_unsupported(extra: dict[str, Any]) -> None:
    for name, value in extra.items():
        if value is not None and name in _NOTHING and value not in _NOTHING[name]:
            raise BadRequest(f"{name} is not supported by this server. Leave it out.", param=name)
