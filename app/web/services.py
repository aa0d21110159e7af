"""The services that views use, made once by `create` and found through the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from app.database import Database
from app.services.accounts import Accounts
from app.services.appeal_view import AppealViews
from app.services.appeals import Appeals
from app.services.approvals import Approvals
from app.services.audit import AuditLog
from app.services.batches import Batches
from app.services.checks import Checks
from app.services.imports import Imports
from app.services.jobs import Jobs
from app.services.ledger_roles import LedgerRoles
from app.services.model_download import ModelDownloads
from app.services.open_keys import OpenKeys
from app.services.open_records import OpenRecords
from app.services.opening_view import OpeningViews
from app.services.openings import Openings
from app.services.outcomes import Outcomes
from app.services.patients import Patients
from app.services.predictions import Predictions
from app.services.promotions import Wishes
from app.services.record_ledger_view import RecordLedgerViews
from app.services.record_signing import RecordSigning
from app.services.resharing import Resharings
from app.services.resharing_view import ResharingViews
from app.services.retention import Retention
from app.services.sessions import Sessions
from app.services.staff import Staff
from app.services.versions import Versions
from app.services.wallet_messages import WalletMessages
from app.services.wallets import Wallets
from config import Settings
from contracts.reader import LedgerReader

_KEY = "consilium"


@dataclass(frozen=True)
class Services:
    """What a view may ask for; whoever opens a ledger closes it."""

    settings: Settings
    database: Database
    audit: AuditLog
    accounts: Accounts
    sessions: Sessions
    imports: Imports
    jobs: Jobs
    checks: Checks
    predictions: Predictions
    batches: Batches
    models: ModelDownloads
    versions: Versions
    wishes: Wishes
    staff: Staff
    approvals: Approvals
    appeals: Appeals
    appeal_views: AppealViews
    patients: Patients
    openings: Openings
    open_records: OpenRecords
    opening_views: OpeningViews
    resharings: Resharings
    resharing_views: ResharingViews
    open_keys: OpenKeys
    outcomes: Outcomes
    retention: Retention
    record_signing: RecordSigning
    record_ledger_views: RecordLedgerViews
    ledger_roles: LedgerRoles
    wallets: Wallets
    wallet_messages: WalletMessages
    chain_id: Callable[[], int]
    open_ledger: Callable[[], LedgerReader]


def install(app: Flask, made: Services) -> None:
    """Give the application its services."""
    app.extensions[_KEY] = made


def services() -> Services:
    """The services of the application that answers this request."""
    return cast(Services, current_app.extensions[_KEY])
