"""Trainings: ask for one, watch it, stop it, look at what came out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin.live_part import LivePart, has_turned, is_resting, live_part
from app.admin.training_form import ATTACK_ROWS, TrainingForm, training_form, values_of
from app.errors import RequestError
from app.services.again import request_again
from app.services.cost import Cost, estimate
from app.services.flow import flow_of
from app.services.live import job_view, training_view
from app.services.overview import Overview
from app.services.requests import TrainingRequest
from app.services.roles import ADMINISTRATOR
from app.services.round_charts import live_charts
from app.services.round_check import check_round, votes_of
from app.services.round_names import STATISTICS
from app.services.round_view import View
from app.services.training_cases import count_cases
from app.web import login
from app.web.dossier_file import dossier_file
from app.web.pace import HEADER, viewer_wait
from app.web.roles import requires
from app.web.services import services
from contracts.records import DONATION
from fl.attacks import ATTACKS
from fl.datasets import Task, get_task, task_names
from fl.datasets.summary import LEAST
from fl.round import STEPS

blueprint = Blueprint("trainings", __name__)

Answer = Response | str | tuple[str, int]

# htmx stops polling at this status.
STOP_POLLING = 286


@blueprint.get("/trainings")
@requires(ADMINISTRATOR)
def listed() -> str:
    """The trainings so far, and those that wait."""
    lines = Overview(services().database).trainings()
    return render_template("admin/trainings.html", lines=lines)


@blueprint.route("/trainings/new/<task>", methods=["GET", "POST"])
@requires(ADMINISTRATOR)
def new(task: str) -> Answer:
    """Ask for a training of a task; with `?like=ID` of a training or job, once more like that."""
    if task not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    chosen, like = get_task(task), _like(task)
    reviewable = services().settings.threshold == 1
    kind = training_form(chosen, reviewable, like.fraction if like else None)
    form = kind(data=values_of(like)) if like and request.method == "GET" else kind()
    right = form.validate_on_submit()
    if not right or "estimate" in request.form:
        wrong = form.is_submitted() and not right
        tasks = [get_task(name) for name in task_names()]
        page = render_template(
            "admin/new_training.html",
            form=form,
            task=chosen,
            tasks=tasks,
            attacks=ATTACKS.values(),
            attack_rows=ATTACK_ROWS,
            like=like,
            cost=None if wrong else _cost(form),
            asked=right,
            cases=count_cases(services().database, task),
            least=LEAST,
        )
        return page, HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    job = services().jobs.submit(form.request(), login.person().id)
    asked = form.request().to_json()
    services().audit.add(login.person(), "training.requested", f"job {job.id}", {"request": asked})
    return redirect(url_for("admin.trainings.job", job_id=job.id), HTTPStatus.SEE_OTHER)


@blueprint.get("/jobs/<int:job_id>")
@requires(ADMINISTRATOR)
def job(job_id: int) -> Answer:
    """A training that was asked for and has not begun; its own page once it has."""
    view = _job(job_id)
    if view["training"]:
        return redirect(_training_address(view), HTTPStatus.SEE_OTHER)
    return render_template(
        "admin/job.html", job=view, task=_task_of(view), resting=is_resting(view)
    )


@blueprint.get("/jobs/<int:job_id>/now")
@requires(ADMINISTRATOR)
def job_now(job_id: int) -> Answer:
    """The changing part of the page above; sends the browser on when the training begins."""
    view = _job(job_id)
    if has_turned(is_resting(view)):
        return Response(status=HTTPStatus.OK, headers={"HX-Refresh": "true"})
    if view["training"]:
        return Response(status=HTTPStatus.OK, headers={"HX-Redirect": _training_address(view)})
    part = render_template("admin/_job_now.html", job=view)
    return part, STOP_POLLING if view["over"] else HTTPStatus.OK


@blueprint.post("/jobs/<int:job_id>/stop")
@requires(ADMINISTRATOR)
def stop(job_id: int) -> Response:
    """Stop a training: at once when it waits, else before its next step."""
    return _wished(job_id, services().jobs.request_stop, "training.stop_requested")


@blueprint.post("/jobs/<int:job_id>/pause")
@requires(ADMINISTRATOR)
def pause(job_id: int) -> Response:
    """Let a training rest: at once when it waits, else after the step under way."""
    return _wished(job_id, services().jobs.request_pause, "training.pause_requested")


@blueprint.post("/jobs/<int:job_id>/resume")
@requires(ADMINISTRATOR)
def resume(job_id: int) -> Response:
    """Let a paused training go on, in its place in the queue."""
    return _wished(job_id, services().jobs.request_resume, "training.resumed")


@blueprint.get("/trainings/<training_id>")
@requires(ADMINISTRATOR)
def one(training_id: str) -> str:
    """A training, live while it runs."""
    return render_template("admin/training.html", **_charted(training_id))


@blueprint.get("/trainings/<training_id>/now")
@requires(ADMINISTRATOR)
def now(training_id: str) -> Answer:
    """The part of the page that changes each second."""
    wait = viewer_wait()
    part = _part(training_id, "admin/_training_now.html", wait)
    if has_turned(part.resting):
        return Response(status=HTTPStatus.OK, headers={"HX-Refresh": "true"})
    status = STOP_POLLING if part.over else HTTPStatus.OK
    return Response(part.text, status, {HEADER: str(wait)}, content_type="text/html; charset=utf-8")


@blueprint.get("/trainings/<training_id>/rounds")
@requires(ADMINISTRATOR)
def rounds(training_id: str) -> str:
    """The part of the page that changes after each round."""
    return _part(training_id, "admin/_rounds.html", shown=_charted).text


@blueprint.get("/trainings/<training_id>/donation", defaults={"number": DONATION})
@blueprint.get("/trainings/<training_id>/rounds/<int:number>")
@requires(ADMINISTRATOR)
def round_page(training_id: str, number: int) -> str:
    """A round: hospitals, hashes, transactions; `?check=1` compares them with the ledger."""
    shown = _shown(training_id)
    view = shown["view"]
    chosen = next((each for each in _finished_rounds(view) if each["round"] == number), None)
    if chosen is None:
        abort(HTTPStatus.NOT_FOUND)
    made = services()
    votes = votes_of(made.database, training_id, number, chosen["attempt"])
    check = None
    if "check" in request.args:
        check = check_round(made.database, made.open_ledger, training_id, number)
    appeals = made.appeal_views.of_round(training_id, number)
    return render_template(
        "admin/round.html", round=chosen, votes=votes, check=check, appeals=appeals, **shown
    )


@blueprint.get("/trainings/<training_id>/donation/dossier", defaults={"number": DONATION})
@blueprint.get("/trainings/<training_id>/rounds/<int:number>/dossier")
@requires(ADMINISTRATOR)
def dossier(training_id: str, number: int) -> Response:
    """A round with all its evidence as a file, for whoever wants to check it elsewhere."""
    rounds = _finished_rounds(_shown(training_id)["view"])
    if not any(each["round"] == number for each in rounds):
        abort(HTTPStatus.NOT_FOUND)
    back = url_for("admin.trainings.round_page", training_id=training_id, number=number)
    return dossier_file(training_id, number, back)


def _like(task: str) -> TrainingRequest | None:
    """What `?like=` names; None without it, 404 where there is no such training of the task."""
    if "like" not in request.args:
        return None
    try:
        found = request_again(services().database, request.args["like"])
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)
    if found.task != task:
        abort(HTTPStatus.NOT_FOUND)
    return found


def _part(
    training_id: str, template: str, wait: int = 1, shown: Callable[[str], View] | None = None
) -> LivePart:
    """A shared part of a training's page; 404 when there is no such training."""
    try:
        return live_part(training_id, template, shown or _shown, wait)
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)


