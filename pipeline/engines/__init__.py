"""Runs language models: loads a base model, samples answers from it and scores them, with an adapter or without.

What every engine is, stands here. What loads torch or asks a server is imported from its own module.
"""

from pipeline.engines.engine import Engine, SamplingParams, cut_off, fits_context, room_for, template_tokens

__all__ = ["Engine", "SamplingParams", "cut_off", "fits_context", "room_for", "template_tokens"]
