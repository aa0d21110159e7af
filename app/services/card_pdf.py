"""A model's card in PDF: the same tables and chart as the page, and every hash in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, KeepTogether, Paragraph, Spacer

from app.services.card_document import NO_STATEMENT, ModelCard
from app.services.card_tables import card_chart, card_tables
from app.services.report_parts import (
    CODE,
    ROOM,
    SECTION,
    TEXT,
    TITLE,
    facts_part,
    figure_part,
    list_part,
    pdf,
    table_part,
)

_CHART = 0.75


def write_card(card: ModelCard) -> bytes:
    """The card to print and to file; a second's work, nothing is kept."""
    heading = f"{card.title}, {card.name}"
    return pdf(_parts(card, heading), heading, "Model card")


def _parts(card: ModelCard, heading: str) -> Iterator[Any]:
    tables = card_tables(card)
    yield Paragraph(escape(f"Model card: {heading}"), TITLE)
    yield Paragraph(escape(card.notice), TEXT)
    for warning in card.warnings:
        yield Paragraph(escape(warning), TEXT)
    yield facts_part(_facts(card))
    yield from _purpose(card)
    for name in ("figures", "groups"):
        yield from table_part(tables[name])
    chart = card_chart(card)
    if chart is not None:
        yield figure_part(chart, f"Training {card.training}", _CHART)
    for name in ("reliability", "calibration", "data"):
        yield from table_part(tables[name])
    yield from _people(card)
    for name in ("verdicts", "kept_out"):
        yield from table_part(tables[name])
    yield KeepTogether(
        [
            Paragraph("Where it is recorded, and how to verify", SECTION),
            facts_part(_recorded(card)),
            Spacer(0, 2 * mm),
            Paragraph(
                "The installation that trained computes everything stored again and compares it "
                "with the chain:",
                TEXT,
            ),
            Paragraph("python3 run.py verify", CODE),
        ]
    )


def _facts(card: ModelCard) -> dict[str, Any]:
    return {
        "Predicts": " or ".join(card.classes),
        "In use": card.in_use,
        "Network": card.network,
        "Rounds": card.rounds,
        "Rounds that kept the model before": card.rounds_kept or None,
        "Ended early": card.ended_early,
        "Training ended": card.ended_at,
        "Model, SHA-256": card.model_sha256,
    }


def _purpose(card: ModelCard) -> Iterator[Any]:
    if card.use is None:
        yield Paragraph("Intended use", SECTION)
        yield Paragraph(escape(NO_STATEMENT), TEXT)
        return
    yield from list_part("Intended use", card.use.intended_use)
    yield from list_part("Not for", card.use.out_of_scope)
    yield from list_part("Limits", card.use.limits)


def _people(card: ModelCard) -> Iterator[Any]:
    if card.use is None:
        return
    yield CondPageBreak(ROOM)
    yield Paragraph("Where the rows are from", SECTION)
    yield facts_part(
        {
            "Collected": card.use.collected,
            "Countries": ", ".join(card.use.countries),
            "What is predicted": card.use.outcome,
            "Cite": card.source.cite if card.source else None,
            "Licence": card.source.licence if card.source else None,
        }
    )
    yield from list_part("Who is represented", card.use.represented)
    yield from list_part("Who is not", card.use.not_represented)
    yield from list_part(f"Sources of these statements (of {card.use.revised})", card.use.sources)


def _recorded(card: ModelCard) -> dict[str, Any]:
    place = card.recorded
    return {
        "Training": card.training,
        "Chain": f"{place.chain}, id {place.chain_id}",
        "Genesis block": place.genesis_sha256,
        "Contract": place.contract,
        "Hash of the plan": place.plan_sha256,
        **{f"Vote of {one.what}": one.transaction for one in place.votes},
        **{f"Use {at}: {one.what}": one.transaction for at, one in enumerate(place.uses, start=1)},
    }
