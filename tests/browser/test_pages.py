"""Every page, in every width and theme: no violation of WCAG 2.2 AA, nothing that overflows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app import create_app
from config import Settings
from tests.browser.conftest import Site
from tests.browser.person import LOOKS, VIEWS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(600)]

# Each page by its endpoint; {training} is the address of a finished training, the other names are
# those of `on_chain`.
PAGES: dict[str | None, dict[str, str]] = {
    None: {
        "home.index": "/",
        "home.about": "/about",
        "auth.sign_in": "/sign-in",
        "auth.register": "/register",
        "auth.waiting": "/waiting",
    },
    "administrator": {
        "admin.overview": "/admin/",
        "admin.people.users": "/admin/users",
        "datasets.listed": "/datasets",
        "imports.upload": "/datasets/import",
        "datasets.one": "/datasets/diabetes",
        "datasets.hospital": "/datasets/heart/hospitals/Switzerland",
        "admin.trainings.listed": "/admin/trainings",
        "admin.trainings.new": "/admin/trainings/new/diabetes",
        "admin.trainings.one": "{training}",
        "admin.trainings.round_page": "{training}/rounds/1?check=1",
        "results.listed": "/trainings",
        "results.one": "{timeline}/results",
        "versions.listed": "/models/",
        "versions.cards.page": "{card}",
        "appeals.listed": "/appeals/",
        "ledger.overview": "/ledger",
        "ledger.events": "/ledger/events?round=1",
        "ledger.transactions": "/ledger/transactions",
        "ledger.transaction": "/ledger/transactions/{transaction}",
        "ledger.block": "/ledger/blocks/{block}",
        "ledger.round_page": "/ledger{timeline}/rounds/1",
        "ledger.check": "/ledger/hashes/{transaction}",
        "ledger.dossiers.page": "/ledger{timeline}/rounds/1/dossier",
        "ledger.verify.listed": "/ledger/verify",
        "home.audit": "/audit?check=1",
        "auth.password": "/password",
        "auth.wallets.own": "/wallet",
    },
    "doctor": {
        "doctor.home": "/doctor/",
        "doctor.new_prediction": "/doctor/predictions/heart/new",
        "patients.listed": "/patients/",
        "patients.new": "/patients/new",
        "patients.resharing.page": "/patients/resharing",
        "doctor.device.page": "/doctor/predictions/heart/device",
        "doctor.rules.page": "/doctor/suggestions/heart",
        "doctor.batches.page": "/doctor/predictions/heart/batch",
        "versions.cards.page": "{card}",
    },
    "operator": {"operator.home": "/operator/"},
    "auditor": {"home.index": "/"},
    "instructor": {"home.index": "/"},
    "remote": {"home.index": "/"},
}
# What stands inside other pages, is a file, or is looked at in `test_whole_way` while it lasts.
NO_PAGES = {
    "static",
    "admin.trainings.now",
    "admin.trainings.rounds",
    "admin.trainings.job",
    "admin.trainings.job_now",
    "admin.trainings.dossier",
    "results.table",
    "results.figure",
    "results.report",
    "results.predictions",
    # In `test_results_of_an_attacked_training_are_good`, which needs two trainings.
    "results.compare.page",
    "results.compare.table",
    "results.compare.figure",
    "datasets.summary",
    "admin.people.export",
    "home.audit_file",
    "operator.submissions",
    "doctor.device.model",
    # In `test_answer`, from a result's passport.
    "doctor.passports.check",
    # In `test_batches`, while a file is answered and when it is.
    "doctor.batches.one",
    "doctor.batches.empty",
    "doctor.batches.columns",
    "doctor.batches.problems",
    "doctor.batches.file",
    # In `test_import`, as its steps follow each other.
    "imports.choose",
    "imports.check",
    "imports.refused",
    "operator.signed",
    "operator.model",
    "operator.model_file",
    # In `test_appeals`, which needs a rejected hospital.
    "appeals.one",
    "appeals.now",
    "operator.appeals.ask",
    "operator.appeals.one",
    # In `test_models`: it needs a second training.
    "versions.promote",
    "versions.now",
    "versions.file",
    # In `test_patients`, where colleagues open a record.
    "patients.one",
    "patients.record.page",
    "patients.record.edit",
    "patients.record.group",
    # In `test_resharing`, where a doctor leaves.
    "patients.resharing.one",
    "patients.resharing.now",
    "patients.consent.page",
    "patients.adding.vitals",
    "patients.ledger.page",
    # It only leads on.
    "patients.opening",
    "versions.cards.document",
    "versions.cards.printed",
    "ledger.dossiers.file",
    "ledger.dossiers.code",
    # In `test_behaviour`, while it lasts and when it is over.
    "ledger.verify.one",
    "ledger.verify.now",
    # It only leads on.
    "ledger.find",
}


def test_every_page_is_looked_at(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(site.folder))
    app = create_app(Settings())
    served = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    assert served == NO_PAGES.union(*PAGES.values())


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("role", PAGES, ids=str)
def test_pages_are_good(
    role: str | None,
    view: View,
    trained: str,
    on_chain: dict[str, str],
    arrive: Callable[..., Person],
) -> None:
    person = arrive(view, role)
    for path in PAGES[role].values():
        person.open(path.format(training=trained, **on_chain))
        person.require_good_page()
        assert person.page.locator("h1").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_pages_of_an_attacked_training_are_good(
    view: View, attacked: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(view, "administrator")
    for path in ("", "/rounds/1", "/donation?check=1"):
        ada.open(attacked + path)
        ada.require_good_page()
    ada.open("/admin/trainings/new/heart")
    ada.press_summary("What each attack does")
    ada.require_good_page()


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_results_of_an_attacked_training_are_good(
    view: View, attacked: str, on_chain: dict[str, str], arrive: Callable[..., Person]
) -> None:
    ada = arrive(view, "administrator")
    ada.open("/trainings")
    for training in (attacked, on_chain["timeline"]):
        ada.page.locator(f"input[value='{training.rsplit('/', 1)[1]}']").check()
    ada.press("Compare those ticked")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("2 trainings compared")
    ada.require_good_page()
    ada.open(attacked.removeprefix("/admin") + "/results?verdict=rejected")
    ada.press_summary("Confusion matrices of All hospitals")
    ada.require_good_page()


@pytest.mark.parametrize("view", LOOKS, ids=str)
@pytest.mark.parametrize(("role", "path"), [(None, "/nothing"), ("doctor", "/admin/")])
def test_errors_are_pages(
    role: str | None, path: str, view: View, arrive: Callable[..., Person]
) -> None:
    person = arrive(view, role)
    person.open(path)
    person.require_good_page()
    person.press("Go to the first page", role="link")
    person.page.wait_for_url(lambda url: not url.endswith(path))
    expect(person.page.get_by_role("heading", level=1)).to_have_count(1)
