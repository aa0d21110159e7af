"""A model's card: as a page, as JSON and as a PDF; doctors read it, too."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, abort, render_template

from app.errors import RequestError
from app.services.card_document import NO_STATEMENT, ModelCard
from app.services.card_pdf import write_card
from app.services.card_tables import card_chart, card_tables
from app.services.model_card import model_card
from app.services.outcomes import FEWEST, Band, bands_of
from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR
from app.web import doctor_key, login
from app.web.downloads import file_answer
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("cards", __name__)

# Whom a model is shown to, and who answer for it; only they may open what it was made of.
_READERS = (ADMINISTRATOR, AUDITOR, DOCTOR)
_CHECKERS = (ADMINISTRATOR, AUDITOR)


@blueprint.get("/<training_id>/card")
@requires(*_READERS)
def page(training_id: str) -> str:
    """The card of what a training ended with."""
    card = _card(training_id)
    return render_template(
        "versions/card.html",
        card=card,
        tables=card_tables(card),
        chart=card_chart(card),
        no_statement=NO_STATEMENT,
        may_check=login.person().role in _CHECKERS,
        bands=_bands(card),
        fewest=FEWEST,
    )


@blueprint.get("/<training_id>/card.json")
@requires(*_READERS)
def document(training_id: str) -> Response:
    """The card as docs/formats.md says."""
    card = _card(training_id)
    return file_answer(card.to_json().encode(), "json", f"{_stem(card)}.json")


@blueprint.get("/<training_id>/card.pdf")
@requires(*_READERS)
def printed(training_id: str) -> Response:
    """The card to print and to file."""
    card = _card(training_id)
    return file_answer(write_card(card), "application/pdf", f"{_stem(card)}.pdf")


def _bands(card: ModelCard) -> list[Band] | None:
    """How the model's answers came out with the viewer's patients; None without an open key.

    What is counted lies sealed to the viewer: nobody else's page has these figures.
    """
    key = doctor_key.find() if login.person().role == DOCTOR else None
    if key is None:
        return None
    minima = [one.minimum for one in services().patients.mine(login.person(), key)]
    return bands_of(minima, card.model_sha256)


def _card(training_id: str) -> ModelCard:
    """The card; 404 where the training made no version."""
    try:
        return model_card(services().database, training_id)
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)


def _stem(card: ModelCard) -> str:
    return f"model-card-{card.task}-{card.model_sha256[:8]}"
