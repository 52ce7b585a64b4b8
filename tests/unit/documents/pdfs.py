"""Small PDF files, made by hand so that a test says what each of them draws."""

from collections.abc import Sequence


def pdf_of(*drawings: str, trailer: str = "", catalog: str = "") -> bytes:
    """A PDF with one page for each drawing, in which /F is Helvetica."""
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(drawings)))
    font = 3 + 2 * len(drawings)
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(drawings)} >>",
    ]
    for number, drawing in enumerate(drawings):
        objects += [_page(4 + 2 * number, font), f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream"]
    return _file([*objects, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"], trailer)


def shown(*lines: str) -> str:
    """The drawing of lines in black, from the top of a page."""
    moves = " 0 -20 Td ".join(f"({line}) Tj" for line in lines)
    return f"BT /F 12 Tf 72 720 Td {moves} ET"


def _page(contents: int, font: int) -> str:
    resources = f"<< /Font << /F {font} 0 R >> >>"
    return f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {contents} 0 R /Resources {resources} >>"


def _file(objects: Sequence[str], trailer: str) -> bytes:
    out, places = b"%PDF-1.4\n", list[int]()
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{one}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(out)}\n%%EOF"
    return out + head.encode() + end.encode()
