"""A federation with somebody in every role, and a training in every state, for calls by all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from eth_utils.crypto import keccak

from contracts.artifact import ANCHORS, APPEALS, FEDERATION, MODELS, RECORDS, REGISTRY
from contracts.digests import set_fields
from contracts.interface import interface
from contracts.ledger import AgreedSet, AttemptKey, Permission, Policy, Role, set_digest
from contracts.ledger import nonce_commitment as commitment_of
from contracts.registry import task_word
from tests.contracts.direct import World, account
from tests.contracts.parties import digest, point

# Who calls, by the index of its account.
CALLERS = {
    "founder": 0,  # administrator and coordinator
    "administrator": 1,
    "coordinator": 2,
    "hospital": 3,
    "suspended hospital": 6,  # in the training, without SUBMITTER
    "other hospital": 7,  # in no training
    "node": 8,
    "absent node": 10,  # in the training, did not join its attempts
    "former node": 11,  # has a seat, is no node any more
    "other node": 12,  # in no training
    "doctor": 13,  # asked for the record
    "second doctor": 14,
    "other doctor": 15,  # does not care for the patient
    "former doctor": 16,  # did, and asked for the record
    "auditor": 17,
    "submitter": 18,  # holds SUBMITTER and no more
    "downloader": 19,  # holds DOWNLOADER and no more
    "former administrator": 20,
    "stranger": 21,
}
HOSPITALS, NODES, DOCTORS = (3, 4, 5, 6), (8, 9, 10, 11), (13, 14, 16)
# Those who submit, and those who join: a quorum without the absent one.
SUBMIT, JOIN = (3, 4, 5), (8, 9, 11)
STATES = (
    *("idle", "opened", "joined", "submitting", "submitted", "revealing", "revealed"),
    *("checking", "agreed", "voting"),
)
# Trainings with a model; of the used ones the last is in use.
USED = ("used", "in use")
FINISHED = (*USED, "finished")
# A training whose second round rejected two hospitals, of which the second has appealed.
REJECTED = "rejected"
TASK, HURRIED = task_word("heart"), task_word("hurried")
CONFIG, MODEL = digest("config"), digest("model")
RECORD, OPENING, FORMER = digest("record"), digest("opening"), digest("a former doctor's opening")
LUNG = (task_word("lung"), astuple(Policy()))
RULES = (TASK, astuple(Policy(faults=1)))


class Stage:
    """The world in which every function has a state where its call is valid."""

    def __init__(self) -> None:
        self.world = World()
        self._register()
        for state in STATES:
            self._open(state, TASK)
        for number, state in enumerate(STATES):
            for step in STATES[1 : number + 1]:
                self._step(step, state)
        self._open("expired", HURRIED)
        self._step("opened", "expired")
        for name in FINISHED:
            self._finish(name, digest(f"model {name} 1"))
        self._finish("untrained", MODEL)
        self._finish("stopped", digest("model stopped 1"), "given up")
        for name in USED:
            self.do(0, MODELS, "promote", *self.model(name))
        self._reject()
        self._seal()
        self._propose()
        self._take_away()
        self.do(0, ANCHORS, "anchor", 1, 10, digest("log"))

    def do(self, caller: int, contract: str, function: str, *arguments: object) -> None:
        """Make a call that must be accepted."""
        problem = self.world.call(contract, caller, function, *arguments)
        assert problem is None, (function, problem)

    def key(self, state: str, round: int = 0) -> tuple[bytes, int, int]:
        return digest(f"training {state}"), round, 1

    def model(self, name: str) -> tuple[bytes, bytes, bytes]:
        """A finished training, its model, and the hash of a reason."""
        return self.key(name)[0], digest(f"model {name} 1"), digest("reason")

    def nonce(self, state: str, caller: int) -> bytes:
        return digest(f"nonce {state} {caller}")

    def opening(self, task: bytes = TASK) -> tuple[Any, ...]:
        members = [tuple(map(account, indices)) for indices in (HOSPITALS, NODES)]
        return task, CONFIG, MODEL, *members, 1

    def agreed(self, state: str, round: int = 0) -> tuple[AgreedSet, bytes]:
        """The set that the nodes sign in this state, and its hash."""
        view = self.world.view(FEDERATION, "attemptOf", self.key(state, round))
        accepted = tuple(map(account, SUBMIT))
        found = AgreedSet(view[9], True, accepted, (1,) * len(accepted))
        return found, set_digest(AttemptKey(*self.key(state, round)), found)

    def action(self, function: str, *arguments: object) -> bytes:
        """The name under which a call of two administrators is proposed."""
        return keccak(interface(REGISTRY).call_data(function, arguments))

    def _register(self) -> None:
        roles = {Role.HOSPITAL: (*HOSPITALS, 7), Role.NODE: (*NODES, 12)}
        roles |= {Role.DOCTOR: (*DOCTORS, 15), Role.AUDITOR: (17,)}
        for role, indices in roles.items():
            for one in indices:
                self.do(0, REGISTRY, "register", account(one), role, point(account(one)))
        alone = {Permission.COORDINATOR: 2, Permission.SUBMITTER: 18, Permission.DOWNLOADER: 19}
        for permission, one in alone.items():
            self.do(0, REGISTRY, "grantRole", permission.value, account(one))
        for task, policy in ((TASK, Policy()), (HURRIED, Policy(step_blocks=1))):
            self._both("setPolicy", task, astuple(policy))
        self._both("setNodes", tuple(map(account, NODES)))

    def _both(self, function: str, *arguments: object) -> None:
        for administrator in (0, 1):
            self.do(administrator, REGISTRY, function, *arguments)

    def _open(self, state: str, task: bytes) -> None:
        self.do(2, FEDERATION, "openTraining", self.key(state)[0], self.opening(task))

    def _finish(self, name: str, model: bytes, reason: str = "") -> None:
        """A training that ends after the statistics and a round, with this model."""
        self._open(name, TASK)
        for round in (0, 1):
            for step in STATES[1:]:
                self._step(step, name, round)
            for one in JOIN:
                result = model if round else digest("statistics")
                self.do(one, FEDERATION, "vote", self.key(name, round), result)
        self.do(2, FEDERATION, "endTraining", self.key(name)[0], reason)

    def _reject(self) -> None:
        """A round that keeps its model, because two of three were rejected; one appeals."""
        self._open(REJECTED, TASK)
        for step in STATES[1:]:
            self._step(step, REJECTED)
        for one in JOIN:
            self.do(one, FEDERATION, "vote", self.key(REJECTED), digest("statistics"))
        for step in STATES[1:8]:
            self._step(step, REJECTED, 1)
        key = self.key(REJECTED, 1)
        root = self.world.view(FEDERATION, "attemptOf", key)[9]
        (accepted, *rejected) = (account(4), account(3), account(5))
        found = AgreedSet(root, False, (accepted,), (0,), rejected=tuple(rejected), keeps=True)
        for one in JOIN:
            signed = set_digest(AttemptKey(*key), found), False
            self.do(one, FEDERATION, "agree", key, *signed)
        self.do(21, FEDERATION, "publishSet", key, set_fields(found))
        self.do(5, APPEALS, "appeal", key[0], 1, digest("reason"))

    def _step(self, step: str, state: str, round: int = 0) -> None:
        """Bring the training of `state` from the state before `step` to it."""
        key = self.key(state, round)
        shown = step in ("agreed", "voting")
        agreed, digest_of_it = self.agreed(state, round) if shown else (None, b"")
        steps: dict[str, tuple[str, Sequence[int], Callable[[int], tuple[object, ...]]]] = {
            "opened": ("openAttempt", (2,), lambda _: (MODEL,)),
            "joined": ("join", JOIN, lambda one: self.seat(state, one, round)),
            "submitting": ("callForSubmissions", (2,), lambda _: ()),
            "submitted": ("submit", SUBMIT, lambda one: (account(one), CONFIG, MODEL, 7)),
            "revealing": ("closeSubmissions", (2,), lambda _: ()),
            "revealed": ("reveal", JOIN, lambda one: (self.nonce(state, one),)),
            "checking": ("closeReveals", (2,), lambda _: ()),
            "agreed": ("agree", JOIN, lambda _: (digest_of_it, True)),
            "voting": ("publishSet", (21,), lambda _: (agreed and set_fields(agreed),)),
        }
        function, callers, more = steps[step]
        for one in callers:
            self.do(one, FEDERATION, function, key, *more(one))

    def seat(self, state: str, caller: int, round: int = 0) -> tuple[bytes, bytes]:
        key = AttemptKey(*self.key(state, round))
        return commitment_of(key, account(caller), self.nonce(state, caller)), point("receiving")

    def _seal(self) -> None:
        self.do(13, RECORDS, "seal", RECORD, tuple(map(account, DOCTORS)), 2)
        for asks, opening in ((13, OPENING), (16, FORMER)):
            self.do(asks, RECORDS, "request", RECORD, opening, digest("reason"))
            self.do(14, RECORDS, "approve", opening)
        self.do(13, RECORDS, "request", RECORD, digest("asked"), digest("reason"))

    def _propose(self) -> None:
        """Proposals of the administrator and of one who is none any more."""
        self._both("setAdministrator", account(20), True)
        self.do(20, REGISTRY, "setPolicy", *LUNG)
        self.do(1, REGISTRY, "setPolicy", *RULES)

    def _take_away(self) -> None:
        self._both("setAdministrator", account(20), False)
        self._both("setNodes", tuple(map(account, (8, 9, 10, 12))))
        self.do(0, REGISTRY, "revokeRole", Permission.SUBMITTER.value, account(6))
        self.do(0, REGISTRY, "revokeRole", Permission.DOCTOR.value, account(16))
