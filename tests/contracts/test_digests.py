"""Python's digests are the contract's, and stay what they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.chain import ChainEndpoint
from contracts.digests import ZERO_HASH
from contracts.ledger import (
    AgreedSet,
    AttemptKey,
    AttemptState,
    Dispute,
    SubmissionRecord,
    Verdict,
    challenge_digest,
    nonce_commitment,
    set_digest,
    submissions_root,
)
from contracts.records import Figure
from tests.contracts.parties import Federation, digest, refusal

HASHES = st.binary(min_size=32, max_size=32).filter(any)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda value: "0x" + value.hex())
OCTETS = st.integers(0, 255)
FIGURES = st.builds(Figure, ADDRESSES, OCTETS, OCTETS, OCTETS)
SETS = st.lists(st.tuples(ADDRESSES, st.integers(0, 2**64 - 1)), max_size=5).flatmap(
    lambda pairs: st.builds(
        AgreedSet,
        submissions_root=HASHES,
        opens=st.booleans(),
        accepted=st.just(tuple(account for account, _ in pairs)),
        weights=st.just(tuple(weight for _, weight in pairs)),
        refused=st.lists(ADDRESSES, max_size=3).map(tuple),
        left_out=st.lists(ADDRESSES, max_size=3).map(tuple),
        disputes=st.lists(st.builds(Dispute, ADDRESSES, ADDRESSES), max_size=3).map(tuple),
        rejected=st.lists(ADDRESSES, max_size=3).map(tuple),
        review=HASHES,
        figures=st.lists(FIGURES, max_size=3).map(tuple),
        flagged=st.lists(ADDRESSES, max_size=3).map(tuple),
        norm_bound=st.integers(0, 2**64 - 1),
        reason=st.text(max_size=200),
    )
)
KEY = AttemptKey(digest("training"), 3, 2)
ACCOUNTS = tuple("0x" + f"{i:040x}" for i in range(1, 5))
AGREED = AgreedSet(
    digest("root"),
    True,
    ACCOUNTS[:3],
    (10, 20, 30),
    (ACCOUNTS[3],),
    (ACCOUNTS[0],),
    (Dispute(ACCOUNTS[3], ACCOUNTS[0]),),
    "why",
    rejected=(ACCOUNTS[1],),
    review=digest("opened"),
    figures=(Figure(ACCOUNTS[0], 16, 15, 3),),
    flagged=(ACCOUNTS[2],),
    norm_bound=98_304,
)


@pytest.fixture(scope="module")
def agreeing(embedded_chain: ChainEndpoint) -> Iterator[Federation]:
    """Return a federation whose attempt waits for the publication of a set nobody knows."""
    federation = Federation(embedded_chain.url)
    federation.register()
    federation.open_training()
    federation.advance(federation.key(), AttemptState.CHECKING)
    for node in federation.nodes:
        node.agree(federation.key(), digest("a set that nobody knows"), True)
    yield federation
    federation.close()


@pytest.mark.slow
@given(agreed=SETS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_contract_computes_the_same_digest_of_a_set(
    agreeing: Federation, agreed: AgreedSet
) -> None:
    # The refusal tells what the contract computed.
    problem = refusal(agreeing.stranger.publish_set, agreeing.key(), agreed)
    assert problem.reason == "WrongSet"
    assert problem.details["actual"] == set_digest(agreeing.key(), agreed)


@pytest.mark.slow
@given(
    roots=st.lists(st.tuples(HASHES, HASHES), min_size=3, max_size=3),
    samples=st.lists(st.integers(1, 2**32 - 1), min_size=3, max_size=3),
    nonces=st.lists(st.none() | HASHES, min_size=4, max_size=4).filter(
        lambda nonces: nonces.count(None) <= 1
    ),
)
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
def test_contract_computes_the_same_root_and_challenge(
    embedded_chain: ChainEndpoint,
    roots: list[tuple[bytes, bytes]],
    samples: list[int],
    nonces: list[bytes | None],
) -> None:
    federation = Federation(embedded_chain.url)
    federation.register()
    federation.open_training()
    key = federation.key()
    federation.advance(key, AttemptState.OPENED)
    for node, nonce in zip(federation.nodes, nonces, strict=True):
        value = nonce or digest("never revealed")
        node.join(key, nonce_commitment(key, node.account, value), b"\4" + bytes(64))
    federation.coordinator.call_for_submissions(key)
    records = []
    for hospital, (root, update), count in zip(federation.hospitals, roots, samples, strict=False):
        hospital.submit(key, root, update, count)
        record = SubmissionRecord(hospital.account, root, update, count, Verdict.NONE, 0)
        records.append(record)
    federation.coordinator.close_submissions(key)
    for node, nonce in zip(federation.nodes, nonces, strict=True):
        if nonce is not None:
            node.reveal(key, nonce)
    federation.coordinator.close_reveals(key)
    attempt = federation.coordinator.attempt(key)
    assert attempt.submissions_root == submissions_root(records)
    place = (federation.coordinator.chain_id, federation.coordinator.contract, key)
    assert attempt.challenge == challenge_digest(*place, attempt.submissions_root, nonces)
    federation.close()


def test_digests_are_frozen() -> None:
    record = SubmissionRecord(ACCOUNTS[0], digest("r"), digest("u"), 242, Verdict.NONE, 0)
    nonces = [digest("n"), None, digest("m")]
    assert {
        "set": set_digest(KEY, AGREED).hex(),
        "nonce": nonce_commitment(KEY, ACCOUNTS[1], digest("n")).hex(),
        "root": submissions_root([record, record]).hex(),
        "challenge": challenge_digest(1337, ACCOUNTS[2], KEY, digest("root"), nonces).hex(),
    } == {
        "set": "798fcdacc49b9fc640f4e14b045306ab6ad491829c6a5d518091b9aca344dbea",
        "nonce": "36512a44b0a398c24ae8a4a7e3ef8d30340b032adfefa7286f58035f8ae4da94",
        "root": "f6e42a204618fecf3addfcf2ee705d6ef2ac8f9c58210ec8f5c9c677cc53ea03",
        "challenge": "f6aeda4c1db0299587b9b1348d3a04983a1dcb4784f93909fed87c5f476f922f",
    }


def test_root_of_nothing_is_zero() -> None:
    assert submissions_root([]) == ZERO_HASH


@pytest.mark.parametrize(
    "changes",
    [
        {"submissions_root": b"short"},
        {"weights": (1, 2)},
        {"reason": "é" * 513},
    ],
)
def test_set_that_could_not_be_published_is_not_made(changes: dict[str, object]) -> None:
    fields = {
        "submissions_root": digest("root"),
        "opens": True,
        "accepted": ACCOUNTS[:3],
        "weights": (1, 2, 3),
    }
    with pytest.raises(ValueError, match="expected"):
        AgreedSet(**{**fields, **changes})


@pytest.mark.parametrize(
    ("training", "round_number", "attempt"),
    [(b"x" * 31, 0, 1), (bytes(32), -1, 1), (bytes(32), 0, 0), (bytes(32), 2**32, 1)],
)
def test_key_of_an_attempt_is_checked(training: bytes, round_number: int, attempt: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        AttemptKey(training, round_number, attempt)
