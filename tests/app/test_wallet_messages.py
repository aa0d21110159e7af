"""Messages that wallets sign: what counts, once, and every way in which one does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from app.database import Database
from app.errors import MessageRefused
from app.models import WalletNonceRow
from app.models.base import now
from app.services.sign_in_message import SignInMessage, parse
from app.services.wallet_messages import LIFETIME, LINK, SIGN_IN, Place, Purpose, WalletMessages

PLACE = Place("http", "127.0.0.1:8000", 1337)
BROWSER = "the secret of a browser's session"
KEY: LocalAccount = Account.from_key("0x" + "11" * 32)
OTHER: LocalAccount = Account.from_key("0x" + "22" * 32)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign(text: str, key: LocalAccount = KEY) -> str:
    return "0x" + bytes(key.sign_message(encode_defunct(text=text)).signature).hex()


@pytest.fixture
def messages(database: Database) -> WalletMessages:
    return WalletMessages(database)


def offer(messages: WalletMessages, purpose: Purpose = SIGN_IN) -> str:
    return messages.offer(purpose, PLACE, KEY.address, BROWSER)


def accept(messages: WalletMessages, text: str, signature: str | None = None) -> str:
    return messages.accept(SIGN_IN, PLACE, text, signature or sign(text), BROWSER)


def nonces(database: Database) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(WalletNonceRow)) or 0


@pytest.mark.parametrize("purpose", [SIGN_IN, LINK])
def test_the_message_says_all_that_it_is_for(messages: WalletMessages, purpose: Purpose) -> None:
    message = parse(messages.offer(purpose, PLACE, KEY.address.lower(), BROWSER))
    assert message == SignInMessage(
        domain="127.0.0.1:8000",
        address=KEY.address,
        statement=purpose.statement,
        uri=f"http://127.0.0.1:8000{purpose.path}",
        chain_id=1337,
        nonce=message.nonce,
        issued_at=message.issued_at,
        expiration_time=message.issued_at + timedelta(minutes=5),
    )
    assert len(message.nonce) == 32


def test_who_signed_is_known(messages: WalletMessages, database: Database) -> None:
    text = offer(messages)
    assert accept(messages, text) == KEY.address
    assert nonces(database) == 0


@pytest.mark.parametrize("address", ["", "0x12", KEY.address[2:], KEY.address.swapcase(), "0xäöü"])
def test_no_message_for_what_is_no_address(messages: WalletMessages, address: str) -> None:
    with pytest.raises(MessageRefused, match="no address"):
        messages.offer(SIGN_IN, PLACE, address, BROWSER)


def test_a_replayed_message_is_refused(messages: WalletMessages) -> None:
    text = offer(messages)
    accept(messages, text)
    for _ in range(2):
        with pytest.raises(MessageRefused, match="used before"):
            accept(messages, text)


def test_of_two_requests_that_race_one_is_let_in(
    messages: WalletMessages, database: Database
) -> None:
    text = offer(messages)
    signature, together = sign(text), Barrier(4)

    def attempt() -> bool:
        together.wait(timeout=60)
        try:
            return accept(messages, text, signature) == KEY.address
        except MessageRefused:
            return False

    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(attempt) for _ in range(4)]
        assert sorted(one.result() for one in tries) == [False, False, False, True]


# What of the message is altered, then signed by the right key all the same; the reason given.
ALTERED = {
    "another domain": ({"domain": "evil.example"}, "for evil.example, not for 127.0.0.1:8000"),
    "another port": ({"domain": "127.0.0.1:8001"}, "for 127.0.0.1:8001"),
    "another name of this host": ({"domain": "localhost:8000"}, "for localhost:8000"),
    "a name before the domain": ({"domain": "me@127.0.0.1:8000"}, "not for"),
    "another scheme": ({"scheme": "https"}, "not for"),
    "another chain": ({"chain_id": 1}, "for chain 1, this federation's is 1337"),
    "another nonce": ({"nonce": "0123456789abcdef"}, "not given out here"),
    "the nonce in capitals": ({"nonce": "ABCDEF0123456789ABCDEF0123456789"}, "not given out"),
    "another page": ({"uri": "http://127.0.0.1:8000/wallet"}, "something else"),
    "another site's page": ({"uri": "http://evil.example/sign-in"}, "something else"),
    "another sentence": ({"statement": "Give me everything"}, "something else"),
    "no sentence": ({"statement": None}, "something else"),
    "a request's name": ({"request_id": "1"}, "something else"),
    "resources": ({"resources": ("ipfs:1",)}, "something else"),
    "no resources, but their title": ({"resources": ()}, "something else"),
    "no expiry": ({"expiration_time": None}, "has expired"),
    "another address": ({"address": OTHER.address}, "Another key"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_message_is_refused_with_the_reason(messages: WalletMessages, name: str) -> None:
    fields, reason = ALTERED[name]
    text = str(replace(parse(offer(messages)), **fields))
    with pytest.raises(MessageRefused, match=reason):
        accept(messages, text)


@pytest.mark.parametrize(
    ("issued", "expires"),
    [(-301, -1), (-300, 0), (3600, 3900), (-100, 201), (-3600, 86_400), (-1, -2)],
)
def test_a_message_of_another_time_is_refused(
    messages: WalletMessages, issued: int, expires: int
) -> None:
    given_out = parse(offer(messages))
    moment = given_out.issued_at
    message = replace(
        given_out,
        issued_at=moment + timedelta(seconds=issued),
        expiration_time=moment + timedelta(seconds=expires),
    )
    with pytest.raises(MessageRefused, match="has expired"):
        accept(messages, str(message))


def test_a_message_for_later_is_refused(messages: WalletMessages) -> None:
    message = parse(offer(messages))
    later = replace(message, not_before=message.issued_at + timedelta(hours=1))
    with pytest.raises(MessageRefused, match="not valid yet"):
        accept(messages, str(later))


def test_an_expired_nonce_is_refused_and_cleaned_up(
    messages: WalletMessages, database: Database
) -> None:
    text = offer(messages)
    with database.transaction() as session:
        session.execute(update(WalletNonceRow).values(expires_at=now() - LIFETIME))
    # The message still claims to be good: the row decides as well.
    with pytest.raises(MessageRefused, match="not given out"):
        accept(messages, text)
    assert nonces(database) == 1
    offer(messages)
    assert nonces(database) == 1


def test_a_message_for_linking_signs_nobody_in(messages: WalletMessages) -> None:
    text = offer(messages, LINK)
    with pytest.raises(MessageRefused, match="something else"):
        accept(messages, text)
    disguised = replace(parse(text), uri=PLACE.uri(SIGN_IN), statement=SIGN_IN.statement)
    with pytest.raises(MessageRefused, match="not given out"):
        accept(messages, str(disguised))
    assert messages.accept(LINK, PLACE, text, sign(text), BROWSER) == KEY.address


@pytest.mark.parametrize("browser", ["", "the secret of another browser"])
def test_a_message_counts_in_the_browser_that_asked(messages: WalletMessages, browser: str) -> None:
    text = offer(messages)
    with pytest.raises(MessageRefused, match="not given out"):
        messages.accept(SIGN_IN, PLACE, text, sign(text), browser)
    assert accept(messages, text) == KEY.address


def test_a_message_signed_by_another_key_is_refused(messages: WalletMessages) -> None:
    text = offer(messages)
    with pytest.raises(MessageRefused, match="Another key"):
        accept(messages, text, sign(text, OTHER))


def malformed(signature: str) -> dict[str, str]:
    high = ORDER - int(signature[66:130], 16)
    other_recovery = {"1b": "1c", "1c": "1b"}[signature[130:]]
    return {
        "nothing": "0x",
        "no prefix": signature[2:],
        "too short": signature[:-2],
        "too long": signature + "00",
        "no hexadecimal": "0x" + "g" * 130,
        "zeros": "0x" + "0" * 130,
        "beyond the order": "0x" + "f" * 128 + "1b",
        "unknown recovery": signature[:-2] + "1d",
        "other recovery": signature[:-2] + other_recovery,
        "the second form of the same": f"{signature[:66]}{high:064x}{other_recovery}",
        "spaces around it": f" {signature} ",
    }


@pytest.mark.parametrize("name", malformed(sign("any")))
def test_what_is_no_signature_is_refused(messages: WalletMessages, name: str) -> None:
    text = offer(messages)
    with pytest.raises(MessageRefused, match="Another key"):
        accept(messages, text, malformed(sign(text))[name])


def test_a_hardware_wallets_recovery_number_is_known(messages: WalletMessages) -> None:
    text = offer(messages)
    signature = sign(text)
    assert accept(messages, text, signature[:-2] + f"{int(signature[-2:], 16) - 27:02x}")


@pytest.mark.parametrize("text", ["", "Sign in, please", "0x", "a" * 3000, "\ud800"])
def test_a_malformed_text_is_refused(messages: WalletMessages, text: str) -> None:
    with pytest.raises(MessageRefused, match="no sign-in message"):
        messages.accept(SIGN_IN, PLACE, text, sign("any"), BROWSER)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[WalletMessages, str, str]:
    """A message that was given out, and its signature."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('messages') / 'test.db'}")
    database.migrate()
    messages = WalletMessages(database)
    text = offer(messages)
    return messages, text, sign(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_altered_character_is_refused(
    signed: tuple[WalletMessages, str, str], data: st.DataObject
) -> None:
    messages, text, signature = signed
    at = data.draw(st.integers(0, len(text) - 1))
    # Mostly what the grammar allows in the same place, so that the signature has to tell.
    near = st.sampled_from("0123456789abcdefABCDEF.: ") | st.characters()
    other = data.draw(near.filter(lambda one: one != text[at]))
    with pytest.raises(MessageRefused):
        accept(messages, text[:at] + other + text[at + 1 :], signature)
    in_signature = data.draw(st.integers(2, len(signature) - 1))
    digit = data.draw(st.sampled_from("0123456789abcdef").filter(signature[in_signature].__ne__))
    with pytest.raises(MessageRefused):
        accept(messages, text, signature[:in_signature] + digit + signature[in_signature + 1 :])
