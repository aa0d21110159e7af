"""One of four nodes does not follow the protocol: the round finishes and the node is named.

Each test runs one training with another fault in every round, so that it also shows that what
happened in a round does not trouble the next.
"""

from __future__ import annotations

import pytest

from contracts.records import AttemptKey, Standing
from crypto.envelope import new_private_key
from crypto.field import F61
from crypto.vss import DISPUTED, MISSING, Answer
from fl.messages import (
    ANSWERS,
    OUTCOME,
    SET,
    SUM,
    Statement,
    pack,
    pack_answers,
    unpack,
    unpack_answers,
)
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Fault, Saboteur, alters, crash, crash_after, says
from tests.fl.protocol.federation import HOSPITALS, TRAINING, Federation, attempt_key

CULPRIT = "Node 3"
STEPS = ("join", "receive", "reveal", "answer", "judge", "release", "vote", "serve", "erase")
SIGNED = ("answer", "judge", "release", "vote")
NOISE = bytes.fromhex("b1f7c4ff00d2a9683c1e5b7a94e6d3028f")
OTHER = bytes(range(1, 33))
NO_TRANSACTION = "0x" + "00" * 32


def run_with(federate: Federate, faults: list[tuple[str, Fault]]) -> Federation:
    """Run a training in whose round r the culprit does faults[r]."""
    federation = federate(rounds=len(faults) - 1)
    places = {(number, CULPRIT, step): fault for number, (step, fault) in enumerate(faults)}
    ending = federation.run(Saboteur(federation.engine(), places))
    assert ending.finished, ending.reason
    return federation


@pytest.mark.slow
@pytest.mark.parametrize("fault", [crash, crash_after])
def test_a_node_that_crashes_at_a_step_is_named(federate: Federate, fault: Fault) -> None:
    federation = run_with(federate, [(step, fault) for step in STEPS])
    for number in range(len(STEPS)):
        federation.check_round(number, CULPRIT)
    standings = [federation.standings(attempt_key(n)).get(CULPRIT) for n in range(4)]
    if fault is crash:
        # Without its envelopes it can no more take part than without its answers.
        left_out = Standing.LEFT_OUT
        assert standings == [None, left_out, Standing.WITHHELD, left_out]


@pytest.mark.slow
def test_a_node_that_is_never_there_is_named_in_every_round(federate: Federate) -> None:
    federation = federate()
    steps = (*STEPS, "keep")
    engine = Saboteur(
        federation.engine(), {(n, CULPRIT, step): crash for n in range(2) for step in steps}
    )
    assert federation.run(engine).finished
    for number in range(2):
        federation.check_round(number, CULPRIT)


@pytest.mark.slow
def test_a_node_that_answers_noise_at_a_step_is_named(federate: Federate) -> None:
    federation = run_with(federate, [(step, says(NOISE)) for step in SIGNED])
    for number in range(len(SIGNED)):
        federation.check_round(number, CULPRIT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("garbage", "done"),
    [
        *((garbage, False) for garbage in (NOISE, b"", pack([], 1, {}), pack([[]], b"", "", b""))),
        (NOISE, True),
    ],
    ids=["noise", "nothing", "other items", "the right kinds", "noise, though done"],
)
def test_a_node_that_answers_something_else_at_any_step_is_named(
    federate: Federate, garbage: bytes, done: bool
) -> None:
    """Whether or not it did the step behind it."""
    fault = alters(lambda *_: garbage) if done else says(garbage)
    federation = run_with(federate, [(step, fault) for step in STEPS])
    for number in range(len(STEPS)):
        federation.check_round(number, CULPRIT)


@pytest.mark.slow
def test_a_statement_under_another_key_is_none(federate: Federate) -> None:
    def forge(key: AttemptKey, honest: bytes) -> bytes:
        sender, purpose, body, _ = unpack(honest, str, str, bytes, bytes)
        context = federations[0].node(CULPRIT).context(key)
        return Statement.make(context, sender, new_private_key(), purpose, body).to_bytes()

    federations = [federate(rounds=len(SIGNED) - 1)]
    places = {(n, CULPRIT, step): alters(forge) for n, step in enumerate(SIGNED)}
    assert federations[0].run(Saboteur(federations[0].engine(), places)).finished
    for number in range(len(SIGNED)):
        federations[0].check_round(number, CULPRIT)


