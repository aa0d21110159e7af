"""Parts of a training's live page, which everybody who may watch sees alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import render_template, request

from app.services.jobs import PAUSED
from app.services.round_view import View
from app.services.standing import standing_of
from app.web.services import services
from app.web.shared_parts import shared_parts


@dataclass(frozen=True)
class LivePart:
    """A part, and what decides about the next: whether the training is over, or rests."""

    text: str
    over: bool
    resting: bool


def live_part(
    training_id: str, template: str, shown: Callable[[str], View], wait: int = 1
) -> LivePart:
    """A part of a training's page, shared among all who ask for it while each waits `wait` seconds.

    `shown` gives the template's variables. What a person has just done to the training, and the end
    of a round, show at once. Raises RequestError when there is no such training.
    """
    standing = standing_of(services().database, training_id)
    parts = shared_parts()

    def make() -> LivePart:
        variables = parts.get((training_id, shown, standing), lambda: shown(training_id))
        text = render_template(template, out_of_band=True, **variables)
        return LivePart(text, variables["view"]["over"], variables["resting"])

    return parts.get((training_id, template, standing), make, wait)


def is_resting(view: View) -> bool:
    """Whether a training or a job is paused or about to be, so that it can be resumed."""
    return bool(view["state"] == PAUSED or view["pause_requested"])


def has_turned(resting: bool) -> bool:
    """Whether a page with another button than this one's asks: to pause, or to resume."""
    return request.args.get("resting", type=int) not in (None, int(resting))
