"""The page of an answer: the risk, its reasons, what stands beside them."""

from __future__ import annotations

from http import HTTPStatus

from flask import flash, render_template, request

from app.doctor.asking import Asked, Page, ask, assumed, find_task, posted
from app.doctor.before import before_words
from app.doctor.reading import range_words
from app.doctor.reasons import bars, warnings
from app.doctor.suggestions import suggested
from app.doctor.what_if import knobs
from app.services.passport import find_passport
from app.services.patients import Patient
from app.services.previous import Previous, previous_answer
from app.web import doctor_key, login
from app.web.services import services
from fl.datasets.use import find_use


def ask_again(name: str) -> Asked | Page:
    """The posted values asked for once more; it must be the model that was sent along as `model`.

    Another one's answer is shown instead, and nothing is done with it.
    """
    task = find_task(name)
    found = ask(task, posted(task))
    if isinstance(found, Asked) and request.form.get("model") != found.prediction.model_sha256:
        flash(
            "Another model is in use by now: this is its answer. Nothing was kept or printed yet.",
            "danger",
        )
        return result_page(found)
    return found


def result_page(asked: Asked) -> Page:
    """The result, which goes on the audit log without the patient's values."""
    task, form, prediction = asked.task, asked.form, asked.prediction
    details = {"task": task.name, "model_sha256": prediction.model_sha256}
    services().audit.add(login.person(), "prediction.made", task.name, details)
    explanation, before = prediction.explanation, _previous(asked)
    page = render_template(
        "doctor/result.html",
        task=task,
        form=form,
        prediction=prediction,
        reading=asked.reading,
        patients=_patients(),
        explanation=explanation,
        bars=bars(explanation),
        warnings=list(warnings(explanation)),
        suggested=suggested(asked.reading, form.values()),
        assumed=assumed(task, form, prediction.statistics),
        use=find_use(task.name),
        before=before,
        before_words=before_words(asked.reading, before),
        before_range=range_words(before.interval) if before and before.interval else None,
        passport=find_passport(services().database, prediction.training),
        knobs=knobs(form, prediction.statistics),
    )
    return page, HTTPStatus.OK


def _previous(asked: Asked) -> Previous | None:
    made = services()
    return previous_answer(
        made.database, made.predictions, asked.task, asked.prediction, asked.form.values()
    )


def _patients() -> list[Patient] | None:
    """The doctor's patients, changed last first; None while the doctor's key is not open."""
    key = doctor_key.find()
    if key is None:
        return None
    found = services().patients.mine(login.person(), key)
    return sorted(found, key=lambda one: one.changed_at, reverse=True)
