"""Wallets in a browser: a provider that announces itself (EIP-6963) and signs for real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.browser.person import VIEWS, WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

WIDE = VIEWS[0]
REFUSAL = "This wallet lets nobody in."

# What an extension puts into a page. Its requests are answered by `Wallet.request` below.
INJECTED = """
(({ announced, injected }) => {
  const picture = '<svg xmlns="http://www.w3.org/2000/svg"><rect width="99" height="99"/></svg>';
  const icon = `data:image/svg+xml,${picture}`;
  const provider = (uuid) => ({
    request: async (asked) => {
      const { result, error } = await window.answerWallet(uuid, asked);
      if (error) throw Object.assign(new Error(error.message), { code: error.code });
      return result;
    },
  });
  for (const { uuid, name } of announced) {
    const info = { uuid, name, icon, rdns: "example.wallet" };
    const detail = Object.freeze({ info, provider: provider(uuid) });
    const announcement = () => new CustomEvent("eip6963:announceProvider", { detail });
    const announce = () => window.dispatchEvent(announcement());
    window.addEventListener("eip6963:requestProvider", announce);
    announce();
  }
  if (injected) window.ethereum = provider(injected);
})(%s);
"""


@dataclass
class Wallet:
    """A wallet and its owner's answers."""

    key: LocalAccount = field(default_factory=Account.create)
    signer: LocalAccount | None = None
    refusal: dict[str, Any] | None = None
    asked: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    chain: int = 1337
    chains: tuple[int, ...] = (1337,)

    def request(self, method: str, params: list[Any]) -> dict[str, Any]:
        """EIP-1193's `request`, for the methods that a page needs."""
        self.asked.append(method)
        if self.refusal is not None and method == self.refusal["method"]:
            return {"error": self.refusal}
        if method == "eth_requestAccounts":
            return {"result": [self.key.address.lower()]}
        if method == "personal_sign" and params[1] == self.key.address.lower():
            text = bytes.fromhex(params[0].removeprefix("0x")).decode()
            self.texts.append(text)
            signer = self.signer or self.key
            return {"result": "0x" + signer.sign_message(encode_defunct(text=text)).signature.hex()}
        if method == "eth_chainId":
            return {"result": hex(self.chain)}
        if method == "wallet_switchEthereumChain":
            return self._switch(int(params[0]["chainId"], 16))
        if method == "eth_signTypedData_v4" and params[0] == self.key.address.lower():
            return self._sign_typed(json.loads(params[1]))
        return {"error": {"code": 4200, "message": f"unsupported: {method}"}}

    def _switch(self, chain: int) -> dict[str, Any]:
        if chain not in self.chains:
            return {"error": {"code": 4902, "message": "unrecognized chain"}}
        self.chain = chain
        return {"result": None}

    def _sign_typed(self, typed: dict[str, Any]) -> dict[str, Any]:
        """As MetaMask does: only for the chain that the wallet is on."""
        if typed["domain"]["chainId"] != self.chain:
            return {"error": {"code": -32603, "message": "must match the active chainId"}}
        signed = (self.signer or self.key).sign_message(encode_typed_data(full_message=typed))
        return {"result": "0x" + bytes(signed.signature).hex()}


def install(person: Person, wallets: dict[str, Wallet], injected: str | None = None) -> None:
    """Put the wallets into every page of this window; the injected one is not announced."""

    def answer(name: str, asked: dict[str, Any]) -> dict[str, Any]:
        return wallets[name].request(asked["method"], asked.get("params", []))

    announced = [{"uuid": name, "name": name} for name in wallets if name != injected]
    person.page.expose_function("answerWallet", answer)
    person.page.add_init_script(
        INJECTED % json.dumps({"announced": announced, "injected": injected})
    )


@pytest.fixture
def unlinked(site: Site, arrive: Callable[..., Person]) -> Iterator[None]:
    """The doctor has no wallet afterwards."""
    yield
    ines = arrive(WIDE, "doctor")
    ines.open("/wallet")
    if ines.page.get_by_role("button", name="Unlink this wallet").is_visible():
        ines.press("Unlink this wallet")
        ines.press("Unlink the wallet")
        expect(ines.page.get_by_text("The wallet is unlinked")).to_be_visible()


