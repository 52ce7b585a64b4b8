"""Makes a workspace around a base model: its file, its folders, its ledger with release 0, what the model brings."""

import logging
from pathlib import Path

from tomlkit import comment, document, dumps

from flows.wiring import Workspace, open_workspace
from gates.catalogue import TEXT_GATE
from gates.suite import read_suites
from pipeline.adapters.attachment import unadapted
from pipeline.config import WORKSPACE_FILE, Settings, expect_no_workspace
from pipeline.engines.base import BaseModel, load_base
from pipeline.files import write_bytes, write_text
from pipeline.models.resolution import find_model
from pipeline.models.support import check_supported
from pipeline.recipe import Recipe, pretrained_recipe, recipe_toml
from pipeline.training import can_distil
from pipeline.types import ModelRef
from pipeline.updates import RehearsalPrompts, read_rehearsal_prompts
from registry import create_ledger
from registry.keys import new_key

log = logging.getLogger("sealed")

FOLDERS = ("incoming", "rehearsal_prompts", "suites", "adapters", "cache", "reports")
_GENERATIVE = 160  # examples where there are no rehearsal prompts; each costs a prompt and an answer of the model
_ABOUT = "Where things are that do not lie in this folder. The environment wins: SEALED_MODEL, SEALED_DEVICE, ..."


def init_workspace(folder: Path, model: str, *, actor: str, device: str = "auto") -> Workspace:
    """Makes a workspace in `folder` around a model that `find_model` finds: its name, GGUF file, folder or hub id.

    Raises BadInput if there is one, ModelMissing or DownloadFailed if the base cannot be fetched or loaded, and
    BadDataFile on suites that cannot be read.
    """
    expect_no_workspace(folder)
    # The model is loaded before anything is written: a wrong name leaves no half-made workspace.
    found = find_model(model)
    base = load_base(str(found.folder), device=device)
    check_supported(base)
    if left := unadapted(base.model):
        log.warning("no adapter changes this model's %s: what is learned goes into its other layers", left)
    if found.brings and (found.brings / "recipe.toml").is_file():
        Recipe.read(found.brings / "recipe.toml")
    folder = folder.resolve()
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    _bring(found.brings, base, folder)
    _record(folder, base, device, actor)
    return open_workspace(folder)


def _record(folder: Path, base: BaseModel, device: str, actor: str) -> None:
    """Creates the ledger and a single person's signing key, then writes the workspace's file, last and at once.

    Where that file is, the workspace is whole.
    """
    identity = base.identity
    settings = {
        "model": str(base.path),
        "base_model": identity.model,
        "base_tokenizer": identity.tokenizer,
        "base_chat_template": identity.chat_template,
        "device": device,
    }
    # Through Settings, because the environment may name another database.
    made = Settings.at(folder, settings)
    if made.review == "single" and made.private_key is not None and not made.private_key.exists():
        new_key(made.private_key, made.trusted_keys)
    ledger = create_ledger(made.database_url)
    ledger.releases.create_base_release(ModelRef(base=identity.model), actor)
    ledger.close()
    text = document()
    text.add(comment(_ABOUT))
    text.update(settings)
    write_text(folder / WORKSPACE_FILE, dumps(text))


def _bring(brought: Path | None, base: BaseModel, folder: Path) -> None:
    """Copies the recipe, rehearsal prompts and suites that come with a model; never over a file that is there.

    Raises BadDataFile where a recipe must be written and the suites cannot be read.
    """
    if brought:
        for source in sorted(path for path in brought.rglob("*") if path.is_file()):
            target = folder / source.relative_to(brought)
            if not target.exists():
                write_bytes(target, source.read_bytes())
    if not (folder / "recipe.toml").exists():
        write_text(folder / "recipe.toml", recipe_toml(_recipe_for(base, folder)))


def _recipe_for(base: BaseModel, folder: Path) -> Recipe:
    """A pretrained model's recipe, less what the model cannot do and what the workspace has nothing for."""
    recipe = pretrained_recipe()
    if read_rehearsal_prompts(folder / "rehearsal_prompts") == RehearsalPrompts():
        recipe = _rehearsing_itself(recipe)
    if not read_suites(folder / "suites").perplexity:
        recipe = _without_text_gate(recipe)
    return recipe if can_distil(base.model) else _undistilled(recipe)


def _rehearsing_itself(recipe: Recipe) -> Recipe:
    """The recipe without rehearsal prompts: what is rehearsed the base model writes itself, anew for each run."""
    rehearsal = recipe.rehearsal.model_copy(update={"generative": _GENERATIVE})
    return recipe.model_copy(update={"rehearsal": rehearsal})


def _undistilled(recipe: Recipe) -> Recipe:
    """The recipe for a model that cannot be distilled: words alone, and equal weights."""
    training = recipe.training.model_copy(update={"new_weight": 1.0, "teaching_weight": 0.0})
    rehearsal = recipe.rehearsal.model_copy(update={"kl_weight": 0.0, "hidden_state_weight": 0.0})
    return recipe.model_copy(update={"rehearsal": rehearsal, "training": training})


def _without_text_gate(recipe: Recipe) -> Recipe:
    """The recipe for a workspace without plain text, where the gate of perplexity could never pass."""
    required = tuple(gate for gate in recipe.policy.required if gate != TEXT_GATE)
    return recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"required": required})})
