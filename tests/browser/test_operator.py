"""A hospital's operator decides by wallet: a provider in the page signs typed data for real."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.browser.person import LONG, VIEWS, Person, View
from tests.browser.test_wallet import Wallet, install

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

HOSPITAL = "Hungary"


@pytest.fixture
def free(site: Site, arrive: Callable[..., Person]) -> Iterator[None]:
    """The operator has no wallet afterwards."""
    yield
    oskar = arrive(VIEWS[0], "operator")
    oskar.open("/wallet")
    oskar.press("Unlink this wallet")
    oskar.press("Unlink the wallet")
    expect(oskar.page.get_by_text("The wallet is unlinked")).to_be_visible()


def equip(oskar: Person, ada: Person) -> None:
    """Oskar acts for the hospital, with a wallet that is authorised."""
    oskar.open("/wallet")
    oskar.press("Link a wallet")
    expect(oskar.page.get_by_text("The wallet is linked.")).to_be_visible()
    ada.open("/admin/users")
    ada.press("Authorise the wallet of Oskar Lind")
    ada.press_summary("Oskar Lind")
    ada.require_good_page()
    ada.page.get_by_label("Hospital of Oskar Lind").select_option(HOSPITAL)
    ada.press("Set the hospital of Oskar Lind")
    expect(ada.page.get_by_text(f"Oskar Lind acts for {HOSPITAL}.")).to_be_visible()


def start_training(ada: Person) -> str:
    """The path of a heart training of one round that waits."""
    ada.open("/admin/trainings/new/heart")
    ada.page.get_by_label("Rounds", exact=True).fill("1")
    ada.press("Start the training")
    waits = ada.page.get_by_text(f"Waits for the approval of {HOSPITAL}").first
    expect(waits).to_be_visible(timeout=LONG)
    ada.page.wait_for_url("**/admin/trainings/*")
    ada.require_good_page()
    return ada.page.url.removeprefix(ada.address)


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[3]], ids=str)
def test_an_operator_switches_approvals_on_refuses_and_approves(
    view: View, trained: str, arrive: Callable[..., Person], free: None
) -> None:
    wallet = Wallet(chain=1, chains=(1,))
    oskar, ada = arrive(view, "operator"), arrive(view, "administrator")
    install(oskar, {"Honest wallet": wallet})
    equip(oskar, ada)
    main = oskar.page.get_by_role("main")
    oskar.open("/")
    expect(oskar.page.get_by_role("heading", level=1)).to_have_text(HOSPITAL)
    oskar.require_good_page()
    oskar.press("Switch on with the wallet")
    expect(oskar.page.get_by_role("alert")).to_contain_text("on another network")
    wallet.chains = (1, 1337)
    oskar.press("Switch on with the wallet")
    expect(main).to_contain_text("need your approval by hand")

    refused = start_training(ada)
    oskar.open("/operator/")
    oskar.require_good_page()
    oskar.press_summary("Refuse it instead")
    oskar.fill("Reason", "The data officer is away")
    oskar.require_good_page()
    oskar.press(f"Refuse with the wallet {refused.rsplit('/', 1)[1][:8]}")
    expect(main).to_contain_text("Refused. The training has ended")
    ada.open(refused)
    told = f"{HOSPITAL} refused it: The data officer is away"
    expect(ada.page.get_by_role("main")).to_contain_text(told)
    ada.require_good_page()

    approved = start_training(ada)
    short = approved.rsplit("/", 1)[1][:8]
    oskar.open("/operator/")
    wallet.refusal = {"method": "eth_signTypedData_v4", "code": 4001, "message": "declined"}
    oskar.press(f"Approve with the wallet {short}")
    expect(oskar.page.get_by_role("alert").first).to_contain_text("You declined in the wallet.")
    wallet.refusal = None
    oskar.press(f"Approve with the wallet {short}")
    expect(main).to_contain_text("Approved. The training begins")
    oskar.require_good_page()
    with oskar.page.expect_download() as download:
        oskar.page.get_by_role("link", name=f"Download what was signed about {short}").click()
    assert wallet.key.address in download.value.path().read_text()
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
    expect(ada.page.get_by_text("1 of 1 rounds").first).to_be_visible()

    oskar.press("Switch off with the wallet")
    expect(main).to_contain_text("begin without being asked")
