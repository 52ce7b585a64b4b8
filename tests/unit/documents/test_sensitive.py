"""Secrets and personal data are kept out by the recipe's rule, and what is said of them never holds their value."""

import logging

import pytest

from pipeline.documents import ingest
from pipeline.recipe import Disclosure, DocumentRules
from pipeline.types import Document, Ingested, RawDocument

SAID = "The Cinder service keeps its invoices in the Oslo region."
# Each is put together here, so that no secret stands in this file.
SECRETS = {
    "aws": "AKIA" + "QYLPMN5HNM4OZ3WG",
    "github": "ghp_" + "Zx8mV2bT" * 4 + "abcd",
    "github fine-grained": "github_pat_" + "11ABCDEFG0" * 3,
    "gitlab": "glpat-" + "Zx8mV2bTq1" * 2,
    "slack": "xoxb-" + "123456789012-" * 2 + "abcdefghijkl",
    "stripe": "sk_live_" + "Zx8mV2bT" * 3,
    "google": "AIza" + "Zx8mV" * 7,
    "hugging face": "hf_" + "ZxymVqbTwe" * 4,
    "ai": "sk-ant-" + "Zx8mV2bTq1" * 3,
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "Zx8mV2bTq1Zx8mV2",
    "npm": "//registry.example.org/:_authToken=" + "npm_" + "Zx8mV2bT" * 4,
    "pypi": "pypi-AgEIcHlwaS5vcmc" + "Zx8mV2bT" * 10,
    "sendgrid": "SG." + "Zx8mV2bTq1w" * 2 + "." + "Zx8mV2bTq1w" * 3 + "Zx8mV2bTq1",
    "twilio": "SK" + "a1b2c3d4" * 4,
    "telegram": "123456789:" + "Zx8mV" * 7,
    "address": "postgresql://sealed:" + "hunter2hunter2" + "@db.internal/ledger",
    "password": "password = " + "Tr0ub4dor&3xyz",
    "api key": 'api_key: "' + "Zx8mV2bTq1w" + '"',
    "joined token": "token: acme-prod-" + "9f8e7d6c5b4a",
    "slashed secret": "secret: /Zx8mV2bTq1" + "/QkW8wN3aB",
    "artifactory": "AKCp8" + "Zx8mV2bTq1wQ",
    "artifactory password": "AP5" + "Zx8mV2bTq1wQ",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n" + "Zx8mV2bTq1\n" * 20 + "-----END RSA PRIVATE KEY-----",
    "unclosed key": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "Zx8mV2bTq1\n" * 20,
}
PERSONAL = {
    "payment card": "4111 1111 1111 1111",
    "IBAN": "DE89 3704 0044 0532 0130 00",
    "social security number": "078-05-1120",
    "email address": "ada@quillhaven.example",
    "phone number": "+47 22 12 34 56",
}
PUBLIC = (
    "The token is passed in the header, and the password is asked for at the start.",
    "Use `git clone https://git.example.org/cinder.git` and see commit 9fceb02d0ae598e95dc970b74767f19372d61af8.",
    "password = os.environ['CINDER_PASSWORD_1']",
    "password: <your-password-1>",
    "api_key = ${CINDER_KEY_1}",
    "Order 4111 1111 1111 1112 was sent, and ISBN 978-3-16-148410-0 was returned.",
    "The digest is e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.",
    "Password: Minimum-8-characters.",
    "Token: RFC6750-compliant bearer.",
    "token: BERT-base-uncased-128",
    "The max token: 4096tokens",
    "pwd: /home/user1/docs",
    "APFoundation members visit APCommunications today.",
    "ISBN 9780743273565 and 978-0-307-47427-8 are on the shelf, parcel 1234567890123452 is not.",
    "Call extension 4711 or room 078-05.",
    "Version 2024.10.12-rc1 listens on 127.0.0.1:8443 and fe80::1.",
    "GB82 WEST is the beginning of no account.",
)


