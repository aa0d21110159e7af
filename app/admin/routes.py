"""The administrator's pages: overview here; people and trainings in files of their own."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.admin import people, trainings
from app.services.overview import Overview
from app.services.roles import ADMINISTRATOR, WORDS
from app.web.roles import requires
from app.web.services import services
from fl.datasets import task_names

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
blueprint.register_blueprint(people.blueprint)
blueprint.register_blueprint(trainings.blueprint)

LATEST = 5


@blueprint.get("/")
@requires(ADMINISTRATOR)
def overview() -> str:
    """What waits for the administrator, what runs, what was done last."""
    lists = Overview(services().database)
    return render_template(
        "admin/overview.html",
        waiting=services().accounts.waiting(),
        under_way=lists.under_way(),
        latest=[line for line in lists.trainings(LATEST) if not line.under_way][:LATEST],
        parties=lists.parties(),
        appeals=services().appeals.waiting_for_people(),
        first_task=task_names()[0],
        words=WORDS,
    )
