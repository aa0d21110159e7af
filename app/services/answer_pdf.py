"""One prediction on paper: a report for the file, and a sheet in plain words for the patient.

Made of what was posted, for one answer; nothing is kept. Neither holds a name: there is a line to
write it on by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Circle, Drawing
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import HRFlowable, KeepTogether, Paragraph, Spacer

from app.services.card_document import NO_DEVICE
from app.services.report_parts import (
    BOLD,
    FONT,
    SECTION,
    TEXT,
    TITLE,
    WIDTH,
    facts_part,
    grid_part,
    list_part,
    pdf,
)

_VALUE = ParagraphStyle("value", fontName=FONT, fontSize=8.5, leading=11)
_RIGHT = ParagraphStyle("right", parent=_VALUE, alignment=2)
_HEAD = ParagraphStyle("head", parent=_VALUE, fontName=BOLD)
_HEAD_RIGHT = ParagraphStyle("head-right", parent=_HEAD, alignment=2)
_ANSWER = ParagraphStyle("answer", fontName=BOLD, fontSize=15, leading=20, spaceAfter=2)
_PLAIN = ParagraphStyle("plain", parent=TEXT, fontSize=10.5, leading=15, spaceAfter=5)
_QUIET = ParagraphStyle("quiet", parent=TEXT, fontSize=8, leading=11, spaceBefore=3)
_WARNING = ParagraphStyle(
    "warning",
    parent=TEXT,
    backColor=colors.HexColor("#fdf1d8"),
    borderPadding=4,
    spaceBefore=8,
    spaceAfter=8,
)
_INK, _EMPTY = colors.HexColor("#1f2a37"), colors.HexColor("#6b7683")
_ROW, _DOTS, _STEP = 20, 100, 7.6 * mm


@dataclass(frozen=True)
class Line:
    """A value: what it is, what was entered, what the model took, and what it did to the answer."""

    label: str
    entered: str
    taken: str
    points: str


@dataclass(frozen=True)
class Advice:
    """A suggestion as the page of the answer tells it: what, why, and from which pages."""

    kind: str
    text: str
    why: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Paper:
    """An answer in the words that the doctor read; `of_hundred` is None where it is not calibrated.

    `known` are the labels of the values that were entered, `strongest` of those that moved the
    answer most; `advice` stands on the report only, below `advice_about`; `at` is UTC.
    """

    title: str
    disease: str
    percent: str
    words: str
    range: str | None
    of_hundred: int | None
    baseline: str
    lines: tuple[Line, ...]
    known: tuple[str, ...]
    strongest: tuple[str, ...]
    warnings: tuple[str, ...]
    knows: str
    version: str
    model_sha256: str
    training: str
    round: int
    block: int
    contract: str
    at: datetime
    advice_about: str
    advice: tuple[Advice, ...]


def write_report(paper: Paper) -> bytes:
    """The answer with all that it comes from, for the patient's file."""
    heading = f"{paper.title}, prediction of {_day(paper)}"
    return pdf(_report(paper), heading, "Report of one prediction")


def write_sheet(paper: Paper) -> bytes:
    """The answer in plain words, for the patient."""
    heading = f"{paper.title}, for the patient, {_day(paper)}"
    return pdf(_sheet(paper), heading, "What was computed, in plain words")


def _report(paper: Paper) -> Iterator[Any]:
    yield Paragraph(escape(f"{paper.title}: report of one prediction"), TITLE)
    yield _by_hand()
    yield Spacer(0, 3 * mm)
    yield Paragraph(escape(f"{paper.percent} risk of {paper.disease}"), _ANSWER)
    told = f"{paper.words}. From {len(paper.known)} of {len(paper.lines)} values."
    if paper.range:
        told = f"95 % interval: {paper.range}. {told}"
    if paper.of_hundred is not None:
        told += (
            f" Of 100 patients of the federation’s hospitals for whom the model gives this answer, "
            f"about {paper.of_hundred} have {paper.disease}."
        )
    else:
        told += " The model’s own score: too few test patients to fit it to."
    yield Paragraph(escape(told), TEXT)
    yield from _warned(paper)
    yield Paragraph("Values, and what each adds to the answer", SECTION)
    yield grid_part(_rows(paper), (0.34, 0.25, 0.25, 0.16))
    yield Paragraph(
        escape(
            f"Points are percentage points from the {paper.baseline} of the federation’s average "
            "patient. They tell how the model came to its answer, not what causes the disease."
        ),
        _QUIET,
    )
    yield from _advised(paper)
    yield KeepTogether([Paragraph("Which model answered", SECTION), facts_part(_facts(paper))])
    yield Spacer(0, 2 * mm)
    purpose = f"{NO_DEVICE} It supports a doctor’s judgement and is no diagnosis."
    yield Paragraph(escape(f"{paper.knows} {purpose}".strip()), TEXT)


def _rows(paper: Paper) -> list[list[Any]]:
    head = [
        *(Paragraph(name, _HEAD) for name in ("Value", "Entered", "The model took")),
        Paragraph("Points", _HEAD_RIGHT),
    ]
    body = [
        [
            *(Paragraph(escape(text), _VALUE) for text in (one.label, one.entered, one.taken)),
            Paragraph(escape(one.points), _RIGHT),
        ]
        for one in paper.lines
    ]
    return [head, *body]


