"""EIP-4361 messages: the EIP's own examples, what its grammar refuses, there and back again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from app.services.sign_in_message import LONGEST, MessageMalformed, SignInMessage, parse

ALNUM = "ABCXYZabcxyz0123456789"
UNRESERVED = ALNUM + "-._~"
PCHAR = UNRESERVED + "!$&'()*+,;=:@"

# The examples of the EIP, which differ in their first line.
EXAMPLE = """\
example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""
READ = SignInMessage(
    domain="example.com",
    address="0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    statement="I accept the ExampleOrg Terms of Service: https://example.com/tos",
    uri="https://example.com/login",
    chain_id=1,
    nonce="32891756",
    issued_at=datetime(2021, 9, 30, 16, 25, 24, tzinfo=UTC),
    resources=(
        "ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/",
        "https://example.com/my-web2-claim.json",
    ),
)


@pytest.mark.parametrize(
    ("first", "scheme", "domain"),
    [
        ("example.com", None, "example.com"),
        ("example.com:3388", None, "example.com:3388"),
        ("https://example.com", "https", "example.com"),
    ],
)
def test_the_examples_of_the_eip(first: str, scheme: str | None, domain: str) -> None:
    text = EXAMPLE.replace("example.com wants", f"{first} wants")
    message = replace(READ, scheme=scheme, domain=domain)
    assert parse(text) == message
    assert str(message) == text


def test_every_optional_field_in_its_place() -> None:
    text = """\
http://me@[2001:db8::7]:80 wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2


URI: urn:example:a%20b?c=d#e
Version: 1
Chain ID: 1337
Nonce: abcdEFGH
Issued At: 2021-09-30T18:25:24.125+02:00
Expiration Time: 2021-09-30T16:30:24Z
Not Before: 2021-09-30t16:25:24z
Request ID: a:b@c%2F
Resources:"""
    message = parse(text)
    assert (message.scheme, message.domain, message.uri, message.chain_id) == (
        "http",
        "me@[2001:db8::7]:80",
        "urn:example:a%20b?c=d#e",
        1337,
    )
    assert message.issued_at == datetime(2021, 9, 30, 16, 25, 24, 125_000, tzinfo=UTC)
    assert message.expiration_time == datetime(2021, 9, 30, 16, 30, 24, tzinfo=UTC)
    assert message.not_before == datetime(2021, 9, 30, 16, 25, 24, tzinfo=UTC)
    assert (message.statement, message.request_id, message.resources) == (None, "a:b@c%2F", ())


