"""The embedded default: a tiny base model and the world it lives in. Nothing outside knows that it exists."""

from pathlib import Path


def model_path() -> Path:
    """The folder of the model that comes with the package; it loads like any other."""
    return Path(__file__).parent / "model"