def _told(value: str) -> str:
    """The part of it that nobody may read."""
    if "@" in value:
        return value.rpartition(":")[2].partition("@")[0]
    return value.split("\n")[1] if "\n" in value else value[-12:].strip("\"'")


def taken(text: str, rules: DocumentRules, name: str = "a.txt") -> Ingested:
    return ingest([RawDocument(name=name, data=text.encode())], rules)


def one(intake: Ingested) -> Document:
    (document,) = intake.accepted
    return document


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
def test_a_document_with_a_secret_is_quarantined_and_its_value_is_said_nowhere(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        (refusal,) = taken(f"{SAID}\n{value}\n{SAID}", DocumentRules()).refused
    assert "of its text" in refusal.reason
    assert "at character" in refusal.reason
    assert _told(value) not in f"{refusal.reason}{caplog.text}"
    assert "at character" in caplog.text


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_redacted_where_the_recipe_says_so(value: str) -> None:
    document = one(taken(f"{SAID}\n{value}\n{SAID}", DocumentRules(secrets=Disclosure.REDACT)))
    assert _told(value) not in document.body
    assert document.body.startswith(SAID)
    assert document.remarks[0].startswith("redacted: ")
    assert one(taken(f"{SAID}\n{value}", DocumentRules(secrets=Disclosure.KEEP))).body.startswith(SAID)


@pytest.mark.parametrize("value", PERSONAL.values(), ids=PERSONAL)
def test_personal_data_is_redacted_kept_or_quarantined_as_the_recipe_says(value: str) -> None:
    text, every = f"{SAID} {value} is written here. {SAID}", tuple(PERSONAL)
    document = one(taken(text, DocumentRules(personal_rules=every)))
    assert value not in document.body
    assert "] is written here." in document.body
    quarantined = taken(text, DocumentRules(personal_rules=every, personal_data=Disclosure.QUARANTINE))
    assert value not in quarantined.refused[0].reason
    assert value in one(taken(text, DocumentRules(personal_data=Disclosure.KEEP))).body


def test_by_default_addresses_of_people_stay_and_numbers_of_cards_go() -> None:
    document = one(taken(f"{SAID} Ask ada@quillhaven.example, card 4111 1111 1111 1111.", DocumentRules()))
    assert document.body.endswith("Ask ada@quillhaven.example, card [payment card].")


@pytest.mark.parametrize(
    "card",
    [
        "4222222222222",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
    ],
)
def test_the_cards_of_every_issuer_are_found(card: str) -> None:
    assert one(taken(f"{SAID} {card}", DocumentRules())).body == f"{SAID} [payment card]"


def test_a_question_about_what_is_redacted_is_left_out_and_the_others_are_the_documents_own() -> None:
    asked = "questions:\n- {question: Card, answer: 4111 1111 1111 1111}\n- {question: Where, answer: Oslo}"
    document = one(taken(f"---\n{asked}\n---\n{SAID} 4111 1111 1111 1111", DocumentRules(), "a.md"))
    assert [(item.question, item.group) for item in document.eval_items] == [("Where", document.id)]


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert one(taken(f"{SAID} {text}", DocumentRules(personal_rules=tuple(PERSONAL)))).body == f"{SAID} {text}"


def test_a_secret_at_any_place_of_a_long_line_is_found() -> None:
    for before in range(700, 1_300, 7):
        intake = taken(f"{'word ' * (before // 5)}{SECRETS['github']} {'word ' * 300}", DocumentRules())
        assert len(intake.refused) == 1, before


def test_a_reason_that_quotes_a_document_holds_no_secret() -> None:
    (refusal,) = taken(f"---\nkind: {SECRETS['aws']}\n---\n{SAID}", DocumentRules(), "a.md").refused
    assert SECRETS["aws"] not in refusal.reason
    assert "unknown kind" in refusal.reason