def _wished(job_id: int, wish: Callable[[int], object], action: str) -> Response:
    """Do what somebody wants of a job, note who wanted it, and show the job."""
    _job(job_id)
    try:
        wish(job_id)
    except RequestError as error:
        flash(str(error), "warning")
    else:
        services().audit.add(login.person(), action, f"job {job_id}", None)
    return redirect(url_for("admin.trainings.job", job_id=job_id), HTTPStatus.SEE_OTHER)


def _charted(training_id: str) -> View:
    """The variables of the templates that hold charts, which change after each round only."""
    shown = _shown(training_id, figures=True)
    return shown | {"charts": live_charts(shown["view"])}


def _shown(training_id: str, figures: bool = False) -> View:
    """The variables of a training's templates; 404 when there is none such."""
    try:
        view = training_view(services().database, training_id, figures=figures)
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)
    return {
        "view": view,
        "task": get_task(view["task"]),
        "steps": _steps(view),
        "finished_rounds": _finished_rounds(view),
        "approvals": services().approvals.of_training(training_id),
        "totals": _totals(view),
        "flow": None if view["over"] else flow_of(view["parties"], view["step"]),
        "resting": is_resting(view),
        "version": services().versions.find(training_id) if view["over"] else None,
    }


def _cost(form: TrainingForm) -> Cost | None:
    """What the training would cost as the form is; None for what cannot be asked."""
    made = services()
    with suppress(RequestError):
        return estimate(made.database, form.request(), made.settings.nodes)
    return None


def _steps(view: View) -> list[str]:
    """The steps in which something is done, in the round that the training is at."""
    nothing = {STATISTICS: ("review",), DONATION: ("aggregate", "vote")}.get(view["round"], ())
    skipped = nothing if view["reviews"] else (*nothing, "review")
    return [step for step in STEPS if step not in skipped or step == view["step"]]


def _finished_rounds(view: View) -> list[View]:
    """The statistics, the donation and the rounds of the model, as far as they are done."""
    return [each for each in (view["statistics"], view["donation"], *view["rounds"]) if each]


def _totals(view: View) -> dict[str, float]:
    """Bytes, transactions and seconds of every finished round, whatever it is for."""
    done = _finished_rounds(view)
    return {
        "bytes": sum(each["bytes"] for each in done),
        "transactions": sum(each["transactions"] for each in done),
        "seconds": sum(sum(each["seconds"].values()) for each in done),
    }


def _job(job_id: int) -> View:
    try:
        return job_view(services().database, job_id)
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)


def _task_of(view: View) -> Task:
    return get_task(view["request"].task)


def _training_address(view: View) -> str:
    return url_for("admin.trainings.one", training_id=view["training"]["training"])
