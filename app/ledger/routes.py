"""The ledger's pages: overview, lists, a block, a transaction, a round's timeline, a check.

Every page brings the local copy a page further up to date first and says how far it is; when the
chain does not answer, it shows the copy and says so.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from eth_utils.address import to_checksum_address
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.ledger import dossiers, verify
from app.ledger.facts import facts
from app.ledger.words import CONTRACTS, event_words, field_label, function_title
from app.services.dossier import has_dossier
from app.services.hash_check import check_hash
from app.services.ledger_lines import Wanted
from app.services.ledger_standing import bring_up_to_date, find_block
from app.services.ledger_timeline import round_timeline
from app.services.ledger_view import Explorer
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.services.round_names import round_title
from app.web import login
from app.web.roles import requires
from app.web.services import services
from fl.datasets import get_task, task_names

blueprint = Blueprint("ledger", __name__, url_prefix="/ledger")
for pages in (verify, dossiers):
    blueprint.register_blueprint(pages.blueprint)

LATEST, LATEST_TRAININGS = 10, 5
# Beyond these no number of a block or a round can be.
MOST_BLOCK, MOST_ROUND = 2**63, 2**32
# What does not change within a round's timeline, or stands beside it.
PLACE = ("training", "round", "attempt")

_HASH = re.compile(r"(?:0x)?([0-9a-f]{64})")
_NUMBER = re.compile(r"\d{1,12}")
_ACCOUNT = re.compile(r"0x[0-9a-f]{40}")


@blueprint.get("")
@requires(ADMINISTRATOR, AUDITOR)
def overview() -> str:
    """Which chain, how long it is, what was done on it last, and the latest rounds."""
    page = _page()
    explorer: Explorer = page["explorer"]
    latest = explorer.transactions(Wanted()).lines[:LATEST]
    return render_template(
        "ledger/overview.html",
        copies=explorer.copies(),
        counts=explorer.counts(),
        latest=latest,
        rounds=explorer.rounds(LATEST_TRAININGS),
        choices=explorer.choices(),
        purposes=CONTRACTS,
        **page,
    )


@blueprint.get("/find")
@requires(ADMINISTRATOR, AUDITOR)
def find() -> Response:
    """Lead to the block of a number, to a transaction, to an account's, or to a hash's check."""
    asked = request.args.get("q", "").strip().lower()
    if _NUMBER.fullmatch(asked):
        return _to_block(int(asked))
    if _ACCOUNT.fullmatch(asked):
        return _to("ledger.transactions", party=to_checksum_address(asked))
    matched = _HASH.fullmatch(asked)
    if matched is None:
        flash("Expected the number of a block, an account, or the 64 digits of a hash.", "warning")
        return _to("ledger.overview")
    if Explorer(services().database).find_transaction(f"0x{matched[1]}"):
        return _to("ledger.transaction", value=f"0x{matched[1]}")
    return _to("ledger.check", value=matched[1])


@blueprint.get("/events")
@requires(ADMINISTRATOR, AUDITOR)
def events() -> str:
    """What the contract recorded, filtered by training, round, party and kind."""
    return _listed("events")


@blueprint.get("/transactions")
@requires(ADMINISTRATOR, AUDITOR)
def transactions() -> str:
    """The transactions behind it, by the same filters."""
    return _listed("transactions")


@blueprint.get("/transactions/<value>")
@requires(ADMINISTRATOR, AUDITOR)
def transaction(value: str) -> str:
    """A transaction: who called what with which values, and what came of it."""
    page = _page()
    found = page["explorer"].find_transaction(f"0x{_digits(value)}")
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    return render_template("ledger/transaction.html", sent=found, **page)


@blueprint.get("/blocks/<int:number>")
@requires(ADMINISTRATOR, AUDITOR)
def block(number: int) -> str:
    """A block with the contract's transactions in it."""
    if number >= MOST_BLOCK:
        abort(HTTPStatus.NOT_FOUND)
    page = _page()
    sent = page["explorer"].block(number)
    found = find_block(services().open_ledger, number)
    if found is None and not sent:
        abort(HTTPStatus.NOT_FOUND)
    return render_template("ledger/block.html", number=number, sent=sent, block=found, **page)


@blueprint.get("/trainings/<training_id>/rounds/<int:number>")
@requires(ADMINISTRATOR, AUDITOR)
def round_page(training_id: str, number: int) -> str:
    """A round's timeline: what each party did, in order, with latency and gas."""
    if number >= MOST_ROUND:
        abort(HTTPStatus.NOT_FOUND)
    page = _page()
    attempts = round_timeline(services().database, training_id, number)
    if not attempts:
        abort(HTTPStatus.NOT_FOUND)
    rounds = page["explorer"].rounds_of(training_id)
    return render_template(
        "ledger/round.html",
        training=training_id,
        number=number,
        attempts=attempts,
        rounds=rounds,
        has_dossier=has_dossier(services().database, training_id, number),
        **page,
    )


@blueprint.get("/hashes/<value>")
@requires(ADMINISTRATOR, AUDITOR)
def check(value: str) -> str:
    """A hash, compared with the chain now and, where what it is of is held here, computed again."""
    digits = _digits(value)
    page = _page()
    made = services()
    found = check_hash(made.database, made.open_ledger, digits)
    return render_template("ledger/check.html", check=found, **page)


def _listed(kind: str) -> str:
    page = _page()
    explorer: Explorer = page["explorer"]
    wanted = _wanted()
    number = request.args.get("page", default=1, type=int)
    listing = (explorer.events if kind == "events" else explorer.transactions)(wanted, number)
    chosen = {
        "training": wanted.training,
        "round": wanted.round,
        "party": wanted.account,
        "kind": wanted.kind,
    }
    return render_template(
        "ledger/list.html",
        kind=kind,
        listing=listing,
        wanted=wanted,
        chosen={name: value for name, value in chosen.items() if value not in ("", None)},
        choices=explorer.choices(),
        **page,
    )


def _wanted() -> Wanted:
    given = request.args
    number = given.get("round", type=int)
    return Wanted(
        training=given.get("training", "").strip(),
        round=number if number is not None and 0 <= number < MOST_ROUND else None,
        account=given.get("party", "").strip(),
        kind=given.get("kind", "").strip(),
    )


def _page() -> dict[str, Any]:
    """What every template here needs."""
    made = services()
    standing = bring_up_to_date(made.database, made.open_ledger)
    explorer = Explorer(made.database)
    names = explorer.names()
    return {
        "standing": standing,
        "explorer": explorer,
        "names": names,
        "facts": lambda values, without=(): facts(values, names, without),
        "place": PLACE,
        "event_words": event_words,
        "function_title": function_title,
        "field_label": field_label,
        "round_title": round_title,
        "task_title": _task_title,
        "is_administrator": login.person().role == ADMINISTRATOR,
    }


def _task_title(task: str) -> str:
    return get_task(task).title if task in task_names() else "Another installation’s"


def _digits(value: str) -> str:
    """The 64 digits of a hash in an address; 404 for anything else."""
    matched = _HASH.fullmatch(value)
    if matched is None:
        abort(HTTPStatus.NOT_FOUND)
    return matched[1]


def _to_block(number: int) -> Response:
    explorer = Explorer(services().database)
    if not explorer.block(number) and find_block(services().open_ledger, number) is None:
        flash(f"The chain has no block {number:,}, as far as is known here.", "warning")
        return _to("ledger.overview")
    return _to("ledger.block", number=number)


def _to(endpoint: str, **values: Any) -> Response:
    return redirect(url_for(endpoint, **values), HTTPStatus.SEE_OTHER)