def link(ines: Person) -> None:
    ines.open("/wallet")
    ines.press("Link a wallet")
    expect(ines.page.get_by_text("The wallet is linked.")).to_be_visible()


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_link_authorise_and_sign_in(
    view: View, site: Site, arrive: Callable[..., Person], unlinked: None
) -> None:
    wallet = Wallet()
    ines, ada = arrive(view, "doctor"), arrive(view, "administrator")
    install(ines, {"Honest wallet": wallet})
    ines.open("/password")
    ines.press("Wallet", role="link")
    ines.page.wait_for_url("**/wallet")
    ines.require_good_page()
    link(ines)
    main = ines.page.get_by_role("main")
    expect(main).to_contain_text(wallet.key.address)
    expect(main).to_contain_text("Waiting for authorisation")
    ines.require_good_page()
    assert wallet.texts[0].startswith(f"{site.address.removeprefix('http://')} wants you to")

    ines.sign_out()
    ines.press("Sign in with a wallet")
    expect(ines.page.get_by_role("alert")).to_contain_text(REFUSAL)
    ines.require_good_page()

    ada.open("/admin/users")
    asking = ada.page.get_by_role("region", name="Wallets to authorise")
    expect(asking).to_contain_text(wallet.key.address)
    ada.require_good_page()
    ada.press("Authorise the wallet of Dr. Ines Brandt")
    expect(ada.page.get_by_text("is authorised.")).to_be_visible()
    ada.press_summary("Dr. Ines Brandt")
    ada.require_good_page()

    ines.open("/sign-in?next=/wallet")
    ines.press("Sign in with a wallet")
    ines.page.wait_for_url("**/wallet")
    expect(main).to_contain_text("Authorised")
    expect(main).to_contain_text("by Ada Berg")
    ines.require_good_page()
    assert len(set(wallet.texts)) == 3

    ada.press("Withdraw the wallet of Dr. Ines Brandt")
    expect(ada.page.get_by_text("lets nobody in any more")).to_be_visible()
    ines.open("/doctor/")
    expect(ines.page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_one_of_several_wallets_is_chosen_by_keyboard(
    arrive: Callable[..., Person], unlinked: None
) -> None:
    first, second = Wallet(), Wallet()
    ines = arrive(VIEWS[3], "doctor")
    install(ines, {"First wallet": first, "Second wallet": second})
    ines.open("/wallet")
    ines.press("Link a wallet")
    choices = ines.page.get_by_role("list", name="Wallets in this browser").get_by_role("button")
    expect(choices).to_have_text(["First wallet", "Second wallet"])
    expect(choices.first).to_be_focused()
    expect(ines.page.get_by_role("main").get_by_role("status")).to_have_text(
        "2 wallets in this browser. Choose one."
    )
    ines.require_good_page()
    ines.press("Second wallet")
    expect(ines.page.get_by_role("main")).to_contain_text(second.key.address)
    assert first.asked == []


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ({"method": "personal_sign", "code": 4001}, "You declined in the wallet."),
        ({"method": "eth_requestAccounts", "code": 4001}, "You declined in the wallet."),
        ({"method": "eth_requestAccounts", "code": -32002}, "The wallet waits for you already."),
        ({"method": "personal_sign", "code": 4100}, "does not let this page use that account"),
        ({"method": "eth_requestAccounts", "code": 4900}, "The wallet is not connected."),
        ({"method": "personal_sign", "code": -32603}, "The wallet reports an error: out of order"),
    ],
)
def test_what_the_wallet_refuses_is_told_and_can_be_tried_again(
    arrive: Callable[..., Person], refusal: dict[str, Any], told: str
) -> None:
    wallet = Wallet(refusal={"message": "out of order", **refusal})
    guest = arrive(WIDE)
    # A wallet from before EIP-6963: nothing is announced.
    install(guest, {"old": wallet}, injected="old")
    guest.open("/sign-in")
    guest.press("Sign in with a wallet")
    expect(guest.page.get_by_role("alert")).to_contain_text(told)
    guest.require_good_page()
    wallet.refusal = None
    guest.press("Sign in with a wallet")
    expect(guest.page.get_by_role("alert")).to_contain_text(REFUSAL)


def test_a_signature_of_another_account_is_refused(arrive: Callable[..., Person]) -> None:
    guest = arrive(WIDE)
    install(guest, {"Confused wallet": Wallet(signer=Account.create())})
    guest.open("/sign-in")
    guest.press("Sign in with a wallet")
    expect(guest.page.get_by_role("alert")).to_contain_text("Another key signed the message")


def test_without_a_wallet_the_page_says_what_to_install(arrive: Callable[..., Person]) -> None:
    guest = arrive(VIEWS[3])
    guest.open("/sign-in")
    guest.press("Sign in with a wallet")
    expect(guest.page.get_by_role("alert")).to_contain_text("Install MetaMask")
    guest.require_good_page()


def test_a_page_of_an_ended_session_says_so(arrive: Callable[..., Person]) -> None:
    ines = arrive(WIDE, "doctor")
    install(ines, {"Honest wallet": Wallet()})
    ines.open("/wallet")
    ines.page.context.clear_cookies()
    ines.press("Link a wallet")
    expect(ines.page.get_by_role("alert")).to_contain_text(re.compile("Reload it and try again"))
