"""The application: services, protections and blueprints put together, in the order they act."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_wtf import CSRFProtect

from app.admin import routes as admin
from app.appeals import routes as appeals
from app.auth import routes as auth
from app.database import Database
from app.datasets import imports as importing
from app.datasets import routes as datasets
from app.doctor import batches, filling
from app.doctor import routes as doctor
from app.home import routes as home
from app.ledger import routes as ledger
from app.operator import routes as operator
from app.patients import routes as patients
from app.results import routes as results
from app.services.accounts import Accounts
from app.services.appeal_view import AppealViews
from app.services.appeals import Appeals
from app.services.approvals import Approvals
from app.services.attack_names import attack_titles
from app.services.audit import AuditLog
from app.services.batches import Batches
from app.services.cases import Cases
from app.services.chain_access import ChainAccess
from app.services.checks import Checks
from app.services.doctor_keys import DoctorKeys
from app.services.escrow import Escrow
from app.services.imports import Imports
from app.services.jobs import Jobs
from app.services.ledger_roles import LedgerRoles
from app.services.model_download import ModelDownloads
from app.services.open_keys import OpenKeys
from app.services.open_records import OpenRecords
from app.services.opening_view import OpeningViews
from app.services.openings import Openings
from app.services.outcomes import Outcomes
from app.services.passwords import Passwords
from app.services.patients import Patients
from app.services.predictions import Predictions
from app.services.promotions import Wishes
from app.services.record_ledger_view import RecordLedgerViews
from app.services.record_signing import RecordSigning
from app.services.resharing import Resharings
from app.services.resharing_view import ResharingViews
from app.services.retention import Retention
from app.services.secret_key import read_secret_key
from app.services.sessions import LIFETIME, Sessions
from app.services.staff import Staff
from app.services.versions import Versions
from app.services.wallet_messages import WalletMessages
from app.services.wallets import Wallets
from app.versions import routes as versions
from app.web import assets, errors, header, headers, limiter, login, pace, roles, shared_parts
from app.web import services as service
from config import DATASETS, ROOT, Settings
from fl.datasets import use_folder

# Names under which a browser reaches this server. Another one in the Host header means that a
# foreign page had its own name resolved to this address.
HOSTS = ["127.0.0.1", "localhost"]

# Forms hold some values of one patient or person.
LARGEST_FORM = 64 * 1024
MOST_FIELDS = 200


def create(settings: Settings, passwords: Passwords | None = None) -> Flask:
    """The application of one installation. Tables and key are there already: the set-up made them.

    `passwords` sets what a password's hash costs. Raises SetupError without a secret key, and when
    a route lacks a role decision.
    """
    app = Flask("consilium", root_path=str(ROOT), static_folder=str(ROOT / "static"))
    _configure(app, settings.instance_dir)
    use_folder(settings.instance_dir / DATASETS)
    service.install(app, _make_services(settings, passwords))
    login.install(app)
    # What is refused is refused in this order: by host, by role, by CSRF token, by rate.
    roles.install(app)
    importing.install(app)
    batches.install(app)
    filling.install(app)
    CSRFProtect(app)
    for pages in (
        home, auth, admin, datasets, importing, doctor, patients, operator, versions, appeals,
        ledger, results,
    ):  # fmt: skip
        app.register_blueprint(pages.blueprint)
    roles.public(app.view_functions["static"])
    limiter.install(app)
    assets.install(app)
    header.install(app)
    shared_parts.install(app)
    pace.install(app)
    headers.install(app)
    errors.install(app)
    roles.require_decisions(app)
    return app


def _configure(app: Flask, instance: Path) -> None:
    app.config.update(
        SECRET_KEY=read_secret_key(instance),
        SESSION_COOKIE_NAME="consilium",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LIFETIME,
        # A form is valid as long as its session: a page may lie open over a ward round.
        WTF_CSRF_TIME_LIMIT=None,
        TRUSTED_HOSTS=HOSTS,
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        MAX_FORM_PARTS=MOST_FIELDS,
    )
    app.jinja_env.filters["attack_titles"] = attack_titles
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def _make_services(settings: Settings, passwords: Passwords | None) -> service.Services:
    database = Database(settings.database)
    audit = AuditLog(database)
    chain = ChainAccess(settings, database)
    escrow = Escrow.of(settings)
    openings = Openings(database, audit, escrow)
    cases = Cases.of(settings)
    made_passwords = passwords or Passwords()
    predictions = Predictions(database, chain.open)
    imports = Imports(settings.instance_dir / DATASETS, database, audit)
    imports.tidy()
    return service.Services(
        settings=settings,
        database=database,
        audit=audit,
        accounts=Accounts(database, audit, made_passwords),
        sessions=Sessions(database),
        imports=imports,
        jobs=Jobs(database),
        checks=Checks(database),
        predictions=predictions,
        batches=Batches(database, audit, predictions),
        models=ModelDownloads(database, chain.open),
        versions=Versions(database),
        wishes=Wishes(database, audit),
        staff=Staff(database, audit),
        approvals=Approvals(database, audit),
        appeals=Appeals(database, audit),
        appeal_views=AppealViews(database),
        patients=Patients(database, audit, escrow),
        openings=openings,
        open_records=OpenRecords(database, audit, escrow, openings, cases),
        outcomes=Outcomes(database, audit, openings, cases),
        retention=Retention(database, audit, openings, settings.retention_years),
        opening_views=OpeningViews(database),
        resharings=Resharings(database, audit, escrow, openings),
        resharing_views=ResharingViews(database),
        open_keys=OpenKeys(database, DoctorKeys(database, audit, made_passwords)),
        record_signing=RecordSigning(database),
        record_ledger_views=RecordLedgerViews(database),
        ledger_roles=LedgerRoles(database),
        wallets=Wallets(database, audit),
        wallet_messages=WalletMessages(database),
        chain_id=chain.chain_id,
        open_ledger=chain.open,
    )
