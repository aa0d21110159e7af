"""An answer on paper, as PDFs: a report for the file and a sheet for the patient.

Both are made of the values that are posted again; they are asked of the same model once more, and
nothing of them is stored.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from app.doctor.asking import Asked, Page, assumed
from app.doctor.measures import Measure
from app.doctor.reasons import NOTHING, points, warnings
from app.doctor.result import ask_again
from app.doctor.suggestions import Suggested, suggested
from app.services.answer_pdf import Advice, Line, Paper, write_report, write_sheet
from app.services.roles import DOCTOR
from app.web import login
from app.web.downloads import file_answer
from app.web.roles import requires
from app.web.services import services
from fl.datasets.suggesting import Source
from fl.datasets.use import find_use

blueprint = Blueprint("papers", __name__, url_prefix="/predictions/<task>")

# So many values are named to the patient as what moved the answer.
STRONGEST = 3


@blueprint.post("/report")
@requires(DOCTOR)
def report(task: str) -> Page | Response:
    """The report of an answer, for the patient's file."""
    return _printed(task, "report", write_report)


@blueprint.post("/sheet")
@requires(DOCTOR)
def sheet(task: str) -> Page | Response:
    """The answer in plain words, for the patient."""
    return _printed(task, "sheet", write_sheet)


def _printed(task: str, kind: str, write: Callable[[Paper], bytes]) -> Page | Response:
    found = ask_again(task)
    if not isinstance(found, Asked):
        return found
    model = found.prediction.model_sha256
    details = {"task": task, "model_sha256": model, "paper": kind}
    services().audit.add(login.person(), "prediction.printed", task, details)
    return file_answer(write(_paper(found)), "application/pdf", f"{kind}-{task}-{model[:8]}.pdf")


def _paper(asked: Asked) -> Paper:
    reading, prediction = asked.reading, asked.prediction
    reasons = prediction.explanation.reasons
    use = find_use(asked.task.name)
    found = suggested(reading, asked.form.values())
    return Paper(
        title=asked.task.title,
        disease=reading.disease,
        percent=reading.percent,
        words=reading.words,
        range=reading.range,
        of_hundred=reading.of_hundred if reading.range else None,
        baseline=f"{prediction.explanation.baseline * 100:.1f} %",
        lines=_lines(asked),
        known=tuple(m.column.label for m in asked.form.measures() if m.read() is not None),
        strongest=tuple(
            one.column.label for one in reasons[:STRONGEST] if abs(one.effect) >= NOTHING
        ),
        warnings=tuple(warnings(prediction.explanation)),
        knows=f"Whom the model knows: {use.represented[0]}" if use else "",
        version=prediction.version,
        model_sha256=prediction.model_sha256,
        training=prediction.training,
        round=prediction.round,
        block=prediction.block,
        contract=prediction.contract,
        at=prediction.checked_at,
        advice_about=_about(found),
        advice=tuple(
            Advice(one.kind, one.text, one.why, tuple(_cited(page) for page in one.sources))
            for one in found.suggestions
        ),
    )


def _about(found: Suggested) -> str:
    if not found.any_rules:
        return found.no_rules
    told = f"{found.statement} {found.review}"
    return told if found.suggestions else f"{told} {found.none_applies}"


def _cited(page: Source) -> str:
    read = ", read in a copy or summary" if page.copy else ""
    return f"{page.organisation}, {page.title}, {page.year}, {page.section}{read}"


def _lines(asked: Asked) -> tuple[Line, ...]:
    effects = {one.column: points(one.effect) for one in asked.prediction.explanation.reasons}
    instead = assumed(asked.task, asked.form, asked.prediction.statistics)
    return tuple(
        _line(one, effects.get(one.column), instead.get(one.column.name))
        for one in asked.form.measures()
    )


def _line(measure: Measure, effect: str | None, instead: str | None) -> Line:
    """`effect` is None of a value that is not known; `instead` is what the model assumes of it."""
    taken = (measure.got or "the same") if effect is not None else f"assumed {instead or 'nothing'}"
    return Line(measure.column.label, measure.typed, taken, effect or "none")
