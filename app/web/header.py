"""What every page shows above its content: who looks, the federation, the models, the trainings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from flask import Flask, current_app, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from app.errors import ModelRefused
from app.services import roles
from app.services.jobs import PAUSED
from app.services.overview import Overview, TrainingLine
from app.services.predictions import ModelInUse, Predictions
from app.services.unopened import AWAITING
from app.web.login import Viewer, viewer
from app.web.services import services
from fl.datasets import get_task, task_names

# So long a page trusts the last comparison with the ledger; a prediction never does.
TRUSTED_SECONDS: Final = 20.0

_KEY: Final = "consilium.ticks"

_PAGES: Final = {
    roles.ADMINISTRATOR: (
        ("Overview", "admin.overview"),
        ("People", "admin.people.users"),
        ("Data sets", "datasets.listed"),
        ("Trainings", "admin.trainings.listed"),
        ("Models", "versions.listed"),
        ("Appeals", "appeals.listed"),
        ("Ledger", "ledger.overview"),
        ("Audit log", "home.audit"),
    ),
    roles.DOCTOR: (("Today", "doctor.home"), ("Patients", "patients.listed")),
    roles.OPERATOR: (("My hospital", "operator.home"), ("Data sets", "datasets.listed")),
    roles.AUDITOR: (
        ("Home", "home.index"),
        ("Results", "results.listed"),
        ("Data sets", "datasets.listed"),
        ("Models", "versions.listed"),
        ("Appeals", "appeals.listed"),
        ("Ledger", "ledger.overview"),
        ("Audit log", "home.audit"),
    ),
}


_READ_MODELS: Final = (roles.ADMINISTRATOR, roles.AUDITOR)


@dataclass(frozen=True)
class Link:
    """An entry of the navigation."""

    text: str
    address: str
    current: bool


@dataclass(frozen=True)
class ShownModel:
    """A task's model in use. `agrees` tells whether it stood the comparison with the ledger."""

    task: str
    title: str
    training: str
    number: int
    version: str
    sha256: str
    accuracy: float | None
    ended_at: datetime
    agrees: bool
    words: str

    @property
    def origin(self) -> str:
        """What stands behind the number in the version's name, for which a phone has no room."""
        return self.version.removeprefix(f"version {self.number}")


@dataclass(frozen=True)
class Header:
    """The variables of the base layout."""

    navigation: list[Link] = field(default_factory=list)
    person: str = ""
    person_id: int | None = None
    role: str = ""
    password_address: str = ""
    federation: str = ""
    models: list[ShownModel] = field(default_factory=list)
    models_address: str = ""
    running: str = ""
    running_address: str = ""

    def model_of(self, task: str) -> ShownModel | None:
        """The model in use for a task, or None."""
        return next((model for model in self.models if model.task == task), None)


class LedgerTicks:
    """Compares models with the ledger, at most once in a while: pages come more often."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, float, bool]] = {}

    def agrees(self, predictions: Predictions, task: str, model: ModelInUse) -> bool:
        """Whether the model stands every check that a prediction makes."""
        key = f"{model.training}/{model.model_sha256}"
        with self._lock:
            kept, until, answer = self._known.get(task, ("", 0.0, False))
            if kept == key and self._clock() < until:
                return answer
        try:
            predictions.check(task)
            answer = True
        except ModelRefused:
            answer = False
        with self._lock:
            self._known[task] = (key, self._clock() + TRUSTED_SECONDS, answer)
        return answer

    def forget(self, task: str) -> None:
        """Ask the ledger again at the next page: a prediction found something else just now."""
        with self._lock:
            self._known.pop(task, None)


def install(app: Flask) -> None:
    """Give every template `header`."""
    ticks = LedgerTicks()
    app.extensions[_KEY] = ticks

    @app.context_processor
    def _variables() -> dict[str, Any]:
        return {"header": _header(ticks)}


def forget(task: str) -> None:
    """Compare a task's model with the ledger before the next header says anything of it."""
    cast(LedgerTicks, current_app.extensions[_KEY]).forget(task)


def _header(ticks: LedgerTicks) -> Header:
    """The header; for a stranger, or when the database does not answer, one that needs nothing."""
    try:
        person = viewer()
        if person is None:
            return Header(_stranger())
        if person.role is None:
            return Header([], person.row.name, person.row.id, "No role yet")
        return _full(person, person.role, ticks)
    except SQLAlchemyError:
        return Header()


def _full(person: Viewer, role: str, ticks: LedgerTicks) -> Header:
    overview = Overview(services().database)
    lines = overview.under_way()
    counts = overview.parties()
    watches = role == roles.ADMINISTRATOR and bool(lines)
    return Header(
        navigation=[_link(text, endpoint) for text, endpoint in _pages(role)],
        person=person.row.name,
        person_id=person.row.id,
        role=roles.WORDS[role],
        password_address=url_for("auth.password"),
        federation=f"{counts.get('hospital', 0)} hospitals, {counts.get('node', 0)} nodes",
        models=_models(ticks),
        models_address=url_for("versions.listed") if role in _READ_MODELS else "",
        running=_running(lines),
        running_address=url_for("admin.trainings.listed") if watches else "",
    )


def _pages(role: str) -> tuple[tuple[str, str], ...]:
    return _PAGES.get(role, (("Home", "home.index"),))


def _stranger() -> list[Link]:
    pages = (("Sign in", "auth.sign_in"), ("Register", "auth.register"))
    return [_link(text, endpoint) for text, endpoint in pages]


def _link(text: str, endpoint: str) -> Link:
    """An entry is current on its own page and, unless it is a start page, on those below it."""
    address = url_for(endpoint)
    below = not address.endswith("/") and request.path.startswith(f"{address}/")
    return Link(text, address, request.path == address or below)


def _models(ticks: LedgerTicks) -> list[ShownModel]:
    predictions = services().predictions
    found = ((task, predictions.find_model(task)) for task in task_names())
    return [_shown(ticks, task, model) for task, model in found if model is not None]


def _shown(ticks: LedgerTicks, task: str, model: ModelInUse) -> ShownModel:
    agrees = ticks.agrees(services().predictions, task, model)
    return ShownModel(
        task=task,
        title=get_task(task).title,
        training=model.training,
        number=model.number,
        version=model.version,
        sha256=model.model_sha256,
        accuracy=model.accuracy,
        ended_at=model.ended_at,
        agrees=agrees,
        words="agrees with the ledger" if agrees else "does not agree with the ledger",
    )


def _running(lines: list[TrainingLine]) -> str:
    if not lines:
        return ""
    first, more = lines[0], len(lines) - 1
    text = f"{first.title}, {first.state}"
    if first.state == AWAITING:
        text = f"{first.title}, waits for an approval"
    elif first.state == PAUSED:
        text = f"{first.title}, paused"
    elif first.training is not None:
        text = f"{first.title}, {first.round} of {first.rounds} rounds"
    return f"{text}; {more} more waiting" if more else text
