"""Where base models come from: a folder, the hub, a GGUF file, or a package that carries one. What is made is cached.

The catalogue and the cache stand here. What loads torch is imported from its own module.
"""

from pipeline.models.cache import CACHE_VARIABLE, models_folder
from pipeline.models.catalogue import CATALOGUE, PackagedModel, Wheel, packaged
from pipeline.models.listing import ListedModel, listed_models

__all__ = [
    "CACHE_VARIABLE",
    "CATALOGUE",
    "ListedModel",
    "PackagedModel",
    "Wheel",
    "listed_models",
    "models_folder",
    "packaged",
]
