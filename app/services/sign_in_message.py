"""The message that a wallet signs: EIP-4361, "Sign-In with Ethereum", read strictly and written.

A text is read by the EIP's grammar and by nothing more lenient: order, line ends and spaces are
those of the grammar, names are case-sensitive, nothing may precede or follow. Beyond the grammar
the address must carry EIP-55's checksum. Whether a message is meant for this server, and who
signed it, is `app.services.wallet_messages`' to decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from eth_utils.address import to_checksum_address

VERSION: Final = "1"
# Ours has some 400 characters; what is read is bounded before it is read.
LONGEST: Final = 2000

# RFC 3986, from its appendix A.
_UNRESERVED = r"A-Za-z0-9\-._~"
_SUB_DELIMS = r"!$&'()*+,;="
_ESCAPE = r"%[0-9A-Fa-f]{2}"
_PCHAR = rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:@]|{_ESCAPE})"
_USERINFO = rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:]|{_ESCAPE})*"
_REG_NAME = rf"(?:[{_UNRESERVED}{_SUB_DELIMS}]|{_ESCAPE})*"
_IP_LITERAL = rf"\[(?:[0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[{_UNRESERVED}{_SUB_DELIMS}:]+)\]"
_AUTHORITY = rf"(?:{_USERINFO}@)?(?:{_IP_LITERAL}|{_REG_NAME})(?::[0-9]*)?"
_SCHEME = r"[A-Za-z][A-Za-z0-9+\-.]*"
_HIER_PART = (
    rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*"  # authority path-abempty
    rf"|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"  # path-absolute
    rf"|(?:{_PCHAR}+(?:/{_PCHAR}*)*)?)"  # path-rootless, path-empty
)
_URI = rf"{_SCHEME}:{_HIER_PART}(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
# RFC 3339, 5.6; which days and hours there are is seen when it is read.
_MOMENT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+\-][0-9]{2}:[0-9]{2})"
)
_STATEMENT = rf"[{_UNRESERVED}:/?#\[\]@{_SUB_DELIMS} ]+"

_MESSAGE: Final = re.compile(
    rf"(?:(?P<scheme>{_SCHEME})://)?"
    rf"(?P<domain>{_AUTHORITY}) wants you to sign in with your Ethereum account:\n"
    rf"(?P<address>0x[0-9A-Fa-f]{{40}})\n"
    rf"\n"
    rf"(?:(?P<statement>{_STATEMENT})\n)?"
    rf"\n"
    rf"URI: (?P<uri>{_URI})\n"
    rf"Version: {VERSION}\n"
    rf"Chain ID: (?P<chain_id>[0-9]+)\n"
    rf"Nonce: (?P<nonce>[A-Za-z0-9]{{8,}})\n"
    rf"Issued At: (?P<issued_at>{_MOMENT})"
    rf"(?:\nExpiration Time: (?P<expiration_time>{_MOMENT}))?"
    rf"(?:\nNot Before: (?P<not_before>{_MOMENT}))?"
    rf"(?:\nRequest ID: (?P<request_id>{_PCHAR}*))?"
    rf"(?:\nResources:(?P<resources>(?:\n- {_URI})*))?"
)
_LITERAL: Final = re.compile(r"(?:^|//|@)\[([0-9A-Fa-f:.]+)\]")


class MessageMalformed(ValueError):
    """The text is no EIP-4361 message."""


@dataclass(frozen=True)
class SignInMessage:
    """A message's fields under the EIP's names; None is one that is absent. Times have a zone."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    scheme: str | None = None
    statement: str | None = None
    expiration_time: datetime | None = None
    not_before: datetime | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """The text to sign. Only fields that the grammar allows give one that can be read again."""
        scheme = "" if self.scheme is None else f"{self.scheme}://"
        lines = [
            f"{scheme}{self.domain} wants you to sign in with your Ethereum account:",
            self.address,
            "",
            *([] if self.statement is None else [self.statement]),
            "",
            f"URI: {self.uri}",
            f"Version: {VERSION}",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {_written(self.issued_at)}",
        ]
        if self.expiration_time is not None:
            lines.append(f"Expiration Time: {_written(self.expiration_time)}")
        if self.not_before is not None:
            lines.append(f"Not Before: {_written(self.not_before)}")
        if self.request_id is not None:
            lines.append(f"Request ID: {self.request_id}")
        if self.resources is not None:
            lines += ["Resources:", *(f"- {one}" for one in self.resources)]
        return "\n".join(lines)


def parse(text: str) -> SignInMessage:
    """The fields of a message. Raises MessageMalformed for anything but an EIP-4361 message."""
    if len(text) > LONGEST:
        raise MessageMalformed(f"expected at most {LONGEST} characters, got {len(text)}")
    found = _MESSAGE.fullmatch(text)
    if found is None:
        raise MessageMalformed("expected the form of EIP-4361")
    resources = found["resources"]
    listed = None if resources is None else tuple(resources.split("\n- ")[1:])
    for place in (found["domain"], found["uri"], *(listed or ())):
        _require_address_literal(place)
    return SignInMessage(
        domain=_required_host(found["domain"]),
        address=_checksummed(found["address"]),
        uri=found["uri"],
        chain_id=int(found["chain_id"]),
        nonce=found["nonce"],
        issued_at=_moment(found["issued_at"]),
        scheme=found["scheme"],
        statement=found["statement"],
        expiration_time=_optional_moment(found["expiration_time"]),
        not_before=_optional_moment(found["not_before"]),
        request_id=found["request_id"],
        resources=listed,
    )


def _written(at: datetime) -> str:
    """RFC 3339 in UTC, with as many digits as there are."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _optional_moment(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        # A leap second is refused, too: Python has no moment for it.
        raise MessageMalformed(f"expected a moment of RFC 3339, got {text}") from error


def _checksummed(address: str) -> str:
    if to_checksum_address(address) != address:
        raise MessageMalformed(f"expected an address with EIP-55's checksum, got {address}")
    return address


def _required_host(domain: str) -> str:
    """The grammar lets a host be empty; a message for no host is for nobody."""
    host = domain.rpartition("@")[2]
    if not host or host.startswith(":"):
        raise MessageMalformed("expected a domain with a host")
    return domain


def _require_address_literal(place: str) -> None:
    for literal in _LITERAL.findall(place):
        try:
            IPv6Address(literal)
        except AddressValueError as error:
            raise MessageMalformed(f"expected an IPv6 address, got [{literal}]") from error
