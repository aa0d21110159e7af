"""Trainings and their attempts in plain Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.digests import challenge_digest, nonce_commitment, set_digest
from contracts.ledger import (
    AgreedSet,
    AttemptKey,
    AttemptState,
    Permission,
    Standing,
    SubmissionRecord,
    TrainingState,
    Verdict,
)
from contracts.records import DONATION, MOST_REASON
from tests.contracts.direct import CHAIN_ID
from tests.contracts.machine import Denied, Views
from tests.contracts.rounds_state import Attempt, Key, Seat, Training, views_of

STATE = AttemptState
EXPIRED = "the deadline of a step passed"
HOSPITAL, NODE = Permission.HOSPITAL.value, Permission.NODE.value
SUBMITTER = Permission.SUBMITTER.value


@dataclass
class RoundsModel:
    """The contract at `address`; `roles` says who holds which role now, `policies` by task."""

    address: str
    coordinators: set[str]
    roles: dict[bytes, set[str]]
    policies: dict[bytes, tuple[Any, ...]]
    block: int = 0
    trainings: dict[bytes, Training] = field(default_factory=dict)
    attempts: dict[Key, Attempt] = field(default_factory=dict)

    def attempt(self, key: Key) -> Attempt:
        """The attempt, or an empty one that was never opened."""
        return self.attempts.get(key, Attempt())

    def open_training(self, sender: str, name: bytes, opening: Any) -> None:
        self._coordinates(sender)
        task, config, initial, hospitals, nodes, threshold = opening
        if name in self.trainings:
            raise Denied("TrainingExists", training=name)
        if not any(config) or not any(initial):
            raise Denied("EmptyHash")
        if not 0 < 2 * threshold < len(nodes):
            raise Denied("WrongThreshold", threshold=threshold, nodes=len(nodes))
        allowed, faults, quorum, fewest_hospitals, fewest, blocks, most = self.policies.get(
            task, (False,) * 7
        )
        if not allowed:
            raise Denied("TaskNotAllowed", task=task)
        least = ((fewest_hospitals, hospitals), (3 * faults + 1, nodes), (quorum, nodes))
        for number, members in least:
            _require_many(number, len(members))
        for role, members in ((HOSPITAL, hospitals), (NODE, nodes)):
            for place, one in enumerate(members):
                self._holds(role, one)
                if one in members[:place] or (role == NODE and one in hospitals):
                    raise Denied("Twice", account=one)
        borne = min((len(nodes) - threshold - 1) // 2, (len(nodes) - 1) // 3)
        quorum = max(quorum, (len(nodes) + borne) // 2 + 1)
        rules = threshold, quorum, fewest, blocks, most
        opened = Training(task, config, initial, hospitals, nodes, *rules, model=initial)
        self.trainings[name] = opened

    def end_training(self, sender: str, name: bytes, reason: str) -> None:
        self._coordinates(sender)
        training = self.trainings.get(name)
        for number in (training.next_round, DONATION) if training else ():
            key = name, number, training.attempts.get(number, 0) if training else 0
            if self.attempt(key).runs:
                self._fail(key, reason)
        training = self._opened(name)
        _require_short(reason)
        training.state, training.reason = TrainingState.ENDED, reason

    def open_attempt(self, sender: str, key: Key, model_in: bytes) -> None:
        self._coordinates(sender)
        name, number, attempt = key
        training = self._opened(name)
        donates = number == DONATION and training.next_round == 1 and not any(training.slices)
        if number != training.next_round and not donates:
            raise Denied("WrongRound", expected=training.next_round, actual=number)
        if number in training.locked:
            raise Denied("RoundLocked", round=number)
        last = training.attempts.get(number, 0)
        state = self.attempt((name, number, last)).state
        if last and state is not STATE.FAILED:
            raise Denied("WrongState", expected=STATE.FAILED, actual=state)
        if attempt != last + 1:
            raise Denied("WrongAttempt", expected=last + 1, actual=attempt)
        if model_in != training.model:
            raise Denied("WrongModel", expected=training.model, actual=model_in)
        if training.left == 0:
            raise Denied("BudgetSpent", training=name)
        training.left -= 1
        training.attempts[number] = attempt
        self.attempts[key] = Attempt(model_in, training.norm_bound)
        self._advance(key, STATE.OPENED)

    def fail(self, sender: str, key: Key, reason: str) -> None:
        self._coordinates(sender)
        attempt = self.attempt(key)
        if not attempt.runs:
            raise Denied("WrongState", expected=STATE.OPENED, actual=attempt.state)
        self._fail(key, reason)

    def expire(self, sender: str, key: Key) -> None:
        attempt = self.attempt(key)
        if not attempt.runs or attempt.state >= STATE.AGREED:
            raise Denied("WrongState", expected=STATE.CHECKING, actual=attempt.state)
        if self.block <= attempt.deadline:
            raise Denied("NotLate", deadline=attempt.deadline, number=self.block)
        self._fail(key, EXPIRED)

    def join(self, sender: str, key: Key, commitment: bytes, receiving_key: bytes) -> None:
        training = self.trainings.get(key[0])
        if training is None or sender not in training.nodes:
            raise Denied("NotOfThisTraining", account=sender)
        self._holds(NODE, sender)
        attempt = self._in_state(key, STATE.OPENED)
        if sender in attempt.seats:
            raise Denied("AlreadyJoined", node=sender)
        _require_hashes(commitment)
        if len(receiving_key) != 65:
            raise Denied("NotAPoint", length=len(receiving_key))
        attempt.seats[sender] = Seat(Standing.IN, commitment, receiving_key)
        attempt.joined += 1

    def call_for_submissions(self, sender: str, key: Key) -> None:
        self._coordinates(sender)
        attempt, training = self._in_state(key, STATE.OPENED), self.trainings[key[0]]
        _require_many(training.quorum, attempt.joined)
        for node in training.nodes:
            attempt.seats.setdefault(node, Seat(Standing.NOT_JOINED))
        self._advance(key, STATE.SUBMITTING)

    def submit(
        self, sender: str, key: Key, hospital: str, root: bytes, update: bytes, samples: int
    ) -> None:
        if sender != hospital:
            raise Denied("NotYourself", hospital=hospital, sender=sender)
        training = self.trainings.get(key[0])
        if training is None or hospital not in training.hospitals:
            raise Denied("NotOfThisTraining", account=hospital)
        self._holds(SUBMITTER, hospital)
        attempt = self._in_state(key, STATE.SUBMITTING)
        if samples == 0:
            raise Denied("NoSamples", hospital=hospital)
        _require_hashes(root, update)
        if hospital in attempt.submissions:
            raise Denied("AlreadySubmitted", hospital=hospital)
        attempt.submissions[hospital] = SubmissionRecord(
            hospital, root, update, samples, Verdict.NONE, 0
        )

    def close_submissions(self, sender: str, key: Key) -> None:
        self._coordinates(sender)
        attempt = self._in_state(key, STATE.SUBMITTING)
        _require_many(self.trainings[key[0]].fewest, len(attempt.submissions))
        self._advance(key, STATE.REVEALING)

    def reveal(self, sender: str, key: Key, nonce: bytes) -> None:
        attempt = self._in_state(key, STATE.REVEALING)
        seat = self._seated(attempt, sender)
        if any(seat.nonce):
            raise Denied("AlreadyRevealed", node=sender)
        committed = nonce_commitment(AttemptKey(*key), sender, nonce) == seat.commitment
        if not any(nonce) or not committed:
            raise Denied("WrongNonce", node=sender, commitment=seat.commitment)
        seat.nonce = nonce
        attempt.revealed += 1

    def close_reveals(self, sender: str, key: Key) -> None:
        self._coordinates(sender)
        attempt, training = self._in_state(key, STATE.REVEALING), self.trainings[key[0]]
        _require_many(training.quorum, attempt.revealed)
        for seat in attempt.seats.values():
            if seat.standing is Standing.IN and not any(seat.nonce):
                seat.standing = Standing.WITHHELD
        nonces = [attempt.seat(node).nonce for node in training.nodes]
        attempt.challenge = challenge_digest(
            CHAIN_ID, self.address, AttemptKey(*key), attempt.root, nonces
        )
        self._advance(key, STATE.CHECKING)

    def agree(self, sender: str, key: Key, set_hash: bytes, opens: bool) -> None:
        attempt = self.attempt(key)
        if attempt.state not in (STATE.CHECKING, STATE.AGREED):
            raise Denied("WrongState", expected=STATE.CHECKING, actual=attempt.state)
        if attempt.state is STATE.CHECKING:
            self._in_time(attempt)
        seat, training = self._seated(attempt, sender), self.trainings[key[0]]
        if any(seat.signed[0]):
            raise Denied("AlreadyAgreed", node=sender)
        _require_hashes(set_hash)
        seat.signed = set_hash, opens
        equal = Counter(one.signed for one in attempt.seats.values())[seat.signed]
        if attempt.state is STATE.CHECKING and equal == training.quorum:
            attempt.agreed = seat.signed
            if opens:
                training.locked.add(key[1])
            self._advance(key, STATE.AGREED)

    def publish_set(self, sender: str, key: Key, agreed: AgreedSet) -> None:
        attempt, training = self._in_state(key, STATE.AGREED), self.trainings[key[0]]
        found = set_digest(AttemptKey(*key), agreed)
        if (found, agreed.opens) != attempt.agreed:
            raise Denied("WrongSet", expected=attempt.agreed[0], actual=found)
        if agreed.submissions_root != attempt.root:
            raise Denied("WrongRoot", expected=attempt.root, actual=agreed.submissions_root)
        if agreed.opens:
            _require_many(training.fewest, len(agreed.accepted))
        self._judge(attempt, agreed)
        for node in agreed.left_out:
            if node not in training.nodes:
                raise Denied("NotOfThisTraining", account=node)
            if attempt.seat(node).standing is Standing.IN:
                attempt.seats[node].standing = Standing.LEFT_OUT
        attempt.next_bound = agreed.norm_bound
        if agreed.opens and key[1] == DONATION:
            self._finalise(key, found)
        elif agreed.opens:
            self._advance(key, STATE.VOTING)
        elif agreed.keeps and key[1] not in (0, DONATION):
            self._finalise(key, attempt.model_in)
        else:
            self._fail(key, agreed.reason)

    def vote(self, sender: str, key: Key, result: bytes) -> None:
        attempt = self.attempt(key)
        if attempt.state not in (STATE.VOTING, STATE.FINALISED):
            raise Denied("WrongState", expected=STATE.VOTING, actual=attempt.state)
        seat = self._seated(attempt, sender)
        if any(seat.vote):
            raise Denied("AlreadyVoted", node=sender)
        _require_hashes(result)
        seat.vote = result
        equal = sum(one.vote == result for one in attempt.seats.values())
        if attempt.state is STATE.VOTING and equal == self.trainings[key[0]].quorum:
            self._finalise(key, result)

    def views(self) -> Views:
        return views_of(self.trainings, self.attempts)

    def _coordinates(self, sender: str) -> None:
        if sender not in self.coordinators:
            raise Denied("NotCoordinator", sender=sender)

    def _holds(self, role: bytes, account: str) -> None:
        if account not in self.roles[role]:
            raise Denied("LacksRole", account=account, role=role)

    def _opened(self, name: bytes) -> Training:
        training = self.trainings.get(name)
        if training is None or training.state is not TrainingState.OPEN:
            raise Denied("TrainingNotOpen", training=name)
        return training

    def _in_state(self, key: Key, expected: AttemptState) -> Attempt:
        attempt = self.attempt(key)
        if attempt.state is not expected:
            raise Denied("WrongState", expected=expected, actual=attempt.state)
        if expected < STATE.AGREED:
            self._in_time(attempt)
        return attempt

    def _in_time(self, attempt: Attempt) -> None:
        if self.block > attempt.deadline:
            raise Denied("Late", deadline=attempt.deadline, number=self.block)

    def _seated(self, attempt: Attempt, node: str) -> Seat:
        seat = attempt.seat(node)
        if seat.standing is not Standing.IN:
            raise Denied("NotIn", node=node, standing=seat.standing)
        self._holds(NODE, node)
        return seat

    def _judge(self, attempt: Attempt, agreed: AgreedSet) -> None:
        verdicts = [
            *((one, Verdict.ACCEPTED) for one in agreed.accepted),
            *((one, Verdict.REFUSED) for one in agreed.refused),
            *((one, Verdict.REJECTED) for one in agreed.rejected),
        ]
        weights = dict(zip(agreed.accepted, agreed.weights, strict=True))
        for hospital, verdict in verdicts:
            found = attempt.submissions.get(hospital)
            if found is None:
                raise Denied("NotSubmitted", hospital=hospital)
            if found.verdict is not Verdict.NONE:
                raise Denied("Twice", account=hospital)
            weight = weights[hospital] if verdict is Verdict.ACCEPTED else 0
            attempt.submissions[hospital] = replace(found, verdict=verdict, weight=weight)

    def _advance(self, key: Key, state: AttemptState) -> None:
        attempt = self.attempts[key]
        attempt.state = state
        attempt.deadline = self.block + self.trainings[key[0]].step_blocks

    def _fail(self, key: Key, reason: str) -> None:
        _require_short(reason)
        self.attempts[key].reason = reason
        self._advance(key, STATE.FAILED)

    def _finalise(self, key: Key, result: bytes) -> None:
        name, number, _ = key
        training, attempt = self.trainings[name], self.attempts[key]
        attempt.result = result
        if number == DONATION:
            training.slices = result
        else:
            training.next_round = number + 1
            if number == 0:
                training.statistics = result
            else:
                training.model = result
        training.norm_bound = attempt.next_bound or training.norm_bound
        self._advance(key, STATE.FINALISED)


def _require_many(least: int, actual: int) -> None:
    if actual < least:
        raise Denied("TooFew", least=least, actual=actual)


def _require_short(reason: str) -> None:
    if len(reason) > MOST_REASON:
        raise Denied("TooMany", most=MOST_REASON, actual=len(reason))


def _require_hashes(*hashes: bytes) -> None:
    if not all(map(any, hashes)):
        raise Denied("EmptyHash")
