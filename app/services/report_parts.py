"""What a report in PDF is made of: fonts, styles, and tables that break across pages."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    CondPageBreak,
    Image,
    KeepTogether,
    LongTable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)

from app.services.chart import Chart
from app.services.figures import render
from app.services.tables import Column, Table

FONT, BOLD, MONO = "Report", "Report-Bold", "Report-Mono"
# matplotlib brings along fonts that hold every European and many other scripts.
_FILES = {
    FONT: "DejaVuSans.ttf",
    BOLD: "DejaVuSans-Bold.ttf",
    MONO: "DejaVuSansMono.ttf",
}
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
FIGURE = (WIDTH, WIDTH * 4.2 / 7.2)
_LINE, _HEAD = colors.HexColor("#dfe3e7"), colors.HexColor("#f2f4f6")

_LINES: tuple[Any, ...] = (
    ("BACKGROUND", (0, 0), (-1, 0), _HEAD),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 3),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
)

TEXT = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, spaceAfter=4)
_CELL = ParagraphStyle("cell", parent=TEXT, fontSize=7, leading=9, spaceAfter=0)
_NUMBER = ParagraphStyle("number", parent=_CELL, alignment=2)
TITLE = ParagraphStyle("title", fontName=BOLD, fontSize=18, leading=24, spaceAfter=6)
SECTION = ParagraphStyle(
    "section", fontName=BOLD, fontSize=12, leading=16, spaceBefore=10, spaceAfter=4
)
BULLET = ParagraphStyle("bullet", parent=TEXT, leftIndent=10, bulletIndent=0, spaceAfter=2)
CODE = ParagraphStyle("code", parent=TEXT, fontName=MONO, fontSize=7.5, leading=11)

ROOM = 30 * mm  # that a section begins with, or a new page
_PADDING = 8  # of a cell, left and right together, with some room
_DIGITS = 10  # of a hash in a table; the whole of it stands in the files


def pdf(parts: Iterable[Any], heading: str, subject: str) -> bytes:
    """Parts as a document on A4, its pages numbered under its heading.

    `parts` may use fonts: they are registered before the first is asked for.
    """
    register_fonts()
    written = io.BytesIO()
    made = SimpleDocTemplate(
        written,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Consilium, {heading}",
        subject=subject,
        creator="Consilium",
    )

    def foot(canvas: Any, _: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.drawString(MARGIN, 10 * mm, f"Consilium, {heading}")
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"Page {canvas.getPageNumber()}")

    made.build(list(parts), onFirstPage=foot, onLaterPages=foot)
    return written.getvalue()


def figure_part(chart: Chart, source: str, scale: float = 1.0) -> Any:
    """A chart with its caption, `scale` of the page wide; `source` says what it is of."""
    drawn = render(chart, "png", source)
    width, height = (scale * size for size in FIGURE)
    return KeepTogether([Spacer(0, 4 * mm), Image(io.BytesIO(drawn), width, height)])


def list_part(title: str, sentences: Sequence[str]) -> Iterator[Any]:
    """Sentences as a list under their title; nothing where there are none."""
    if not sentences:
        return
    yield CondPageBreak(ROOM)
    yield Paragraph(escape(title), SECTION)
    for one in sentences:
        yield Paragraph(escape(one), BULLET, bulletText="•")


def grid_part(rows: Sequence[Sequence[Any]], shares: Sequence[float]) -> Any:
    """Rows of paragraphs, the first of which is repeated on every page; `shares` of the width."""
    made = LongTable(
        list(rows), colWidths=[WIDTH * share for share in shares], repeatRows=1, hAlign="LEFT"
    )
    made.setStyle(TableStyle(_LINES))
    return made


def table_part(table: Table) -> Iterator[Any]:
    """A table with its title and what it shows; nothing where it has no rows."""
    if not table.rows:
        return
    shown = table.without_empty().for_people()
    head = [
        Paragraph(escape(column.title), _NUMBER if column.numeric else _CELL)
        for column in shown.columns
    ]
    body = [
        [_cell(column, value) for column, value in zip(shown.columns, row, strict=True)]
        for row in shown.rows
    ]
    yield KeepTogether(
        [Paragraph(escape(table.title), SECTION), Paragraph(escape(table.about), TEXT)]
    )
    made = LongTable([head, *body], colWidths=_widths(shown), repeatRows=1, hAlign="LEFT")
    made.setStyle(_style(shown))
    yield made


def _style(table: Table) -> TableStyle:
    commands: list[Any] = list(_LINES)
    if table.totals:
        commands.append(("LINEABOVE", (0, -table.totals), (-1, -table.totals), 1, colors.black))
    return TableStyle(commands)


def _widths(table: Table) -> list[float]:
    """Columns as wide as their longest word; what is left goes to those whose text would wrap."""
    least, wanted = [], []
    for place, column in enumerate(table.columns):
        texts = [column.title, *(_said(column, row[place]) for row in table.rows)]
        words = [word for text in texts for word in text.split()]
        least.append(max(map(_long, words)) + _PADDING)
        wanted.append(max(map(_long, texts)) + _PADDING)
    spare = WIDTH - sum(wanted)
    if spare >= 0:
        return [most + spare / len(wanted) for most in wanted]
    more = [most - few for few, most in zip(least, wanted, strict=True)]
    share = max(0.0, WIDTH - sum(least)) / sum(more)
    return [few + share * extra for few, extra in zip(least, more, strict=True)]


def _long(text: str) -> float:
    return float(pdfmetrics.stringWidth(text, FONT, _CELL.fontSize))


def _cell(column: Column, value: Any) -> Paragraph:
    return Paragraph(escape(_said(column, value)), _NUMBER if column.numeric else _CELL)


def _said(column: Column, value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _plain(value)
    if isinstance(value, str) and column.numeric:
        return value  # As "<5", which is kept back.
    if column.kind == "share":
        return percent(value)
    if column.kind == "figure":
        return f"{value:.3f}"
    if column.kind in ("hash", "transaction"):
        return f"{value[:_DIGITS]}…"
    return f"{value:,}" if column.kind == "number" else str(value)


def facts_part(facts: dict[str, Any]) -> Any:
    """Names with their values, without those that have none."""
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    rows = [
        [Paragraph(escape(name), _CELL), Paragraph(escape(_plain(value)), _CELL)]
        for name, value in known.items()
    ]
    made = LongTable(rows, colWidths=[WIDTH * 0.32, WIDTH * 0.68], hAlign="LEFT")
    lines, top = ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE), ("VALIGN", (0, 0), (-1, -1), "TOP")
    made.setStyle(TableStyle([lines, top]))
    return made


def _plain(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def percent(share: float | None) -> str:
    """A share in percent."""
    return "–" if share is None else f"{100 * share:.1f} %"


def register_fonts() -> None:
    """Let the library know the fonts; again is harmless."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name, file in _FILES.items():
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(folder / file)))
