"""No secret of an address or a key is told, however it is spelt and wherever it stands."""

import traceback
from urllib.parse import quote

import pytest

from pipeline.addresses import harmless, header_key, redacted, redacted_address, secrets_of, server_address

SECRET = "S3/CR@T x"
ENCODED = quote(SECRET, safe="")
DATABASE = "postgresql+psycopg://"
ADDRESSES = [
    f"{DATABASE}u:{SECRET}@db:5432/ledger",
    f"{DATABASE}u:{ENCODED}@db:5432/ledger",
    f"{DATABASE}u:{ENCODED.replace('%2F', '%2f')}@db/ledger",
    f"{DATABASE}db/ledger?user=u&password={SECRET}",
    f"{DATABASE}db/ledger?user=u&password={ENCODED}",
    f"{DATABASE}db/ledger?user=u&PASS%77ord={ENCODED}",
    f"{DATABASE}u@db/ledger?sslkey=/k&sslpassword={ENCODED}&connect_timeout=1",
    f"mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPWD%3D{ENCODED}",
    f"host=db password='{SECRET}' dbname=ledger",
    f"password = '{SECRET}' host=db",
    f"http://u:{ENCODED}@server:8000",
    f"http://{ENCODED}@server:8000",
    f"https://server/v1?api_key={ENCODED}&x=1",
    f"https://server/v1?x=1&access_token={ENCODED}",
    f"https://server/v1?next=http%3A%2F%2Fu%3A{quote(ENCODED, safe='')}%40other",
    SECRET,
]
WORDS = [
    "{}",
    "cannot reach {}: refused",
    "Illegal header value b'Bearer {}'",
    '{{"asked": "{}"}}',
    "host '{}' is unknown",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_known_address_tells_no_secret_in_any_words(address: str) -> None:
    known = secrets_of(address)
    assert "S3" not in redacted_address(address)
    for form in (address, SECRET, ENCODED, repr(SECRET)[1:-1], quote(SECRET)):
        for words in WORDS:
            said = redacted(words.format(form), *known)
            assert "S3" not in said, said
            assert "CR" not in said, said


@pytest.mark.parametrize("address", [one for one in ADDRESSES if "://" in one and SECRET not in one])
def test_an_unknown_address_in_a_text_tells_no_secret(address: str) -> None:
    assert "S3" not in redacted(f"the server at {address} does not answer")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("postgresql+psycopg://sealed:s3cret@db:5432/ledger", "postgresql+psycopg://sealed:***@db:5432/ledger"),
        ("MLflow at https://rita:p%40ss@mlflow/ failed", "MLflow at https://rita:***@mlflow/ failed"),
        ("http://:token@server", "http://:***@server"),
        ("sqlite:////srv/w/ledger.db", "sqlite:////srv/w/ledger.db"),
        ("http://mlflow:5000/#/models", "http://mlflow:5000/#/models"),
        ("fatal: invalid PASSWORD='a b' in dsn", "fatal: invalid PASSWORD=*** in dsn"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("max_tokens=512 is more than the 256 there are", "max_tokens=512 is more than the 256 there are"),
        ("password authentication failed for user", "password authentication failed for user"),
    ],
)
def test_what_is_no_secret_stays(text: str, safe: str) -> None:
    assert redacted(text) == safe


def test_a_short_secret_hides_no_part_of_a_word() -> None:
    assert redacted("the database db-1 of dbname: db", *secrets_of("postgresql://u:db@host/x")) == (
        "the database ***-1 of dbname: ***"
    )


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_cause_that_tells_a_secret_is_not_chained(depth: int) -> None:
    secret = "".join(("S3", "CRET"))  # apart, because a traceback shows the lines of this test as well
    error: Exception = ValueError(f"invalid dsn {secret}")
    for _ in range(depth):
        try:
            raise OSError("the driver failed") from error
        except OSError as outer:
            error = outer
    assert harmless(error, secret) is None
    assert harmless(error, "another") is error
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError("it failed") from harmless(error, secret)
    assert secret not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("key", "sent"), [("abc", "abc"), ("abc\n", "abc"), (" sk-1_2~=/+.\r\n", "sk-1_2~=/+."), ("\n", "")]
)
def test_a_key_is_sent_without_the_blanks_around_it(key: str, sent: str) -> None:
    assert header_key(key) == sent


@pytest.mark.parametrize("key", ["S3\nCRET", "S3 CRET", "S3CRET\x00", "S3CRÉT", "S3\r\nX-Evil: 1"])
def test_a_key_that_no_header_may_hold_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(ValueError, match="Copy the key again") as refused:
        header_key(key)
    assert "S3" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "S3CRET",
        "ftp://u:S3CRET@h",
        "http://",
        "http://u:S3/CRET@h",
        "http://u:S3CRET@h:x",
        "http://h/?key=S3CRET",
        "http://u:S3 CRET@h",
        "http://h/#S3CRET",
        "http://u:S3\x00CRET@h",
        "http://[S3CRET",
    ],
)
def test_a_server_whose_address_cannot_be_used_is_refused_and_not_told(address: str) -> None:
    with pytest.raises(ValueError, match=r"Write|Give") as refused:
        server_address(address)
    assert "S3" not in "".join(traceback.format_exception(refused.value))


def test_a_server_address_is_taken_without_the_blanks_around_it() -> None:
    assert server_address(" https://u:p%40ss@host:8000/prefix \n") == "https://u:p%40ss@host:8000/prefix"
