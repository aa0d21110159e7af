"""A hospital does not follow the protocol: it is refused and named, the others' round finishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from contracts.records import AttemptKey, Verdict
from crypto.digest import merkle_root, share_digest
from crypto.envelope import PublicKey, load_public_key, new_private_key, seal
from crypto.field import F61
from crypto.fixedpoint import Integers
from fl import hospital as hospital_module
from fl.dealing import Dealing
from fl.errors import NonFiniteError
from fl.hospital import Hospital
from fl.messages import SHARE, Submission, pack, unpack
from fl.party import attempt_place
from fl.training import LocalUpdate
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Fault, Place, Recorder, Saboteur, alters, says
from tests.fl.protocol.federation import HOSPITALS, NODES, Federation, attempt_key

pytestmark = pytest.mark.slow

CULPRIT = "Switzerland"
# Rounds, each with another fault; the statistics' round is honest.
FIRST, SECOND, THIRD = 1, 2, 3


class Dealer(Hospital):
    """Shares as `change` wants it: a commitment that fits, to shares that do not fit each other."""

    def _deal(self, key: AttemptKey, update: Integers, seed: bytes) -> Dealing:
        dealing = super()._deal(key, update, seed)
        return self.change(key, dealing)

    def change(self, key: AttemptKey, dealing: Dealing) -> Dealing:
        return dealing

    def recommit(self, key: AttemptKey, dealing: Dealing, plain: dict[str, bytes]) -> Dealing:
        """Commit anew, to these bytes as the nodes' shares."""
        digests = tuple(
            share_digest(self.context(key), self.name, node, dealing.salts[node], plain[node])
            for node in dealing.shares
        )
        return replace(dealing, digests=digests, share_root=merkle_root(digests))


class Inconsistent(Dealer):
    """Node 2 (round 1), nodes 2 and 4 (round 2), or all by different amounts (round 3) are off."""

    OFF: ClassVar = {FIRST: ("Node 2",), SECOND: ("Node 2", "Node 4"), THIRD: NODES}

    def change(self, key: AttemptKey, dealing: Dealing) -> Dealing:
        shares = {node: share.copy() for node, share in dealing.shares.items()}
        for node in self.OFF.get(key.round, ()):
            offset = np.array([self.plan.points[node] ** 2], dtype=np.uint64)
            shares[node][5:6] = F61.add(shares[node][5:6], offset)
        changed = replace(dealing, shares=shares)
        return self.recommit(key, changed, {n: F61.to_bytes(s) for n, s in shares.items()})


class WrongDigest(Dealer):
    """Node 2's share lies on the polynomial, but its digest commits to another one."""

    def change(self, key: AttemptKey, dealing: Dealing) -> Dealing:
        plain = {node: F61.to_bytes(share) for node, share in dealing.shares.items()}
        other = F61.add(dealing.shares["Node 2"], np.ones_like(dealing.shares["Node 2"]))
        plain["Node 2"] = F61.to_bytes(other)
        return self.recommit(key, dealing, plain) if key.round else dealing


class SealsBytes(Dealer):
    """Seals to node 2 what is no share, with a digest that fits: words beyond p, or too few."""

    PLAIN: ClassVar = {FIRST: b"\xff" * 8, SECOND: b"\x00" * 7, THIRD: b"\x00" * 16}

    def change(self, key: AttemptKey, dealing: Dealing) -> Dealing:
        plain = {n: F61.to_bytes(s) for n, s in dealing.shares.items()}
        plain["Node 2"] = self.PLAIN.get(key.round, plain["Node 2"])
        return self.recommit(key, dealing, plain)

    def _deal_and_seal(self, key: AttemptKey, update: Integers) -> bytes:
        seed, submission = unpack(super()._deal_and_seal(key, update), bytes, bytes)
        if key.round not in self.PLAIN:
            return pack(seed, submission)
        salt = self._deal(key, update, seed).salts["Node 2"]
        keys = {n: load_public_key(k) for n, k in self._joined(key).items()}
        plain = salt + self.PLAIN[key.round]
        return pack(seed, self.reseal(key, submission, "Node 2", keys["Node 2"], plain))

    def reseal(
        self, key: AttemptKey, submission: bytes, receiver: str, sealed_to: PublicKey, plain: bytes
    ) -> bytes:
        """Put another envelope in node 2's place."""
        one = Submission.from_bytes(submission)
        envelope = seal(
            self.context(key), SHARE, self.name, self._key, receiver, sealed_to, plain
        ).to_bytes()
        envelopes = (one.envelopes[0], envelope, *one.envelopes[2:])
        return replace(one, envelopes=envelopes).to_bytes()


