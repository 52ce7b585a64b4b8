"""The process that reads pages: with little memory and time, and no file, address or program to open.

It is started by `reader`, reads one request after the other from its input, and ends with it.
"""

import codecs
import json
import os
import resource
import sys
from collections.abc import Mapping

from pipeline.documents.pages.blocks import read_block, write_block
from pipeline.documents.pages.html import read_html
from pipeline.documents.pages.pdf import read_pdf
from pipeline.errors import BadDocument

MEMORY = 1_000_000_000  # bytes of address space; the libraries take a third of it before they read anything
_WARM_PAGE = "<main><h1>Warm</h1><p>What is imported late is imported now, while files may still be opened.</p></main>"
_WARM_PDF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>> endobj
4 0 obj <</Length 67 /Filter /ASCIIHexDecode>> stream
4254202F4620313220546620313020353020546420285761726D2920546A204554>
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
trailer <</Root 1 0 R /Size 6>>
startxref
0
%%EOF
"""
# Of texts in PDF, which Python also imports late.
_ENCODINGS = (
    "utf-16 utf-16-be utf-16-le utf-32-be latin-1 cp1252 mac-roman cp932 euc-jp gbk gb18030 big5 cp950 euc-kr cp949"
)


def main() -> None:
    """Answers requests until the input ends."""
    read_html(_WARM_PAGE)
    read_pdf(_WARM_PDF, len(_WARM_PDF))
    for name in _ENCODINGS.split():
        codecs.lookup(name)
    _fall_silent()
    _limit()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    write_block(sink, b"")  # it is ready
    while (head := read_block(source, MEMORY)) is not None and (data := read_block(source, MEMORY)) is not None:
        write_block(sink, json.dumps(_answer(json.loads(head), data)).encode())


def _answer(request: Mapping[str, object], data: bytes) -> dict[str, str]:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime + float(str(request["seconds"]))) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    try:
        if request["format"] == "pdf":
            title, body = read_pdf(data, int(str(request["most_characters"])))
        else:
            title, body = read_html(data.decode())
    except BadDocument as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": "it takes too much memory to read"}
    return {"title": title, "body": body}


def _limit() -> None:
    """Takes from this process what reading needs not: new files, addresses, programs and much memory."""
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(what, (0, 0))
    if sys.platform != "darwin":  # macOS refuses a limit of addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # No number is left for a file or a socket beside those that are open: whatever opens one fails.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def _fall_silent() -> None:
    """What libraries say of a page is for nobody: the asking process reads only why this one cannot start."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stderr.fileno())


if __name__ == "__main__":
    main()
