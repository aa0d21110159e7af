"""A training as a report in PDF: what was asked, what came out, the verdicts, how to check it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Paragraph, Spacer

from app.database import Database
from app.models import DeploymentRow, TrainingRow
from app.services.charts import result_charts
from app.services.comparison import plan_facts
from app.services.report_parts import (
    CODE,
    SECTION,
    TEXT,
    TITLE,
    facts_part,
    figure_part,
    pdf,
    percent,
    table_part,
)
from app.services.result_tables import ONLY_IN_FILES, Document, attack_sentence, result_tables
from app.services.tables import Table
from app.services.training_outcome import last_round
from app.services.version_names import version_name, version_numbers
from fl.datasets import get_task

_TRUTH = ("truth", "detection", "attacks")
_ROOM = 120 * mm  # that the truth begins with, or a new page


def write_report(database: Database, document: Document) -> bytes:
    """The report of a training, from its document; a few seconds' work, nothing is kept."""
    task = get_task(document["task"]).title
    heading = f"{task}: training {document['training'][:8]}"
    parts = _parts(database, document, heading)
    return pdf(parts, heading, "Report of a federated training")


def _parts(database: Database, document: Document, heading: str) -> Iterator[Any]:
    tables = result_tables(document)
    charts = result_charts(document, tables)
    yield Paragraph(escape(heading), TITLE)
    yield from _summary(document)
    yield Paragraph("What was asked", SECTION)
    yield facts_part(plan_facts(database, document, truth=False))
    yield from table_part(tables["accuracy"])
    for name in ("accuracy", "rounds", "loss"):
        yield from _figure(charts, name, document)
    yield from table_part(tables["rounds"])
    for name in ("ratio", "verdicts", "statistic"):
        yield from _figure(charts, name, document)
    for name in ("verdicts", "submissions", "confusion"):
        yield from table_part(tables[name].without(*ONLY_IN_FILES))
    if document["simulation"]:
        yield from _truth(document, tables, charts)
    yield from _verification(database, document)


def _summary(document: Document) -> Iterator[Any]:
    said = f"State: {document['state']}, {len(document['rounds'])} finished rounds."
    if document["reason"]:
        said += f" {document['reason']}."
    if document["accuracy"] is not None:
        said += (
            f" The last model gives {percent(document['accuracy'])} right answers on all "
            f"hospitals’ test rows, balanced over the classes "
            f"{percent(document['balanced_accuracy'])}."
        )
    if document["poisoning"]:
        counts = document["poisoning"]["counts"]
        said += (
            f" Of {sum(counts.values())} updates {counts['accepted']} were accepted, "
            f"{counts['rejected']} rejected and {counts['refused']} refused."
        )
    yield Paragraph(escape(said), TEXT)
    if document["simulation"]:
        told = f"Attackers were simulated: {attack_sentence(document['simulation'])}"
        yield Paragraph(
            escape(f"{told} The last part holds the verdicts against that truth."), TEXT
        )


def _truth(document: Document, tables: dict[str, Table], charts: Any) -> Iterator[Any]:
    simulation = document["simulation"]
    yield CondPageBreak(_ROOM)
    yield Paragraph("The truth, in this simulation only", SECTION)
    yield Paragraph(
        escape(
            f"{attack_sentence(simulation)} Nobody in a "
            "federation knows who attacks; nothing above uses it."
        ),
        TEXT,
    )
    yield from _figure(charts, "detection", document)
    for name in _TRUTH:
        yield from table_part(tables[name])


def _figure(charts: Any, name: str, document: Document) -> Iterator[Any]:
    if name in charts:
        yield figure_part(charts[name], f"Training {document['training']}")


def _verification(database: Database, document: Document) -> Iterator[Any]:
    with database.transaction() as session:
        row = session.get_one(TrainingRow, document["training"])
        deployment = session.get_one(DeploymentRow, row.deployment_id)
        number = version_numbers(session, row.task).get(row.id)
        facts = {
            "Training": row.id,
            "Model": version_name(number, row.id, last_round(row)) if number else None,
            "Chain": f"{deployment.chain_kind}, id {deployment.chain_id}",
            "Genesis block": deployment.genesis_hash,
            "Contract": deployment.contract,
            "Hash of the plan": row.plan_sha256,
            "Initial model": row.initial_sha256,
            "Statistics": row.statistics_sha256,
            "Last model": row.model_sha256,
        }
    yield Paragraph("Hashes, and how to verify", SECTION)
    yield facts_part(facts)
    yield Spacer(0, 2 * mm)
    yield Paragraph(
        "The installation that trained computes everything stored again and compares it with the "
        "chain; elsewhere a round’s dossier holds the evidence and needs no database:",
        TEXT,
    )
    yield Paragraph("python3 run.py verify", CODE)
    yield Paragraph("python3 run.py verify DOSSIER.json --federation FINGERPRINT", CODE)
