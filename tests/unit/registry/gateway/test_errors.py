"""Every error of ours has a form that OpenAI's clients understand."""

import pytest

from pipeline import errors
from registry.gateway.errors import form_of, plain_form

TREE = [it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, errors.SealedError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_form(kind: type[errors.SealedError], caplog: pytest.LogCaptureFixture) -> None:
    why = "/srv/sealed/ledger.db at postgres:5432"
    form = form_of(kind(why, seconds=2.5) if kind is errors.TooManyRequests else kind(why))
    assert 400 <= form.status < 600
    assert set(form.body["error"]) == {"message", "type", "param", "code"}
    if form.status < 500 or kind in (errors.NotServing, errors.ReleaseNotLoaded):
        assert form.body["error"]["message"] == why
    else:
        assert form.body["error"]["message"].startswith(f"a part of this server failed ({kind.__name__}): its log says")
        assert why in caplog.text


@pytest.mark.parametrize("kind", [errors.BadRecipe, errors.BadDataFile, errors.NoWorkspace])
def test_a_file_of_ours_that_is_wrong_is_not_the_clients_mistake(kind: type[errors.SealedError]) -> None:
    assert form_of(kind("sealed.toml: no such key")).status == 503


def test_clients_learn_when_to_come_back_and_how_to_sign_in() -> None:
    assert form_of(errors.TooManyRequests("slow", seconds=2.1)).headers == {"retry-after": "3"}
    assert form_of(errors.Unauthorised("who?")).headers == {"www-authenticate": "Bearer"}


def test_the_part_that_is_wrong_is_named() -> None:
    assert form_of(errors.BadRequest("no", param="n")).body["error"]["param"] == "n"


def test_an_unknown_path_is_the_clients_mistake() -> None:
    assert plain_form(404, "nothing here").body["error"]["type"] == "invalid_request_error"