MALFORMED = {
    "nothing": (EXAMPLE, ""),
    "text before": (EXAMPLE, " " + EXAMPLE),
    "text after": (EXAMPLE, EXAMPLE + "\n"),
    "carriage returns": (EXAMPLE, EXAMPLE.replace("\n", "\r\n")),
    "no domain": ("example.com wants", " wants"),
    "host of nothing": ("example.com wants", "me@:80 wants"),
    "space in the domain": ("example.com wants", "example .com wants"),
    "path in the domain": ("example.com wants", "example.com/login wants"),
    "port of letters": ("example.com wants", "example.com:http wants"),
    "no IPv6 address": ("example.com wants", "[1:2] wants"),
    "another sentence": ("wants you to sign in", "wants you to log in"),
    "capital": ("wants you", "Wants you"),
    "address without checksum": ("0xC02aaA39", "0xc02aaa39"),
    "address with a wrong checksum": ("0xC02aaA39", "0xC02aaa39"),
    "address too short": ("C756Cc2\n", "C756Cc\n"),
    "address with spaces": ("0xC02", " 0xC02"),
    "statement in two lines": ("I accept", "I\naccept"),
    "statement with a letter beyond ASCII": ("I accept", "I accépt"),
    "statement with a quotation mark": ("I accept", 'I "accept"'),
    "no empty line": ("/tos\n\n", "/tos\n"),
    "an empty line more": ("/tos\n\n", "/tos\n\n\n"),
    "URI without scheme": ("URI: https://example.com/login", "URI: example.com"),
    "URI with a space": ("/login", "/log in"),
    "URI with half an escape": ("/login", "/%2"),
    "version 2": ("Version: 1", "Version: 2"),
    "no version": ("Version: 1\n", ""),
    "chain of letters": ("Chain ID: 1", "Chain ID: one"),
    "chain of other digits": ("Chain ID: 1", "Chain ID: ١"),
    "negative chain": ("Chain ID: 1", "Chain ID: -1"),
    "short nonce": ("32891756", "3289175"),
    "nonce with a hyphen": ("32891756", "3289-1756"),
    "no nonce": ("Nonce: 32891756\n", ""),
    "fields in another order": (
        "Chain ID: 1\nNonce: 32891756\n",
        "Nonce: 32891756\nChain ID: 1\n",
    ),
    "a field twice": ("Chain ID: 1\n", "Chain ID: 1\nChain ID: 1\n"),
    "two spaces": ("Nonce: ", "Nonce:  "),
    "no zone": ("16:25:24Z", "16:25:24"),
    "no such day": ("2021-09-30", "2021-09-31"),
    "no such hour": ("16:25:24Z", "25:25:24Z"),
    "no such zone": ("16:25:24Z", "16:25:24+99:99"),
    "before all years": ("2021-09-30T16:25:24Z", "0001-01-01T00:00:00+01:00"),
    "date of words": ("2021-09-30T16:25:24Z", "today"),
    "expiry before issue": ("Issued At: ", "Expiration Time: 2021-09-30T16:25:24Z\nIssued At: "),
    "resource that is no URI": ("- ipfs://", "- "),
    "resource without a hyphen": ("- ipfs", "ipfs"),
    "too long": ("I accept", "I accept" + " " * LONGEST),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_the_grammar_does_not_know_is_refused(name: str) -> None:
    old, new = MALFORMED[name]
    text = EXAMPLE.replace(old, new, 1)
    assert text != EXAMPLE
    with pytest.raises(MessageMalformed):
        parse(text)


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(MessageMalformed):
        parse(text)


moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001, the zone comes with `timezones`
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
)
paths = st.text(PCHAR + "/", max_size=20)
hosts = st.text(ALNUM + "-.", min_size=1, max_size=20)
messages = st.builds(
    SignInMessage,
    domain=st.builds(
        lambda host, port: host if port is None else f"{host}:{port}",
        hosts,
        st.none() | st.integers(0, 65535),
    ),
    address=st.binary(min_size=20, max_size=20).map(to_checksum_address),
    uri=st.builds(lambda host, path: f"https://{host}/{path}", hosts, paths),
    chain_id=st.integers(0, 2**64),
    nonce=st.text(ALNUM, min_size=8, max_size=40),
    issued_at=moments,
    scheme=st.none() | st.sampled_from(["http", "https", "a+b-c.d"]),
    statement=st.none() | st.text(UNRESERVED + ":/?#[]@!$&'()*+,;= ", min_size=1, max_size=60),
    expiration_time=st.none() | moments,
    not_before=st.none() | moments,
    request_id=st.none() | st.text(PCHAR, max_size=20),
    resources=st.none()
    | st.lists(st.builds(lambda path: f"ipfs:{path}", st.text(PCHAR, max_size=20)), max_size=4).map(
        tuple
    ),
)


@given(messages)
def test_what_is_written_is_read_again(message: SignInMessage) -> None:
    assert parse(str(message)) == message


@given(messages, st.data())
def test_no_line_may_be_missing_but_the_optional_ones(
    message: SignInMessage, data: st.DataObject
) -> None:
    lines = str(message).split("\n")
    optional = ("Expiration Time: ", "Not Before: ", "Request ID: ", "- ")
    required = [
        number
        for number, line in enumerate(lines)
        if line != message.statement
        and not line.startswith(optional)
        and not (line == "Resources:" and not message.resources)
    ]
    gone = data.draw(st.sampled_from(required))
    with pytest.raises(MessageMalformed):
        parse("\n".join(lines[:gone] + lines[gone + 1 :]))
