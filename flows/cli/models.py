"""`sealed models`: which base models there are to begin with, and fetching one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import AsJson

if TYPE_CHECKING:
    from pipeline.models import ListedModel

app = typer.Typer(help="The base models that `sealed init --model` knows by name.", no_args_is_help=True)


@app.command("list")
def listed(json: AsJson = False) -> None:
    """Show the models that packages carry, and what the cache holds."""
    from pipeline.models import listed_models, models_folder

    models = listed_models()
    if json:
        screen.as_json(models)
        return
    columns = ("name", "what", "licence", "size", "downloaded", "where")
    screen.table(f"Base models; the cache is {models_folder()}", columns, [_row(model) for model in models])
    screen.say(*(f"{model.name}: {model.note}" for model in models if model.note))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of `sealed models list`, a GGUF file, a folder, or a hub id.")],
    json: AsJson = False,
) -> None:
    """Fetch a model, make it a folder of the cache, and check that it works. What is there already is verified."""
    with screen.progress_shown(json):
        folder = _found(name)
    if json:
        screen.as_json({"name": name, "folder": folder})
        return
    screen.say(f"{name} is ready in {folder}.", f"Make a workspace around it with `sealed init FOLDER --model {name}`.")


def _found(name: str) -> Path:
    from pipeline.models.resolution import find_model

    return find_model(name).folder


def _row(model: "ListedModel") -> tuple[str, ...]:
    size = f"{model.folder_bytes / 1e6:,.0f} MB"
    if model.folder:
        return model.name, model.about, model.licence, size, "yes", str(model.folder)
    size = f"{size}, to fetch {model.download_bytes / 1e6:,.0f} MB"
    return model.name, model.about, model.licence, size, "no", ""
