"""A base model without its weights: what is needed to ask a server that runs it."""

from dataclasses import dataclass
from typing import Any

from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase

from pipeline.adapters.identity import BaseIdentity, identify_base
from pipeline.engines.base import context_of, find_base
from pipeline.errors import ModelMissing


@dataclass(frozen=True, eq=False)
class ModelMetadata:
    """A base model's identity, tokenizer and configuration."""

    identity: BaseIdentity
    tokenizer: PreTrainedTokenizerBase
    config: PretrainedConfig
    generation_config: Any

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        return context_of(self.config, self.tokenizer)


def load_metadata(path_or_id: str) -> ModelMetadata:
    """Reads a model folder, or hub id, without its weights. Raises ModelMissing with what to do."""
    path = find_base(path_or_id)
    identity = identify_base(path)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(path, **options)
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
        named = (path / "generation_config.json").is_file()
        generation = GenerationConfig.from_pretrained(path, local_files_only=True) if named else None
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelMissing(f"the model in {path} cannot be read: {error}. Check that the copy is whole.") from error
    return ModelMetadata(identity=identity, tokenizer=tokenizer, config=config, generation_config=generation)
