"""Nothing here can unpickle: no module that does is imported, and no library is asked to load anything but safetensors.

A pickle runs what its writer wants when it is read, so there is no scanning of pickles: they are refused.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(file for name in ("pipeline", "gates", "registry", "flows") for file in (ROOT / name).rglob("*.py"))
# The last ones send pickles between processes: whoever breaks a child that reads pages would break its parent.
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "jsonpickle", "marshal", "shelve", "multiprocessing"}
CALLS = {"torch.load", "torch.save", "np.load", "numpy.load", "unsafe_load", "full_load", "read_pickle", "load_model"}
POOLS = {"ProcessPoolExecutor"}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imported(tree: ast.AST) -> set[str]:
    names = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(one.name for one in node.names)}
    return {name.split(".")[0] for name in names}


def keywords(call: ast.Call) -> dict[str, str]:
    return {one.arg: ast.unparse(one.value) for one in call.keywords if one.arg}


def objections(source: str) -> list[str]:
    """Why a module could unpickle."""
    tree = ast.parse(source)
    found = sorted(imported(tree) & (MODULES | POOLS))
    for call in calls(tree):
        name, said = ast.unparse(call.func), keywords(call)
        if name in CALLS or name.rpartition(".")[2] in CALLS:
            found.append(name)
        if said.get("trust_remote_code") not in (None, "False") or said.get("weights_only") is not None:
            found.append(ast.unparse(call))
        if name.startswith("AutoModel") and name.endswith("from_pretrained"):
            safe = said.get("use_safetensors") == "True" or "gguf_file" in source
            found += [] if safe else [ast.unparse(call)]
        if name == "yaml.load" and [ast.unparse(one) for one in call.args[1:]] != ["_PlainLoader"]:
            found.append(ast.unparse(call))
    return found


def test_no_module_can_unpickle() -> None:
    found = {str(file.relative_to(ROOT)): objections(file.read_text(encoding="utf-8")) for file in FILES}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from multiprocessing import Pool",
        "from concurrent.futures import ProcessPoolExecutor",
        "import torch\ntorch.load(f)",
        "yaml.load(f)",
        "yaml.load(f, yaml.Loader)",
        "AutoModelForCausalLM.from_pretrained(path)",
        "AutoTokenizer.from_pretrained(path, trust_remote_code=True)",
        "mlflow.pyfunc.load_model(uri)",
    ],
)
def test_the_look_for_it_finds_each(source: str) -> None:
    assert objections(source)
