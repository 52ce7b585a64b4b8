"""One bad document never stops the rest: whatever lies in the folder, intake says what is wrong and goes on."""

import io
import os
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.documents import ingest
from pipeline.documents.sources.folder import read
from pipeline.errors import BadInput
from pipeline.recipe import DocumentRules
from pipeline.types import Ingested, RawDocument

RULES = DocumentRules()
GOOD = "---\ntitle: Cinder\n---\nThe Cinder service keeps invoices in the Oslo region.\n"
BOMB = "---\na: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
FRAGMENTS = [
    b"---\n",
    b"title: x\n",
    b"questions:\n",
    b"- question: q\n",
    b"  answer: a\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"&a ",
    b"*a",
    b"? ",
    b": ",
    b"!!python/name:os.x ",
    b"%YAML 1.1\n",
    b'"\\U',
    b"<<: ",
    b"| ",
    b"<p>",
    b"<!--",
    b"<![CDATA[",
    b"</",
    b"<script>",
    b"&#xD800;",
    b'{"body": "',
    b'"}\n',
    b"\\ud800",
    b"1e999",
    b"\xff",
    b"\x00",
    b"\n",
    b"word ",
    b"\r",
    "\u2028\u202e\u0301".encode(),
    b"\xed\xa0\x80",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder below `tmp_path` with one good document, so that every test shows that the rest went on."""
    made = tmp_path / "incoming"
    made.mkdir()
    (made / "good.md").write_text(GOOD)
    return made


def taken(folder: Path) -> dict[str, str]:
    """The refusals by name, after the good document was seen to be accepted."""
    intake = ingest(read(folder, RULES.max_bytes), RULES)
    assert [document.name for document in intake.accepted if document.title == "Cinder"] == ["good.md"]
    return {refusal.name: refusal.reason for refusal in intake.refused}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("binary.md", bytes(range(256)), "binary: a zero byte at offset 0"),
        ("empty.md", b"", "empty: the file holds no text"),
        ("broken.md", b"---\ntitle: [x\n---\nbody", "broken front matter: line 3: expected ',' or ']'"),
        ("latin.txt", "Ein schöner Tag".encode("latin-1"), "invalid UTF-8: byte 0xf6 at offset 7"),
        ("overlong.txt", b"\xc0\xaf an overlong slash in it", "invalid UTF-8: byte 0xc0 at offset 0"),
        ("surrogate.txt", b"half \xed\xa0\x80 a character is here", "invalid UTF-8: byte 0xed at offset 5"),
        ("bomb.md", f"{BOMB}---\nWords like a body.".encode(), "anchors and aliases (& and *) are refused"),
        ("nested.jsonl", b'{"a":' * 100_000, "broken JSON line: it is nested too deeply"),
        ("script.html", b"<script>steal('a b c d e f')</script>", "empty: nothing is left"),
        ("noname.", b"words without any suffix at all", "unknown suffix ''"),
    ],
)
def test_a_bad_file_is_refused_and_the_rest_goes_on(folder: Path, name: str, data: bytes, reason: str) -> None:
    (folder / name).write_bytes(data)
    refusals = taken(folder)
    assert [reason in said for said in refusals.values()] == [True], refusals


def test_an_archive_named_as_markdown_is_seen_by_its_bytes(folder: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner.md", GOOD)
    (folder / "archive.md").write_bytes(packed.getvalue())
    assert taken(folder) == {"archive.md": "binary: a ZIP archive or Office document, not text"}


def test_a_file_of_fifty_megabytes_is_refused_unread(folder: Path) -> None:
    with (folder / "large.md").open("wb") as stream:
        stream.truncate(50_000_000)
    (folder / "good.md").rename(folder / "small.md")
    items = list(read(folder, RULES.max_bytes))
    assert max(len(item.data) for item in items if isinstance(item, RawDocument)) == len(GOOD)
    refused = ingest(items, RULES).refused
    assert [refusal.reason for refusal in refused] == [
        "too large: 50,000,000 bytes, at most 2,000,000 are read (documents.max_bytes in the recipe)"
    ]


LINK = "a symbolic link: it is not followed; put the file itself here"


def test_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text(GOOD.replace("Cinder", "Secret"))
    (folder / "link.md").symlink_to(secret)
    (folder / "up.md").symlink_to(Path("..") / "secret.md")
    (folder / "twice.md").symlink_to("link.md")
    (folder / "tree").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "gone.md").symlink_to("nowhere.md")
    (folder / "zzz.md").symlink_to("good.md")
    names = ("gone.md", "link.md", "loop", "self", "tree", "twice.md", "up.md", "zzz.md")
    assert taken(folder) == dict.fromkeys(names, LINK)


def test_a_folder_that_becomes_a_link_while_it_is_read_is_not_left(folder: Path, tmp_path: Path) -> None:
    (folder / "aa").mkdir()
    for name in ("1.md", "2.md"):
        (folder / "aa" / name).write_text(GOOD.replace("Cinder", f"Ember {name}"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "2.md").write_text(GOOD.replace("Cinder", "Secret"))
    items = read(folder, RULES.max_bytes)
    first = next(items)
    (folder / "aa").rename(tmp_path / "moved")
    (folder / "aa").symlink_to(elsewhere)
    read_on = [first, *items]
    assert all(isinstance(item, RawDocument) and b"Secret" not in item.data for item in read_on)
    assert [item.name for item in read_on] == ["aa/1.md", "aa/2.md", "good.md"]


def test_a_pipe_does_not_block(folder: Path) -> None:
    os.mkfifo(folder / "pipe.md")
    # Where this were wrong, the test would wait for ever for someone to write.
    assert taken(folder) == {"pipe.md": "no regular file: a pipe, socket or device is not read"}


def test_a_socket_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.md")
        assert taken(folder) == {"socket.md": "no regular file: a pipe, socket or device is not read"}


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads whatever the permissions say, so root becomes nobody for a while."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_what_may_not_be_read_is_refused() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "good.md").write_text(GOOD)
        (folder / "closed.md").write_text(GOOD)
        (folder / "closed.md").chmod(0)
        (folder / "room").mkdir(mode=0)
        with as_nobody():
            refusals = taken(folder)
        (folder / "room").chmod(0o700)
    assert refusals == dict.fromkeys(("closed.md", "room"), "unreadable: Permission denied")


def test_a_name_with_line_breaks_and_broken_bytes_prints_on_one_line(folder: Path) -> None:
    name = b"two\nlines\x1b[31m\xff.md"
    Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(b"")
    assert taken(folder) == {r"two\nlines\x1b[31m\udcff.md": "empty: the file holds no text"}


def test_hidden_files_and_folders_are_left_alone(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"")
    (folder / ".draft.md").write_bytes(b"")
    assert taken(folder) == {}


def test_folders_are_walked_in_the_order_of_names(folder: Path) -> None:
    for name in ("b/two.txt", "a/z.txt", "a/b/c.txt", "b.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"Words enough to be taken: {name}")
    names = [item.name for item in read(folder, RULES.max_bytes)]
    assert names == ["a/b/c.txt", "a/z.txt", "b/two.txt", "b.txt", "good.md"]


def test_folders_are_walked_to_a_depth_and_whatever_their_paths_length(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=here)
        here, above = os.open("x" * 250, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    with open(os.open("long.txt", os.O_CREAT | os.O_WRONLY, dir_fd=here), "w") as stream:
        stream.write("Words enough to be taken from below a long path.")
    os.close(here)
    assert taken(folder) == {}
    deep = folder / "/".join("d" * 120)
    deep.mkdir(parents=True)
    (deep / "deep.txt").write_text("Words enough to be taken from the depth.")
    before = len(os.listdir("/dev/fd"))
    assert list(taken(folder).values()) == ["too deep: folders are read 100 deep; put it higher up"]
    assert len(os.listdir("/dev/fd")) == before


def test_a_folder_that_is_none_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        list(read(tmp_path / "nowhere", RULES.max_bytes))


@pytest.mark.parametrize("page", ["<div>x" * 5000, "<!--" * 100_000, "<![" * 50_000, "<a " * 50_000, "<" * 100_000])
def test_hostile_pages_cost_little(page: str) -> None:
    intake = ingest([RawDocument(name="a.html", data=page.encode())], RULES)
    assert len(intake.accepted) + len(intake.refused) == 1


def accounted(intake: Ingested) -> int:
    return len(intake.accepted) + len(intake.refused) + intake.duplicates


SUFFIXES = st.sampled_from([".md", ".txt", ".html", ".docx", ""])
BYTES = st.binary(max_size=300) | st.text(max_size=200).map(str.encode)
PIECES = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=8), SUFFIXES, BYTES | PIECES | PIECES.map(lambda d: b"---\n" + d)), max_size=4)
)
def test_any_bytes_are_accounted_for(files: list[tuple[str, str, bytes]]) -> None:
    items = [RawDocument(name=name + suffix, data=data) for name, suffix, data in files]
    intake = ingest(items, DocumentRules(min_words=1))
    assert accounted(intake) == len(items)
    for document in intake.accepted:
        assert document.body
        assert document.id
        assert all(eval_item.id for eval_item in document.eval_items)
    assert all(refusal.id and refusal.reason for refusal in intake.refused)


@settings(deadline=None)
@given(st.lists(PIECES.map(lambda data: data.replace(b"\n", b"").replace(b"\r", b"")), max_size=6))
def test_any_json_lines_are_accounted_for(lines: list[bytes]) -> None:
    data = b"\n".join([b'{"body": "one good line of five words"}', *lines])
    intake = ingest([RawDocument(name="a.jsonl", data=data)], RULES)
    readable = b"\x00" not in data and data.decode("utf-8", "ignore").encode() == data
    bad = sum(bool(line.decode("utf-8", "ignore").strip()) for line in lines) if readable else 0
    assert [accounted(intake), len(intake.refused)] == [1 + (bad > 0), bad > 0 or not readable]
    if bad:
        assert intake.refused[0].reason.startswith(f"{bad} of its {bad + 1} documents are refused: a.jsonl:")
