"""Canonical JSON, and what a release's statement and its signature hold against."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InternalError, PolicyError
from pipeline.types import ModelRef, Release, ReleaseState, SignedStatement, Update
from registry import signing
from registry.signing import KeyRing, against_statement, canonical, key_id, signed_statement
from tests.ledgers import KEYS, NOON, RECIPE, SIGNING, manifest_of, report_on

UPDATE = Update(parent=ModelRef(base="b" * 64), self_edits=(), examples_digest="e", recipe=RECIPE, seed=0)
MANIFEST = manifest_of(UPDATE)
BASE = Release(
    number=0,
    state=ReleaseState.PRODUCTION,
    parent=None,
    model=ModelRef(base="b" * 64),
    manifest="",
    update="",
    proposer="ada",
    created=NOON,
)
RELEASE = replace(BASE, number=1, parent=0, manifest=MANIFEST.digest, update=UPDATE.id)
TEXT = signing.statement_of(RELEASE, MANIFEST, parent=BASE, report=report_on(UPDATE), approvers=1)
SIGNED = signed_statement(TEXT, SIGNING)


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    value = {"peach": "This sorting order", "péché": True, "pêche": None, "sin": [1, -2], "": {}, "a\n": '"\\\u000f€'}
    assert canonical(value) == (
        b'{"":{},"a\\n":"\\"\\\\\\u000f\xe2\x82\xac","peach":"This sorting order",'
        b'"p\xc3\xa9ch\xc3\xa9":true,"p\xc3\xaache":null,"sin":[1,-2]}'
    )


def test_keys_are_sorted_by_utf_16_units_as_rfc_8785_has_it() -> None:
    assert canonical({"\ufb33": 1, "😀": 2}).decode() == '{"😀":2,"\ufb33":1}'


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), {1: "a"}, {"a": 0.5}, {"a"}, 2**53, b"a", "\ud800", {"\ud800": 1}]
)
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises(InternalError, match="cannot be signed"):
        canonical(value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@given(PLAIN)
def test_the_canonical_form_says_the_same_and_is_its_own_canonical_form(value: object) -> None:
    once = canonical(value)
    assert json.loads(once) == value
    assert canonical(json.loads(once)) == once


def test_a_statement_names_every_digest_the_release_stands_on() -> None:
    said = json.loads(TEXT)
    assert said["files"] == [{"name": "adapter_model.safetensors", "sha256": UPDATE.id, "size": 1}]
    assert (said["base"], said["tokenizer"], said["chat_template"]) == ("b" * 64, "t", "")
    assert (said["parent"], said["recipe"], said["ledger"], said["policy"]) == ("", RECIPE, "l", "p")
    assert (said["manifest"], said["report"]) == (MANIFEST.digest, report_on(UPDATE).digest)


def test_a_signed_statement_holds_for_itself() -> None:
    assert against_statement(TEXT, SIGNED, KEYS) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"files": (replace(MANIFEST.files[0], sha256="f" * 64),)}, "differs from what is here in files, manifest"),
        ({"base": "c" * 64}, "in base, manifest"),
        ({"tokenizer": "other"}, "in manifest, tokenizer"),
        ({"chat_template": "other"}, "in chat_template, manifest"),
        ({"recipe": "other"}, "in manifest, recipe"),
        ({"ledger": "other"}, "in ledger, manifest"),
        ({"rank": 8}, "in manifest"),
    ],
)
def test_any_other_digest_of_the_adapter_is_not_what_was_signed(changed: dict[str, object], words: str) -> None:
    other = replace(MANIFEST, **changed)  # type: ignore[arg-type]
    text = signing.statement_of(RELEASE, other, parent=BASE, report=report_on(UPDATE), approvers=1)
    assert words in str(against_statement(text, SIGNED, KEYS))


def test_another_parent_report_policy_or_number_of_approvers_is_not_what_was_signed() -> None:
    report = report_on(UPDATE)
    parent = signing.statement_of(RELEASE, MANIFEST, parent=replace(BASE, manifest="x"), report=report, approvers=1)
    assert "in parent" in str(against_statement(parent, SIGNED, KEYS))
    lax = signing.statement_of(RELEASE, MANIFEST, parent=BASE, report=replace(report, policy="lax"), approvers=1)
    assert "in policy, report" in str(against_statement(lax, SIGNED, KEYS))
    alone = signing.statement_of(RELEASE, MANIFEST, parent=BASE, report=report, approvers=2)
    assert "in approvers" in str(against_statement(alone, SIGNED, KEYS))


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        (replace(SIGNED, signature=SIGNED.signature[:-4] + "AA=="), "is not over these bytes"),
        (replace(SIGNED, signature=""), "is not over these bytes"),
        (replace(SIGNED, signature="no base64!"), "is not over these bytes"),
        (replace(SIGNED, key="f" * 64), "not trusted here"),
        (replace(SIGNED, key=""), "(none), which is not trusted"),
        (replace(SIGNED, text="{}"), "differs"),
        (replace(SIGNED, text="no json"), "its form"),
    ],
)
def test_a_forged_signature_is_no_signature(forged: SignedStatement, words: str) -> None:
    assert words in str(against_statement(TEXT, forged, KEYS))


def test_a_key_of_the_attackers_own_is_not_trusted() -> None:
    own = signing.Ed25519PrivateKey.generate()
    assert "not trusted here" in str(against_statement(TEXT, signed_statement(TEXT, own), KEYS))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"approvers": 0}', '{"approvers": "1"}', '{"approvers": true}'])
def test_a_statement_that_says_nothing_of_approvers_asks_for_more_than_there_are(text: str) -> None:
    assert signing.approvers_of(SignedStatement(text=text, key="", signature="")) > 1_000
    assert signing.approvers_of(SIGNED) == 1


def test_who_has_no_key_or_one_that_nobody_trusts_signs_nothing() -> None:
    with pytest.raises(PolicyError, match="`sealed keys new`"):
        KeyRing().expect_own()
    with pytest.raises(PolicyError, match="is not trusted in this workspace"):
        KeyRing(own=SIGNING).expect_own()
    assert key_id(KEYS.expect_own().public_key()) in KEYS.trusted
    assert "Private" not in repr(KEYS)
