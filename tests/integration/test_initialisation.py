"""What a new workspace's recipe says depends on what its model can do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from flows.run_context import RunContext
from flows.services.diagnosis import examine
from flows.services.initialisation import init_workspace
from flows.steps.updates import prepare_update
from gates.suite import read_suites
from pipeline.config import Settings
from pipeline.errors import MeasurementFailed
from pipeline.models import catalogue
from pipeline.models import resolution as resolving
from pipeline.recipe import Recipe, RehearsalRules, pretrained_recipe
from pipeline.updates import read_rehearsal_prompts
from pipeline.updates.rehearsal_prompts import RehearsalPrompts
from tests.gguf_models import entry, write_gguf, write_wheel


@pytest.fixture
def capped(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A model that caps its logits."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model("llama"))
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.Gemma2Config(
        vocab_size=len(tokenizer), num_key_value_heads=1, head_dim=16, final_logit_softcapping=3.0, **sizes
    )
    tokenizer.save_pretrained(tmp_path / "capped")
    transformers.Gemma2ForCausalLM(config).save_pretrained(tmp_path / "capped")
    return tmp_path / "capped"


def test_a_model_that_brings_no_recipe_gets_that_of_a_pretrained_one(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    _put(tmp_path / "workspace" / "rehearsal_prompts" / "own.jsonl")
    _put(tmp_path / "workspace" / "suites" / "perplexity" / "tides.txt", "The sea rises twice a day.")
    init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada").ledger.close()
    assert Recipe.read(tmp_path / "workspace" / "recipe.toml") == pretrained_recipe()
    assert RehearsalRules().kl_weight > 0 < pretrained_recipe().rehearsal.kl_weight
    assert "perplexity" in pretrained_recipe().policy.required


def test_the_gate_of_perplexity_is_not_required_without_plain_text(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    _put(tmp_path / "workspace" / "rehearsal_prompts" / "own.jsonl")
    init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada").ledger.close()
    recipe, given = Recipe.read(tmp_path / "workspace" / "recipe.toml"), pretrained_recipe()
    policy = given.policy.model_copy(update={"required": Recipe().policy.required})
    assert recipe == given.model_copy(update={"policy": policy})


def test_a_model_without_rehearsal_prompts_rehearses_what_it_writes_itself(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada").ledger.close()
    recipe, usual = Recipe.read(tmp_path / "workspace" / "recipe.toml"), pretrained_recipe()
    assert recipe.rehearsal.generative > 0 == usual.rehearsal.generative
    assert recipe.rehearsal.model_copy(update={"generative": 0}) == usual.rehearsal


def test_a_model_may_lie_in_a_folder_of_any_name(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    odd = Path(shutil.copytree(tiny_model("llama"), tmp_path / 'a "quoted" \\ größe # 1'))
    init_workspace(tmp_path / "workspace", str(odd), actor="ada").ledger.close()
    assert Settings.read(tmp_path / "workspace").model == str(odd)


def test_a_model_that_caps_its_logits_rehearses_words_alone(capped: Path, tmp_path: Path) -> None:
    init_workspace(tmp_path / "workspace", str(capped), actor="ada").ledger.close()
    recipe = Recipe.read(tmp_path / "workspace" / "recipe.toml")
    own = pretrained_recipe().rehearsal
    assert (recipe.rehearsal.kl_weight, recipe.rehearsal.hidden_state_weight) == (0.0, 0.0)
    assert (recipe.rehearsal.prompts, recipe.rehearsal.replay) == (own.prompts, own.replay)
    assert recipe.training.new_weight == 1.0
    assert recipe.training.teaching_weight == 0.0


def test_a_workspace_may_be_made_around_a_gguf_file(
    tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALED_CACHE", str(tmp_path / "cache"))
    file = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf")
    opened = init_workspace(tmp_path / "workspace", str(file), actor="ada")
    folder = Path(opened.settings.model)
    assert folder.parent == tmp_path / "cache" / "models"
    assert opened.base.identity == opened.identity
    opened.ledger.close()


def test_a_workspace_of_smollm2_has_its_suites_and_its_texts_to_rehearse(
    tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "_packaged_folder", lambda wanted: tiny_model("llama"))
    model = catalogue.packaged("smollm2")
    assert model is not None
    assert model.brings is not None
    opened = init_workspace(tmp_path / "workspace", "smollm2", actor="ada")
    brought = read_suites(model.brings / "suites")
    assert opened.suites.digest == brought.digest
    assert all((brought.retention, brought.regression, brought.safety, brought.perplexity))
    texts = read_rehearsal_prompts(tmp_path / "workspace" / "rehearsal_prompts")
    assert texts == read_rehearsal_prompts(model.brings / "rehearsal_prompts") != RehearsalPrompts()
    assert (tmp_path / "workspace" / "suites" / "LICENCES.md").is_file()
    opened.ledger.close()


def test_a_packaged_model_brings_what_lies_in_its_folder_of_the_package(
    tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = entry(write_wheel(tmp_path / "index", {}), b"")
    monkeypatch.setattr(catalogue, "CATALOGUE", (model,))
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "package" / "catalogue.py"))
    monkeypatch.setattr(resolving, "_packaged_folder", lambda wanted: tiny_model("llama"))
    brought = tmp_path / "package" / "tiny"
    for name, text in {"recipe.toml": "seed = 7\n", "suites/safety/manners.jsonl": "{}\n"}.items():
        (brought / name).parent.mkdir(parents=True, exist_ok=True)
        (brought / name).write_text(text, encoding="utf-8")
    workspace = tmp_path / "workspace"
    init_workspace(workspace, "tiny", actor="ada").ledger.close()
    assert Recipe.read(workspace / "recipe.toml").seed == 7
    assert (workspace / "suites" / "safety" / "manners.jsonl").read_text() == "{}\n"


def _put(path: Path, text: str = '{"prompt": "Who are you?"}\n') -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_a_text_that_no_model_can_score_is_found_before_anything_trains(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    _put(tmp_path / "workspace" / "rehearsal_prompts" / "own.jsonl")
    _put(tmp_path / "workspace" / "suites" / "perplexity" / "tides.txt", "The sea rises.\n\n" + "again " * 5_000)
    parts = init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada")
    try:
        (found,) = [one for one in examine(tmp_path / "workspace") if one.part == "suites"]
        assert not found.ok
        assert "tokens" in found.sentence
        with parts.ledger.session() as session:
            run = session.runs.begin_rebuild(proposer="ada", recipe=parts.recipe.digest)
            with pytest.raises(MeasurementFailed, match="Split it or drop it"):
                prepare_update(RunContext(parts, session, parts.recipe), run)
    finally:
        parts.ledger.close()


def test_what_of_a_model_no_adapter_changes_is_said_at_init(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model("llama"))
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.MixtralConfig(
        vocab_size=len(tokenizer), num_key_value_heads=1, num_local_experts=4, eos_token_id=2, **sizes
    )
    tokenizer.save_pretrained(tmp_path / "sparse")
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "sparse")
    with caplog.at_level("WARNING", logger="sealed"):
        init_workspace(tmp_path / "workspace", str(tmp_path / "sparse"), actor="ada").ledger.close()
    assert "no adapter changes this model's experts (" in caplog.text
