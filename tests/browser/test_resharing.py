"""A doctor leaves: the others name a successor and deal new shares, by keyboard, in two batches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from app.database import Database
from app.models import UserRow
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.escrow import Escrow
from app.services.patient_consent import AGREED, Consent
from app.services.patients import Patients
from app.services.record_sealing import Attributes
from app.services.resharing import BATCH
from app.services.roles import DOCTOR
from tests.app.installations import settings_of
from tests.browser.conftest import Site
from tests.browser.person import LONG, WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = "a sentence for the test"
RECORDS = BATCH + 2


@dataclass(frozen=True)
class People:
    """What the test does beside the pages: who comes and leaves, and the patients there are."""

    accounts: Accounts
    patients: Patients
    site: Site

    def find(self, role: str) -> UserRow:
        row = self.accounts.find_by_email(self.site.accounts[role][0])
        assert row is not None
        return row

    def come(self, name: str) -> UserRow:
        email = f"{name.lower().replace(' ', '-')}@clinic.example"
        row = self.accounts.register(email, name, "Clinic Road 1", DOCTOR, PASSWORD)
        assert row is not None
        return self.accounts.authorise(self.find("administrator"), row.id, DOCTOR)

    def leave(self, row: UserRow) -> None:
        self.accounts.suspend(self.find("administrator"), row.id, "Works elsewhere")


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_new_shares_are_dealt_when_a_doctor_leaves(
    view: View, site: Site, arrive: Callable[..., Person]
) -> None:
    settings = settings_of(site.folder)
    with closing(Database(settings.database)) as database:
        audit = AuditLog(database)
        patients = Patients(database, audit, Escrow.of(settings))
        _course(view, site, arrive, People(Accounts(database, audit), patients, site))


def _course(view: View, site: Site, arrive: Callable[..., Person], people: People) -> None:
    ines, jonas = arrive(view, "doctor"), arrive(view, "doctor 2")
    nora, otto = (people.come(f"Dr. {name} {view}") for name in ("Nora", "Otto"))
    for one in (nora, otto):
        arrive(view).sign_in(one.email, PASSWORD)
    group = [people.find("doctor 2").id, nora.id]
    consent = Consent(AGREED, on="2020-01-02")
    greta = Attributes("Lindqvistsson", "Greta", "1951-03-08", consent=consent)
    for _ in range(RECORDS):
        people.patients.create(people.find("doctor"), greta, group, 2)
    people.leave(nora)

    ines.open("/doctor/")
    told = f"{RECORDS} of your records want new shares: {nora.name} cannot lend any more."
    expect(ines.page.get_by_text(told)).to_be_visible()
    ines.require_good_page()
    ines.press("Name who takes the place", role="link")
    heading = {"name": "New shares", "exact": True, "level": 1}
    expect(ines.page.get_by_role("heading", **heading)).to_be_visible()
    ines.require_good_page()
    ines.press("Ask for the parts")
    expect(ines.page.get_by_text("Name an active doctor")).to_be_visible()
    ines.require_good_page()
    place = ines.page.get_by_label(f"In the place of {nora.name}")
    ines.tab_to(place)
    place.select_option(otto.name)
    ines.press("Ask for the parts")
    expect(ines.page.get_by_text(f"Your part is wanted of {RECORDS}.")).to_be_visible()
    ines.require_good_page()
    ines.fill("Your password", site.accounts["doctor"][1])
    ines.press("Deal my part")
    expect(ines.page.get_by_text("Nothing is left for you to do")).to_be_visible(timeout=LONG)
    ines.require_good_page()

    jonas.through_menu("Patients")
    expect(jonas.page.get_by_text(f"{RECORDS} records wait for")).to_be_visible()
    jonas.press("your part of new shares", role="link")
    expect(jonas.page.get_by_role("heading", **heading)).to_be_visible()
    jonas.require_good_page()
    jonas.press(f"{otto.name} in the place of {nora.name}", role="link")
    jonas.fill("Your password", site.accounts["doctor 2"][1])
    jonas.press("Deal my part")
    done = f"{RECORDS} of {RECORDS} records have new shares."
    expect(jonas.page.get_by_text(done)).to_be_visible(timeout=LONG)
    jonas.require_good_page()
    # The page that only watched is at the end, too, and asks no more.
    expect(ines.page.get_by_text(done)).to_be_visible(timeout=LONG)
    expect(ines.page.get_by_text("It is over.")).to_be_visible()

    newcomer = arrive(view)
    newcomer.sign_in(otto.email, PASSWORD)
    newcomer.through_menu("Patients")
    expect(newcomer.page.get_by_text(f"{RECORDS} patients")).to_be_visible()
    newcomer.require_good_page()