def run_with(federate: Federate, kind: type[Hospital], rounds: int = 1) -> Federation:
    federation = federate(rounds=rounds, faulty={CULPRIT: kind})
    ending = federation.run()
    assert ending.finished, ending.reason
    return federation


def check_refused(federation: Federation, number: int) -> None:
    """The hospital's submission stands on the ledger, refused."""
    federation.check_round(number, CULPRIT, out=(CULPRIT,))
    account = federation.plan.hospital(CULPRIT).account
    record = federation.ledger.find_submission(attempt_key(number), account)
    assert record is not None
    assert (record.verdict, record.weight) == (Verdict.REFUSED, 0)


def test_an_inconsistent_dealer_is_refused(federate: Federate) -> None:
    federation = run_with(federate, Inconsistent, rounds=3)
    for number in (FIRST, SECOND, THIRD):
        check_refused(federation, number)
    # One wrong share is located, and the pair is on record; more cannot be, and accuse nobody.
    assert federation.disputes() == {(CULPRIT, "Node 2")}


def test_a_share_that_does_not_match_its_digest_is_disputed(federate: Federate) -> None:
    federation = run_with(federate, WrongDigest)
    check_refused(federation, 1)
    assert federation.disputes() == {(CULPRIT, "Node 2")}


def test_bytes_that_are_no_share_are_disputed(federate: Federate) -> None:
    federation = run_with(federate, SealsBytes, rounds=3)
    for number in (FIRST, SECOND, THIRD):
        check_refused(federation, number)
    pairs = [(e["hospital"], e["node"]) for e in federation.events_named("Disputed")]
    plan = federation.plan
    assert pairs == [(plan.hospital(CULPRIT).account, plan.node("Node 2").account)] * 3


class Misseals(SealsBytes):
    """Node 2's envelope is another node's (round 1), or opens under nobody's key (round 2)."""

    PLAIN: ClassVar = {}

    def _deal_and_seal(self, key: AttemptKey, update: Integers) -> bytes:
        seed, submission = unpack(super()._deal_and_seal(key, update), bytes, bytes)
        dealing = self._deal(key, update, seed)
        plain = dealing.salts["Node 2"] + F61.to_bytes(dealing.shares["Node 2"])
        keys = {n: load_public_key(k) for n, k in self._joined(key).items()}
        stranger = new_private_key().public_key()
        if key.round == FIRST:
            submission = self.reseal(key, submission, "Node 1", keys["Node 1"], plain)
        elif key.round == SECOND:
            submission = self.reseal(key, submission, "Node 2", stranger, plain)
        return pack(seed, submission)


def test_an_envelope_sealed_to_somebody_else_is_refused(federate: Federate) -> None:
    federation = run_with(federate, Misseals, rounds=2)
    for number in (FIRST, SECOND):
        check_refused(federation, number)
    # What was not for node 2 never reached it; what it signed for node 2 is its own doing.
    assert federation.disputes() == {(CULPRIT, "Node 2")}
    reasons = [reason for _, reason in federation.faults(attempt_key(1))[CULPRIT]]
    assert reasons == ["no envelope reached Node 2"]


class SubmitsForAnother(Hospital):
    """In round 1 submits to the ledger as Hungary."""

    def submit(self, key: AttemptKey, message: bytes) -> bytes:
        if key.round != 1:
            return super().submit(key, message)
        dealing, another = self.dealing(key), self.plan.hospital("Hungary").account
        receipt = self.ledger.submit(key, dealing.share_root, dealing.update_hash, 9, another)
        return pack(receipt.transaction)


@on_all_chains
def test_a_submission_in_another_hospital_s_name_is_refused(federate: Federate) -> None:
    """On the ledger by the contract, in a message by the coordinator."""

    def name_another(key: AttemptKey, honest: bytes) -> bytes:
        return replace(Submission.from_bytes(honest), hospital="Hungary").to_bytes()

    federation = federate(rounds=2, faulty={CULPRIT: SubmitsForAnother})
    places = {(2, CULPRIT, "share"): alters(name_another)}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    for number in (1, 2):
        federation.check_round(number, CULPRIT, out=(CULPRIT,))
    ((step, reason),) = federation.faults(attempt_key(1))[CULPRIT]
    assert step == "submit"
    assert "NotYourself" in reason
    named = federation.faults(attempt_key(2))[CULPRIT]
    assert named == [("share", f"expected a submission of {CULPRIT}, got another's")]


