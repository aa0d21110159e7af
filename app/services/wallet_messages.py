"""Messages for wallets to sign: what they must say to count here, once, and who signed them.

The server writes each message and checks it again when it comes back, from the message itself: a
text that a browser sends is never taken for the one that it was given.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from eth_account.messages import encode_defunct
from eth_utils.address import is_address, to_checksum_address
from sqlalchemy import CursorResult, delete

from app.database import Database
from app.errors import MessageRefused
from app.models import WalletNonceRow
from app.models.base import now
from app.services.sign_in_message import MessageMalformed, SignInMessage, parse
from contracts.signatures import find_wallet

LIFETIME: Final = timedelta(minutes=5)

_AGAIN: Final = "Start again from the page."


@dataclass(frozen=True)
class Purpose:
    """What a signature is for. The person reads `statement` in the wallet; `path` ends the URI."""

    name: str
    path: str
    statement: str


SIGN_IN: Final = Purpose("sign-in", "/sign-in", "Sign in to Consilium. This costs nothing.")
LINK: Final = Purpose(
    "link", "/wallet", "Link this wallet to my Consilium account. This costs nothing."
)


@dataclass(frozen=True)
class Place:
    """Where a message counts: the address that the browser shows, and the installation's chain."""

    scheme: str
    domain: str
    chain_id: int

    def uri(self, purpose: Purpose) -> str:
        """The page that the signature is for."""
        return f"{self.scheme}://{self.domain}{purpose.path}"


class WalletMessages:
    """Gives messages out and takes them back signed; the nonces are in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def offer(self, purpose: Purpose, place: Place, address: str, browser: str) -> str:
        """A message for this address, good for LIFETIME and once.

        `browser` is a secret of the browser's session. Raises MessageRefused for a malformed
        address.
        """
        if not is_address(address) or not address.startswith("0x"):
            raise MessageRefused(f"The wallet gave no address of an Ethereum account. {_AGAIN}")
        nonce, moment = secrets.token_hex(16), now().replace(microsecond=0)
        row = WalletNonceRow(
            nonce_sha256=_digest(nonce),
            purpose=purpose.name,
            browser_sha256=_digest(browser),
            expires_at=moment + LIFETIME,
        )
        with self._database.transaction() as session:
            session.execute(delete(WalletNonceRow).where(WalletNonceRow.expires_at <= moment))
            session.add(row)
        issued = moment.replace(tzinfo=UTC)
        message = SignInMessage(
            domain=place.domain,
            address=to_checksum_address(address),
            statement=purpose.statement,
            uri=place.uri(purpose),
            chain_id=place.chain_id,
            nonce=nonce,
            issued_at=issued,
            expiration_time=issued + LIFETIME,
        )
        return str(message)

    def accept(
        self, purpose: Purpose, place: Place, text: str, signature: str, browser: str
    ) -> str:
        """The address that signed; the message is used up by it.

        Raises MessageRefused for a text that is malformed, expired, for another purpose or place,
        not signed by the address in it, was not given to this browser, or was used before.
        """
        try:
            message = parse(text)
        except MessageMalformed as error:
            raise MessageRefused(
                f"The signed text is no sign-in message (EIP-4361). {_AGAIN}"
            ) from error
        _require_place(message, purpose, place)
        _require_time(message, datetime.now(UTC))
        if _signer(text, signature) != message.address:
            raise MessageRefused(
                "Another key signed the message than that of the address in it. Choose the same "
                "account in the wallet and start again."
            )
        self._use(purpose, message.nonce, browser)
        return message.address

    def _use(self, purpose: Purpose, nonce: str, browser: str) -> None:
        """Delete the nonce. Of two requests that race, the database lets one delete it."""
        statement = (
            delete(WalletNonceRow)
            .where(WalletNonceRow.nonce_sha256 == _digest(nonce))
            .where(WalletNonceRow.purpose == purpose.name)
            .where(WalletNonceRow.browser_sha256 == _digest(browser))
            .where(WalletNonceRow.expires_at > now())
        )
        with self._database.transaction() as session:
            deleted = cast(CursorResult[object], session.execute(statement)).rowcount
        if deleted != 1:
            raise MessageRefused(f"This message was used before, or not given out here. {_AGAIN}")


def _require_place(message: SignInMessage, purpose: Purpose, place: Place) -> None:
    if message.domain != place.domain or message.scheme not in (None, place.scheme):
        raise MessageRefused(
            f"The message is for {message.domain}, not for {place.domain}. If you were asked to "
            "sign it elsewhere, somebody tried to get in as you."
        )
    if message.chain_id != place.chain_id:
        raise MessageRefused(
            f"The message is for chain {message.chain_id}, this federation's is "
            f"{place.chain_id}. {_AGAIN}"
        )
    said = (message.uri, message.statement, message.request_id, message.resources)
    if said != (place.uri(purpose), purpose.statement, None, None):
        raise MessageRefused(f"The message says something else than was asked. {_AGAIN}")


def _require_time(message: SignInMessage, moment: datetime) -> None:
    issued, expires = message.issued_at, message.expiration_time
    if expires is None or not issued <= moment < expires or expires - issued > LIFETIME:
        raise MessageRefused(
            f"The message has expired: it is good for {LIFETIME.seconds // 60} minutes. {_AGAIN}"
        )
    if message.not_before is not None and moment < message.not_before:
        raise MessageRefused(f"The message is not valid yet. {_AGAIN}")


def _signer(text: str, signature: str) -> str | None:
    """Who signed the text (EIP-191); None where the signature is none, or a second form of one."""
    try:
        signed = encode_defunct(text=text)
    except ValueError:
        return None
    return find_wallet(signed, signature)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
