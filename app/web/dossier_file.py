"""A round's dossier as a download, from the pages of trainings and from those of the ledger."""

from __future__ import annotations

from contextlib import closing
from http import HTTPStatus

from flask import flash, redirect
from werkzeug.wrappers import Response as Answer

from app.errors import RequestError
from app.services.dossier import Dossiers
from app.services.round_names import round_title
from app.web.downloads import file_answer
from app.web.services import services
from contracts.errors import LedgerError


def dossier_file(training: str, number: int, back: str) -> Answer:
    """The dossier of a finished round as a file; leads `back` and says why if there is none."""
    made = services()
    try:
        with closing(made.open_ledger()) as ledger:
            written = Dossiers(made.database, ledger).write(training, number)
    except (LedgerError, RequestError) as error:
        flash(f"The dossier could not be written: {error}.", "warning")
        return redirect(back, HTTPStatus.SEE_OTHER)
    name = f"dossier-{training[:8]}-{round_title(number).lower().replace(' ', '-')}.json"
    return file_answer(written, "json", name)