def _advised(paper: Paper) -> Iterator[Any]:
    head = [Paragraph("First suggestions", SECTION), Paragraph(escape(paper.advice_about), TEXT)]
    yield KeepTogether(head)
    for one in paper.advice:
        sources = f"Source{'s' * (len(one.sources) > 1)}: {'; '.join(one.sources)}."
        yield KeepTogether(
            [
                Paragraph(escape(f"{one.kind}. {one.text}"), TEXT),
                Paragraph(escape(f"Because of {one.why}"), _QUIET),
                Paragraph(escape(sources), _QUIET),
                Spacer(0, 2 * mm),
            ]
        )


def _facts(paper: Paper) -> dict[str, Any]:
    return {
        "Asked": f"{paper.at:%Y-%m-%d %H:%M} UTC",
        "Model": f"{paper.version[:1].upper()}{paper.version[1:]}",
        "Model, SHA-256": paper.model_sha256,
        "Training": paper.training,
        "Round": paper.round,
        "Compared with the chain": f"for this very answer, at block {paper.block}",
        "Contract": paper.contract,
    }


def _sheet(paper: Paper) -> Iterator[Any]:
    yield Paragraph(escape(f"{paper.title}: what was computed for you"), TITLE)
    yield _by_hand()
    yield Paragraph("What was looked at", SECTION)
    looked = f"A computer program looked at: {_listed(paper.known)}."
    if paper.strongest:
        looked += f" What moved its answer most: {_listed(paper.strongest)}."
    yield Paragraph(escape(looked), _PLAIN)
    yield Paragraph("What came out", SECTION)
    yield from _came_out(paper)
    yield from _unusual(paper)
    yield from list_part(
        "What this does not mean",
        (
            f"It does not say that you have {paper.disease}, nor that you do not. Only "
            "examinations and your doctor can.",
            "It does not say what the cause is, nor what a treatment would change.",
            "It compares you with other people’s numbers. It does not know you, and it knows "
            "nothing that was not entered.",
        ),
    )
    yield from list_part(
        "What you can ask your doctor",
        (
            "Does this fit what you know of me?",
            "Which examination would make it clearer, and do I need it?",
            "Is there something that I can do myself?",
            "When should we look at this again, and what should I come earlier for?",
        ),
    )
    yield Spacer(0, 2 * mm)
    yield Paragraph(
        escape(
            f"{NO_DEVICE} Computed on {_day(paper)} by model {paper.model_sha256[:8]}. "
            f"{paper.knows}"
        ),
        _QUIET,
    )


def _came_out(paper: Paper) -> Iterator[Any]:
    if paper.of_hundred is None:
        words = paper.words[:1].lower() + paper.words[1:]
        yield Paragraph(
            escape(
                f"The program’s answer about {paper.disease} is: {words}. How many people of a "
                "hundred that are is not known: too few were tested."
            ),
            _PLAIN,
        )
        return
    ill = paper.of_hundred
    said = (
        f"Of 100 people for whom the program gives this answer, {_about(ill)} have {paper.disease} "
        f"and {_about(_DOTS - ill)} do not."
    )
    if paper.range:
        said += f" It could also be {paper.range.replace(' %', '')} of 100: this is not exact."
    yield KeepTogether(
        [
            Paragraph(escape(said), _PLAIN),
            _hundred(ill),
            Paragraph(
                escape(f"Each dot is one person. Filled: has {paper.disease}. Empty: does not."),
                _QUIET,
            ),
        ]
    )


def _about(people: int) -> str:
    """A number of a hundred; none of them, and all of them, no model knows."""
    return {0: "fewer than 1", _DOTS: "more than 99"}.get(people, f"about {people}")


def _hundred(ill: int) -> Drawing:
    """A hundred dots in rows of twenty, so many of them filled."""
    height = _STEP * (_DOTS // _ROW)
    drawn = Drawing(_STEP * _ROW, height + 2 * mm)
    for place in range(_DOTS):
        across, down = place % _ROW, place // _ROW
        drawn.add(
            Circle(
                (across + 0.5) * _STEP,
                height - (down + 0.5) * _STEP + 2 * mm,
                0.36 * _STEP,
                fillColor=_INK if place < ill else None,
                strokeColor=_INK if place < ill else _EMPTY,
                strokeWidth=0.8,
            )
        )
    return drawn


def _by_hand() -> Any:
    """A line for the patient's name, which this page must not hold."""
    return KeepTogether(
        [
            Spacer(0, 7 * mm),
            HRFlowable(width=WIDTH, thickness=0.6, color=_EMPTY, spaceAfter=1),
            Paragraph("Name and date of birth, by hand", _QUIET),
        ]
    )


def _warned(paper: Paper) -> Iterator[Any]:
    if paper.warnings:
        told = "Unlike most patients that the model learned from: take it with more care. "
        yield Paragraph(escape(told + " ".join(paper.warnings)), _WARNING)


def _unusual(paper: Paper) -> Iterator[Any]:
    if paper.warnings:
        yield Paragraph(
            "Your numbers are unusual for the people from whom the program learned, so take its "
            "answer with more care. Your doctor can tell you which ones.",
            _WARNING,
        )


def _listed(labels: tuple[str, ...]) -> str:
    """Labels as a list in a sentence: their first letter is small unless a capital follows."""
    small = [one if one[1:2].isupper() else one[:1].lower() + one[1:] for one in labels]
    return small[0] if len(small) == 1 else f"{', '.join(small[:-1])} and {small[-1]}"


def _day(paper: Paper) -> str:
    return f"{paper.at:%Y-%m-%d}"
