"""Of a page is learned what a reader sees of it, and reading it cannot reach a file, an address or the whole memory."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.documents import ingest
from pipeline.documents.pages import reader
from pipeline.documents.pages.reader import read_page
from pipeline.errors import BadDocument, ExternalError
from pipeline.recipe import DocumentRules
from pipeline.types import RawDocument
from tests.unit.documents.pdfs import pdf_of, shown

SAID = "The Cinder service keeps invoices in the Oslo region."
HEAD = "BT /F 12 Tf"


def html(page: str) -> str:
    return read_page(page.encode(), "html", 10.0, 100_000)[1].strip()


def pdf(data: bytes, most: int = 100_000) -> str:
    return read_page(data, "pdf", 10.0, most)[1].strip()


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "DISPLAY : none !important",
        "dis\\70lay:none",
        "display/* a */:none",
        "visibility:hidden",
        "visibility:collapse",
        "font-size:0",
        "font-size:1px",
        "font-size:.1em",
        "font:0/0 a",
        "opacity:0",
        "opacity:.01",
        "filter:opacity(0)",
        "color:transparent",
        "color:rgba(0,0,0,0)",
        "color:#00000000",
        "color:#fff",
        "color:white",
        "color:#fefefe;background:#ffffff",
        "color:rgb(10,10,10);background-color:black",
        "position:absolute;left:-9999px",
        "position:fixed;top:-5000px",
        "text-indent:-9999px",
        "width:1px;height:1px;overflow:hidden",
        "max-height:0;overflow:hidden",
        "clip:rect(0,0,0,0)",
        "clip-path:inset(100%)",
        "transform:scale(0)",
        "transform:translateX(-9999px)",
        "content-visibility:hidden",
    ],
)
def test_what_a_style_hides_is_not_read(style: str) -> None:
    assert html(f'<p>{SAID}</p><p style="{style}">Mallory owns it.</p>') == SAID
    assert html(f"<style>.q {{ {style} }}</style><p>{SAID}</p><div class='a q'>Mallory <b>owns</b> it.</div>") == SAID


@pytest.mark.parametrize(
    "page",
    [
        "<p hidden>{}</p>",
        "<p aria-hidden=true>{}</p>",
        "<div hidden><div><p>{}</p></div></div>",
        "<template><p>{}</p></template>",
        "<noscript>{}</noscript>",
        "<script>{}</script>",
        "<!-- {} -->",
        "<svg><text>{}</text></svg>",
        "<dialog>{}</dialog>",
        "<datalist><option>{}</option></datalist>",
        "<span class='sr-only'>{}</span>",
        "<span class='visually-hidden'>{}</span>",
        "<font color=white>{}</font>",
        "<table bgcolor=black><tr><td style='color:#000'>{}</td></tr></table>",
        "<nav><a href=/>{}</a></nav>",
        "<footer>{}</footer>",
        "<aside>{}</aside>",
        "<div role=navigation>{}</div>",
        "<div role=banner>{}</div>",
        "<div class='cookie-banner'>{}</div>",
        "<div id=gdpr-consent>{}</div>",
        "<del>{}</del>",
        "<s>{}</s>",
        "<math><annotation>{}</annotation></math>",
        "<style>#x, p.y {{display:none}}</style><p id=X>{}</p>",
        "<p id=x>{}</p><style>#x {{display:none}}</style>",
        "<img alt='{}' src=x>",
        "<meta name=description content='{}'>",
        "<input type=hidden value='{}'>",
        "<a href=/ title='{}'></a>",
    ],
)
def test_what_no_reader_sees_or_stands_around_the_text_is_not_read(page: str) -> None:
    assert html(f"<article><p>{SAID}</p></article>{page.format('Mallory owns it all.')}") == SAID


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<p>10<sup>30</sup> kg and H<sub>2</sub>O are here</p>", "10^30 kg and H2O are here"),
        ("<p>On the 1<sup>st</sup> of May it was 10<sub>2</sub></p>", "On the 1st of May it was 10_2"),
        ("<p>It costs <del>100</del><ins>80</ins> crowns a month</p>", "It costs 80 crowns a month"),
        ("<p>So it was said<sup>[1]</sup> by all of them</p>", "So it was said by all of them"),
        (
            "<p>About <math><msup><mn>10</mn><mn>30</mn></msup></math> kilograms it weighs</p>",
            "About 10^30 kilograms it weighs",
        ),
        (
            "<p>Half is <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math> of the whole cake</p>",
            "Half is 1/2 of the whole cake",
        ),
        ("<details><summary>Who owns it?</summary>Heron owns it</details>", "Who owns it?\n\nHeron owns it"),
        ("<p>Port <b>8443</b>, <i>not</i> 80.</p>", "Port 8443, not 80."),
        ("<p><ruby>長野<rt>ながの</rt></ruby>県は本州にある。</p>", "長野県は本州にある。"),
        (
            "<style>@media print {.q {display:none}}</style><p class=q>Seen on a screen it is.</p>",
            "Seen on a screen it is.",
        ),
        ("<dialog open>Open as it is, it is read.</dialog>", "Open as it is, it is read."),
        (
            "<div style='background:#123'><p style='color:white'>White on blue is seen.</p></div>",
            "White on blue is seen.",
        ),
    ],
)
def test_what_a_reader_sees_is_read_as_it_is_seen(page: str, said: str) -> None:
    assert " ".join(html(page).split(" ")).replace("  ", " ") == said


def test_the_main_part_is_all_where_a_page_has_one() -> None:
    page = f"<header><h1>ACME intranet</h1></header><div>Buy our shoes.</div><main><h2>Cinder</h2><p>{SAID}</p></main>"
    assert html(page) == f"Cinder\n\n{SAID}"


def test_menus_and_side_bars_are_left_out_and_tables_and_lists_stay() -> None:
    body = "".join(
        f"<h2>Part {n}</h2><p>Trip {n} is paid by the team that asked for it, see day {n}.</p>" for n in range(9)
    )
    menu = "".join(f"<li><a href=/{n}>Product {n}</a></li>" for n in range(12))
    table = "<table><tr><td>port</td><td>8443</td></tr></table><ul><li>Ask your lead first.</li></ul>"
    said = html(f"<div class=header><ul class=menu>{menu}</ul></div><div class=content>{body}{table}</div>")
    assert "Product" not in said
    assert "port\t8443" in said
    assert "Ask your lead first." in said
    assert all(f"Trip {n} is paid" in said for n in range(9))


@pytest.mark.parametrize(
    "hidden",
    [
        f"{HEAD} 3 Tr 72 600 Td (Mallory) Tj ET",
        f"1 g {HEAD} 72 600 Td (Mallory) Tj ET",
        f"1 1 1 rg {HEAD} 72 600 Td (Mallory) Tj ET",
        f"0 0 0 0 k {HEAD} 72 600 Td (Mallory) Tj ET",
        "BT /F 0.5 Tf 72 600 Td (Mallory) Tj ET",
        f"{HEAD} 0.01 0 0 0.01 72 600 Tm (Mallory) Tj ET",
        f"q 0.01 0 0 0.01 0 0 cm {HEAD} 7200 60000 Td [(Mal) 3 (lory)] TJ ET Q",
        f"{HEAD} 72 -300 Td (Mallory) Tj ET",
        f"{HEAD} 9000 600 Td (Mallory) Tj ET",
        f"{HEAD} 72 600 Td 14 TL 3 Tr (Mallory) ' ET",
    ],
)
def test_what_a_pdf_draws_unseen_is_not_read(hidden: str) -> None:
    assert pdf(pdf_of(f"{shown(SAID)} q {hidden} Q")) == SAID


def test_a_pdf_is_read_page_by_page() -> None:
    assert pdf(pdf_of(shown("One line here.", "Two."), shown("Three."))) == "One line here.\nTwo.\n\nThree."
    blue = f"0 0 1 rg 0 0 612 792 re f 1 g {HEAD} 72 700 Td (White on blue) Tj ET"
    assert pdf(pdf_of(blue)) == "White on blue"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.4", "a broken PDF"),
        (pdf_of(shown(SAID))[:300], "a broken PDF"),
        (pdf_of(f"{HEAD} 3 Tr 72 600 Td (Mallory) Tj ET"), "a PDF without text that a reader sees"),
        (pdf_of(""), "a PDF without text that a reader sees"),
        (pdf_of(shown(SAID), trailer="/Encrypt << /Filter /Standard >>"), "an encrypted PDF"),
        (pdf_of(*[shown(SAID)] * 40), "a PDF of more than 2,000 characters"),
    ],
)
def test_a_pdf_that_cannot_be_read_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(BadDocument, match=reason):
        pdf(data, most=2_000)


def test_a_page_that_takes_too_long_is_refused_and_the_next_one_is_read() -> None:
    slow = pdf_of(" ".join(["(x) Tj"] * 150_000))
    with pytest.raises(BadDocument, match="too slow or too large"):
        read_page(slow, "pdf", 0.05, 10_000_000)
    assert html(f"<p>{SAID}</p>") == SAID


def test_the_process_that_reads_can_open_nothing_and_knows_no_secret() -> None:
    code = (
        "import os, socket, sys\n"
        "from pipeline.documents.pages import child\n"
        "child._limit()\n"
        "for act in (lambda: open('/etc/hostname'), socket.socket, lambda: os.popen('ls')):\n"
        "    try:\n        act(); print('opened')\n"
        "    except OSError as error: print(error.errno)\n"
        "try:\n    bytearray(3_000_000_000); print('taken')\n"
        "except MemoryError: print('memory')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=_environment())
    assert run.stdout.split() == ["24", "24", "24", "memory"]


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}


def test_a_page_fetches_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        page = f"<link rel=stylesheet href={address}><img src={address}><iframe src={address}></iframe><p>{SAID}</p>"
        assert html(page) == SAID
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_process_that_asks_loads_no_library_for_pages() -> None:
    code = "import sys, pipeline.documents; print([n for n in ('trafilatura', 'pypdf', 'lxml') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert run.stdout.strip() == "[]"


@pytest.fixture
def anew() -> Iterator[None]:
    """The next page is read by a process that is started for it, and so is the one after the test."""
    reader._reader.cache_clear()
    yield
    reader._reader.cache_clear()


@pytest.mark.usefixtures("anew")
def test_a_file_of_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("open('ran', 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert html(f"<p>{SAID}</p>") == SAID
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("anew")
def test_where_no_page_can_be_read_the_run_fails_and_no_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MODULE", "pipeline.documents.pages.nowhere")
    with pytest.raises(ExternalError, match=r"No module named pipeline\.documents\.pages\.nowhere\. .*requirements"):
        ingest([RawDocument(name="a.html", data=f"<p>{SAID}</p>".encode())], DocumentRules())
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ExternalError, match="No such file"):
        html(f"<p>{SAID}</p>")


LIAR = """
import sys
from pipeline.documents.pages.blocks import read_block, write_block
write_block(sys.stdout.buffer, b"")
while read_block(sys.stdin.buffer, 1000) and (data := read_block(sys.stdin.buffer, 1000)):
    write_block(sys.stdout.buffer, data * 100_000 if data == b"long" else data)
"""


@pytest.mark.usefixtures("anew")
def test_an_answer_of_another_form_refuses_the_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "liar.py").write_text(LIAR)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(reader, "_MODULE", "liar")
    for answer in (b"{", b"\xff", b"[" * 900, b"[]", b"{}", b'{"title": "T"}', b'{"title": "T", "body": 3}', b"long"):
        with pytest.raises(BadDocument):
            read_page(answer, "html", 10.0, 1_000)
    assert read_page(b'{"title": "T", "body": "B"}', "html", 10.0, 1_000) == ("T", "B")