def test_a_node_takes_nobody_s_envelopes_for_another_s(federate: Federate) -> None:
    """A coordinator that lets a false submission through cannot hide the true one behind it."""
    federation = federate()

    def add_false_ones(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        (carried,) = unpack(message, list)
        true = [Submission.from_bytes(data) for data in carried]
        false = [replace(one, hospital=true[0].hospital).to_bytes() for one in true[1:]]
        return ask(pack([*carried, *false, b"noise", pack(1)]))

    places: dict[Place, Fault] = {(1, n, "receive"): add_false_ones for n in NODES}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    assert set(federation.accepted(attempt_key())) == set(HOSPITALS)
    assert federation.faults(attempt_key()) == {}


class Replays(Hospital):
    """In round 2 commits to, and sends, what it sent in round 1."""

    def share(self, key: AttemptKey, message: bytes) -> bytes:
        if key.round == 2:
            stored = self.store.get(f"{attempt_place(attempt_key(1))}/dealing") or b""
            self.store.record(f"{attempt_place(key)}/dealing", stored)
        return super().share(key, message)

    def dealing(self, key: AttemptKey) -> Dealing:
        return super().dealing(attempt_key(1) if key.round == 2 else key)


@on_all_chains
def test_a_replay_of_an_earlier_round_is_refused(federate: Federate) -> None:
    federation = run_with(federate, Replays, rounds=2)
    account = federation.plan.hospital(CULPRIT).account
    records = [federation.ledger.find_submission(attempt_key(n), account) for n in (1, 2)]
    assert records[0] is not None
    assert records[1] is not None
    assert records[0].share_root == records[1].share_root
    assert federation.faults(attempt_key(1)) == {}
    check_refused(federation, 2)


def test_garbage_of_a_hospital_troubles_nobody_else(federate: Federate) -> None:
    faults: list[tuple[str, Fault]] = [
        ("train", says(pack("many"))),
        ("share", says(b"\xff\x00noise")),
        ("share", says(pack(CULPRIT, [1], [2]))),
        ("submit", alters(lambda *_: b"noise")),
        ("adopt", alters(lambda *_: pack(CULPRIT, "report", b"", b""))),
    ]
    federation = federate(rounds=len(faults))
    places = {(n, CULPRIT, step): fault for n, (step, fault) in enumerate(faults, start=1)}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    for number, (step, _) in enumerate(faults, start=1):
        out = (CULPRIT,) if step in ("train", "share") else ()
        federation.check_round(number, CULPRIT, out=out)


def put(value: float) -> Callable[..., LocalUpdate]:
    """Return `local_update` with this value in the vector, as a fault of training might yield."""
    ordinary = hospital_module.local_update

    def local_update(*arguments: Any) -> LocalUpdate:
        update = ordinary(*arguments)
        update.delta[7] = value
        return update

    return local_update


def diverge(*_: Any) -> LocalUpdate:
    raise NonFiniteError("expected a finite update; got norm nan and loss nan")


def test_what_is_not_in_range_never_leaves_an_honest_hospital(
    federate: Federate, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        (put(np.nan), "RangeError", "expected finite values, got 1 NaN or infinite"),
        (put(-np.inf), "RangeError", "expected finite values, got 1 NaN or infinite"),
        (diverge, "NonFiniteError", "expected a finite update; got norm nan and loss nan"),
    ]

    def train_badly(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(hospital_module, "local_update", cases[key.round - 1][0])
            return ask(message)

    federation = federate(rounds=len(cases))
    recorder = Recorder(federation.engine())
    places: dict[Place, Fault] = {(n, CULPRIT, "train"): train_badly for n in range(1, 4)}
    assert federation.run(Saboteur(recorder, places)).finished
    for number, (_, kind, reason) in enumerate(cases, start=1):
        key = attempt_key(number)
        federation.check_round(number, CULPRIT, out=(CULPRIT,))
        assert federation.faults(key)[CULPRIT] == [("train", reason)]
        assert federation.kinds(key)[CULPRIT] == [kind]
        assert federation.parties[CULPRIT].store.get(f"{attempt_place(key)}/update") is None
        assert federation.ledger.attempt(key).submitted == 3
    shared = {p.key.round for p in recorder.passed if (p.party, p.question) == (CULPRIT, "share")}
    assert shared == {0}
