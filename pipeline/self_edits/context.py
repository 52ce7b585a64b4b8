"""What a run's self-edits are written with, the batch they are about, and what fits into the model's context."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.documents import chunks
from pipeline.engines import Engine, SamplingParams, template_tokens
from pipeline.grading import normalise
from pipeline.leakage import UNGUARDED, TrainingGuard
from pipeline.prompts import QUESTION, open_book, shown
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.style import ExampledStyle, Style
from pipeline.self_edits.styles.lines import EXAMPLE_BODY, EXAMPLE_TITLE
from pipeline.types import Checkpoint, Document, DocumentKind

# Self-edits on more than this at once are thin, and longer sequences are costly to train on; SEAL's are no longer.
MAX_CHUNK = 2048
MIN_CHUNK = 16  # tokens of a document below which there is no use in asking


@dataclass(frozen=True, kw_only=True)
class WriterContext:
    """What writes a run's self-edits and validation questions, and by which rules. Built once a run.

    `engine` runs the `writer`, which is the production model or one in training. `guard`: what no self-edit may ask or
    answer. `question_prompt`: the recipe's, by which questions are asked.
    """

    engine: Engine
    rules: SelfEditRules
    writer: Checkpoint
    seed: int
    guard: TrainingGuard = UNGUARDED
    question_prompt: str = QUESTION

    def generate(self, prompts: Sequence[str], params: SamplingParams) -> list[tuple[str, ...]]:
        """The writer's samples for each prompt; raises as the engine does."""
        return self.engine.generate(prompts, params, adapter=self.writer.folder)

    def sampling(self, seed: int, samples: int = 1) -> SamplingParams:
        """How the rules sample self-edits."""
        return SamplingParams(
            max_new_tokens=self.rules.max_new_tokens,
            temperature=self.rules.temperature,
            top_p=self.rules.top_p,
            samples=samples,
            seed=seed,
        )

    def greedy(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """The writer's greedy answer to each prompt."""
        return [answer for (answer,) in self.generate(prompts, SamplingParams(max_new_tokens=max_new_tokens))]

    def shown(self, document: Document, body: str) -> str:
        """A piece of the document as every prompt of the writer shows it: as data, between delimiters."""
        return shown(self.rules.document_prompt, document.title, body, whole=document.body)

    def asked(self, style: Style, document: Document, body: str) -> str:
        """The user message that asks for a self-edit about a piece of the document, few-shot if the rules say so."""
        task = style.prompt(self.shown(document, body))
        if not (self.rules.few_shot and isinstance(style, ExampledStyle)):
            return task
        example = style.prompt(shown(self.rules.document_prompt, EXAMPLE_TITLE, EXAMPLE_BODY))
        return f"{example}\n\n{style.EXAMPLE}\n\n---\n\n{task}"

    def open_book(self, document: Document, body: str, question: str) -> str:
        """A question below a piece of the document."""
        return open_book(document.title, body, question, self.rules.document_prompt, whole=document.body)

    def body_budget(self, style: Style, document: Document) -> int:
        """Tokens for the document's body in the style's prompt; a self-edit claims at most half of the context."""
        claimed = min(self.rules.max_new_tokens, self.engine.context // 2)
        return min(room_below(self.engine, self.asked(style, document, "")) - claimed, MAX_CHUNK)

    def bodies(self, document: Document, styles: Iterable[Style]) -> tuple[str, ...]:
        """The document's body in chunks that fit every style's prompt; none where its title leaves no room."""
        budget = min(self.body_budget(style, document) for style in styles)
        return chunks(document, self.engine.token_count, budget) if budget >= MIN_CHUNK else ()


@dataclass(frozen=True)
class Batch:
    """The documents of a run: what is kept of the self-edits about one may depend on the others' titles."""

    documents: tuple[Document, ...]

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The titles of all but workflows."""
        return tuple(one.title for one in self.documents if one.kind is not DocumentKind.WORKFLOW)

    @cached_property
    def shared_titles(self) -> frozenset[str]:
        """Titles (normalised) that several documents have."""
        counts = Counter(normalise(document.title) for document in self.documents)
        return frozenset(title for title, count in counts.items() if count > 1)


def self_edit_budget(engine: Engine, prompt: str, max_new_tokens: int) -> int:
    """Tokens that a self-edit may have: fewer than `max_new_tokens` where the context ends before."""
    return min(max_new_tokens, room_below(engine, prompt))


def leaves_room(engine: Engine, prompt: str, tokens: int) -> bool:
    """Whether the context holds the prompt, its template and an answer of `tokens`."""
    return tokens <= room_below(engine, prompt)


def room_below(engine: Engine, prompt: str) -> int:
    """Tokens that the context leaves below a prompt and its template."""
    return engine.context - engine.token_count(prompt) - template_tokens(engine)
