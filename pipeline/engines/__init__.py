"""Runs language models: loads a base model, samples answers from it and scores them, with an adapter or without.

`pipeline.engines.openai`, the engine that asks a server, is imported by its own name.
"""

from pipeline.engines.base import BaseModel, ModelMetadata, find_base, load_base, load_metadata, with_adapter
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.engines.engine import Engine, SamplingParams, cut_off, fits_context, room_for, template_tokens
from pipeline.engines.likelihood import BATCH, likelihoods
from pipeline.engines.local import LocalEngine
from pipeline.engines.prefix import replaced_attention

__all__ = [
    "BATCH",
    "BaseModel",
    "DecodingJob",
    "Engine",
    "LocalEngine",
    "ModelMetadata",
    "SamplingParams",
    "cut_off",
    "decode",
    "find_base",
    "fits_context",
    "likelihoods",
    "load_base",
    "load_metadata",
    "replaced_attention",
    "room_for",
    "template_tokens",
    "with_adapter",
]
