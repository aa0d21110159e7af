"""The first page, about, the homes of roles without pages of their own yet, and the audit log.

Templates and their variables: public/index.html gets none,
public/about.html `fingerprint` (the federation's in groups of four digits, None without one);
home/role.html gets `user` (the person's row), `role` (the word), `tasks` (what people do in this
role, as sentences) and `may_read_log`; home/audit.html gets `log` (an `AuditPage`) and `broken`
(None: not checked; else the ids of entries that are altered or missing).
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.services import roles
from app.services.audit import audit_table
from app.web import login
from app.web.downloads import table_answer
from app.web.roles import public, requires
from app.web.services import services
from contracts.errors import LedgerError
from contracts.members import grouped

blueprint = Blueprint("home", __name__)

_OWN_PAGES: Final = {
    roles.ADMINISTRATOR: "admin.overview",
    roles.DOCTOR: "doctor.home",
    roles.OPERATOR: "operator.home",
}

_TASKS: Final = {
    roles.AUDITOR: (
        "The audit log shows who did what and when. Each entry carries the hash of the one before.",
        "Check the log: every hash is computed again, and what was altered or removed is named.",
        "The results show what came out of each training; every table and figure downloads.",
        "The ledger shows what each party put on the chain; each hash there can be checked.",
        "Check everything there: whatever is stored is computed again, and differences are named.",
    ),
    roles.INSTRUCTOR: (
        "Above you see the models in use, each compared with the ledger.",
        "To show a training as it runs, ask an administrator to start one.",
    ),
    roles.REMOTE: (
        "Above you see the models in use, and whether the ledger names the same hashes.",
        "You see no patient and no hospital's data: neither is kept where you sign in.",
    ),
}


@blueprint.get("/")
@public
def index() -> Response | str:
    """What this is, for strangers; the home of the role, or what was decided, for the others."""
    person = login.viewer()
    if person is None:
        return render_template("public/index.html")
    if person.role is None:
        return redirect(url_for("auth.waiting"))
    if person.role in _OWN_PAGES:
        return redirect(url_for(_OWN_PAGES[person.role]))
    return render_template(
        "home/role.html",
        user=person.row,
        role=roles.WORDS[person.role],
        tasks=_TASKS[person.role],
        may_read_log=person.role == roles.AUDITOR,
    )


@blueprint.get("/about")
@public
def about() -> str:
    """What is stored about people, under which licences the parts stand, what it is not."""
    return render_template("public/about.html", fingerprint=_fingerprint())


def _fingerprint() -> str | None:
    """The federation's fingerprint, or None before its first training and without its chain."""
    try:
        with closing(services().open_ledger()) as ledger:
            return grouped(ledger.fingerprint())
    except LedgerError:
        return None


@blueprint.get("/audit")
@requires(roles.ADMINISTRATOR, roles.AUDITOR)
def audit() -> str:
    """Who did what and when, the newest first; `?check=1` computes every hash again."""
    log, text = services().audit, _text()
    page = request.args.get("page", default=1, type=int)
    broken = log.verify() if "check" in request.args else None
    return render_template("home/audit.html", log=log.entries(page, text), text=text, broken=broken)


@blueprint.get("/audit/log.<form>")
@requires(roles.ADMINISTRATOR, roles.AUDITOR)
def audit_file(form: str) -> Response:
    """All entries that are looked for, with what their hashes are computed from."""
    text = _text()
    return table_answer(audit_table(services().audit.every(text)), form, {"text": text})


def _text() -> str:
    """What is looked for in the log."""
    return request.args.get("text", "").strip()[:200]