class Liar:
    """What the culprit says in place of the truth, signed with its own key."""

    def __init__(self, federation: Federation) -> None:
        self._node = federation.node(CULPRIT)

    def share(self, key: AttemptKey, honest: bytes) -> bytes:
        """One word of its share of the sum is another."""
        words = F61.from_bytes(unpack(honest, str, str, bytes, bytes)[2])
        words[-1] = F61.add(words[-1:], words[:1] * 0 + 1)[0]
        return self._node.state(SUM, key, F61.to_bytes(words))

    def short_share(self, key: AttemptKey, honest: bytes) -> bytes:
        return self._node.state(SUM, key, unpack(honest, str, str, bytes, bytes)[2][8:])

    def no_words(self, key: AttemptKey, honest: bytes) -> bytes:
        return self._node.state(SUM, key, b"\xff" * 8)

    def vote(self, ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        """Vote for another hash, and say so."""
        transaction = self._node.ledger.vote(key, OTHER).transaction
        return self._node.state(OUTCOME, key, pack(OTHER, transaction, []))

    def outcome(self, key: AttemptKey, honest: bytes) -> bytes:
        """Vote right on the ledger, and say something else."""
        return self._node.state(OUTCOME, key, pack(OTHER, NO_TRANSACTION, []))

    def blame(self, key: AttemptKey, honest: bytes) -> bytes:
        """Name an honest node, a hospital and nobody."""
        body = unpack(honest, str, str, bytes, bytes)[2]
        digest, transaction, _ = unpack(body, bytes, str, list)
        wrong = ["Node 1", "Node 1", "Hungary", "nobody"]
        return self._node.state(OUTCOME, key, pack(digest, transaction, wrong))

    def set_on_ledger(self, ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        self._node.ledger.agree(key, OTHER, True)
        return self._node.state(SET, key, pack(OTHER, True))

    def set_in_message(self, key: AttemptKey, honest: bytes) -> bytes:
        return self._node.state(SET, key, pack(OTHER, True))

    def answers(self, key: AttemptKey, given: dict[str, Answer]) -> bytes:
        return self._node.state(ANSWERS, key, pack_answers(given))

    def about(self, hospitals: tuple[str, ...], lie: Answer | None = None) -> Fault:
        """Say `lie` about these hospitals; without one, values that are off by one."""

        def change(key: AttemptKey, honest: bytes) -> bytes:
            given = unpack_answers(unpack(honest, str, str, bytes, bytes)[2])
            for name in hospitals:
                first, second = given[name]
                given[name] = lie or ((int(first) + 1) % F61.modulus, second)
            return self.answers(key, given)

        return alters(change)


@on_all_chains
@pytest.mark.slow
def test_a_node_that_lies_about_the_sum_or_the_result_is_named(federate: Federate) -> None:
    federation = federate(rounds=7)
    liar = Liar(federation)
    faults: list[tuple[str, Fault]] = [
        ("release", alters(liar.share)),
        ("release", alters(liar.share)),
        ("release", alters(liar.short_share)),
        ("release", alters(liar.no_words)),
        ("vote", liar.vote),
        ("vote", alters(liar.outcome)),
        ("serve", says(pack(federation.plan.initial_model()))),
        ("vote", alters(liar.blame)),
    ]
    places = {(number, CULPRIT, step): fault for number, (step, fault) in enumerate(faults)}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    reasons = []
    for number in range(7):
        federation.check_round(number, CULPRIT)
        reasons += [reason for _, reason in federation.faults(attempt_key(number))[CULPRIT]]
    wrong, voted = "its share of the sum was wrong", "voted for another hash than the quorum"
    served = "served another result than the ledger's"
    assert reasons == [wrong] * 4 + [voted] * 2 + [served]
    votes = {v.node: v.result_hash for v in federation.ledger.votes(attempt_key(4))}
    assert votes[federation.plan.node(CULPRIT).account] == OTHER
    # One node alone cannot blame another.
    assert federation.faults(attempt_key(7)) == {}


@on_all_chains
@pytest.mark.slow
def test_a_node_that_signs_another_set_or_withholds_its_nonce_is_named(federate: Federate) -> None:
    federation = federate(rounds=3)
    liar = Liar(federation)
    faults: list[tuple[str, Fault]] = [
        ("judge", liar.set_on_ledger),
        ("judge", alters(liar.set_in_message)),
        # It pretends that it did.
        ("reveal", says(pack(NO_TRANSACTION))),
        ("join", says(pack(NO_TRANSACTION))),
    ]
    places = {(number, CULPRIT, step): fault for number, (step, fault) in enumerate(faults)}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    for number in range(len(faults)):
        federation.check_round(number, CULPRIT)
    assert federation.standings(attempt_key(2))[CULPRIT] == Standing.WITHHELD
    assert CULPRIT not in federation.standings(attempt_key(3))


@pytest.mark.slow
def test_a_node_that_lies_in_the_check_about_many_is_left_out(federate: Federate) -> None:
    federation = federate(rounds=4)
    liar = Liar(federation)
    places = {
        (1, CULPRIT, "answer"): liar.about(HOSPITALS),
        (2, CULPRIT, "answer"): liar.about(HOSPITALS, DISPUTED),
        (3, CULPRIT, "answer"): liar.about(HOSPITALS, MISSING),
        # About half of them is enough.
        (4, CULPRIT, "answer"): liar.about(HOSPITALS[:2]),
    }
    assert federation.run(Saboteur(federation.engine(), places)).finished
    for number in range(1, 5):
        federation.check_round(number, CULPRIT)
        assert federation.standings(attempt_key(number))[CULPRIT] == Standing.LEFT_OUT
    left_out = [event["node"] for event in federation.events_named("NodeLeftOut")]
    assert left_out == [federation.plan.node(CULPRIT).account] * 4
    assert federation.disputes() == set()


@on_all_chains
@pytest.mark.slow
def test_a_hospital_in_dispute_with_one_node_sits_out_and_the_pair_is_on_the_ledger(
    federate: Federate,
) -> None:
    federation = federate(rounds=3)
    liar = Liar(federation)
    places = {
        (1, CULPRIT, "answer"): liar.about(("Hungary",)),
        (2, CULPRIT, "answer"): liar.about(("Cleveland",), DISPUTED),
        (3, CULPRIT, "answer"): liar.about(("Switzerland",), MISSING),
    }
    assert federation.run(Saboteur(federation.engine(), places)).finished
    for number, hospital in enumerate(("Hungary", "Cleveland", "Switzerland"), start=1):
        # It cannot be told who of the two is wrong: the hospital sits out, and the pair stands.
        federation.check_round(number, hospital, out=(hospital,))
        assert federation.standings(attempt_key(number))[CULPRIT] == Standing.IN
    # A missing envelope names no pair: the carrier may have dropped it.
    assert federation.disputes() == {("Hungary", CULPRIT), ("Cleveland", CULPRIT)}
    assert federation.ledger.training(TRAINING).next_round == 4
