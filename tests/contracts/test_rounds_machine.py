"""Any callers in any order, on two trainings at once: rounds do what their model says.

Roles, policies and coordinators change in between, blocks pass, budgets end.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from contracts.artifact import FEDERATION, REGISTRY
from contracts.digests import nonce_commitment, set_digest, set_fields
from contracts.ledger import AgreedSet, AttemptKey, AttemptState, Permission, Role
from contracts.records import DONATION
from contracts.registry import task_word
from tests.contracts.direct import account
from tests.contracts.machine import ContractMachine, run
from tests.contracts.parties import digest, point
from tests.contracts.rounds_model import HOSPITAL, NODE, SUBMITTER, Key, RoundsModel

STATE = AttemptState
FOUNDER, SECOND, STRANGER = 0, 1, 11
HOSPITALS, NODES, SPARE = (2, 3, 4, 5), (6, 7, 8, 9), 10
ANYBODY = st.integers(0, STRANGER)
# Rules by task: one with room, one with a short step, a larger quorum and two attempts.
POLICIES = {
    task_word("heart"): (True, 0, 0, 3, 3, 24, 5),
    task_word("lung"): (True, 1, 4, 4, 4, 14, 2),
}
HEART, LUNG = POLICIES
NAMES = tuple(digest(f"training {number}") for number in range(3))
COORDINATOR, AUDITOR = Permission.COORDINATOR.value, Permission.AUDITOR.value
RIGHT = st.sampled_from(["right", "right", "right", "right", "wrong", "empty"])
# What nodes sign, and somebody publishes.
SETS = (
    *("all", "three", "two", "keeps", "neither", "wrong root", "stranger", "twice"),
    *("without a node", "without a stranger"),
)
# Who does what in a state, and what the coordinator does then.
PARTS: dict[AttemptState, tuple[str, tuple[int, ...], str | None]] = {
    STATE.OPENED: ("join", NODES, "callForSubmissions"),
    STATE.SUBMITTING: ("submit", HOSPITALS, "closeSubmissions"),
    STATE.REVEALING: ("reveal", NODES, "closeReveals"),
    STATE.CHECKING: ("agree", NODES, None),
    STATE.AGREED: ("publishSet", (STRANGER,), None),
    STATE.VOTING: ("vote", NODES, None),
}
# The first training is the one that is ahead; the third is opened by chance.
CURRENT = (NAMES[0], NAMES[0], NAMES[0], NAMES[1], NAMES[2])
STEPS = ("join", "submit", "reveal", "agree", "publishSet", "vote")


class RoundsMachine(ContractMachine):
    """The steps of attempts by anybody; `advance` reaches the late ones more often than chance."""

    contract = FEDERATION
    model: RoundsModel

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[tuple[Any, ...], Any] = {}

    @initialize(
        second=st.booleans(),
        donates=st.booleans(),
        which=st.sampled_from(["all", "all", "three"]),
        ahead=st.integers(0, 20),
    )
    def begin(self, second: bool, donates: bool, which: str, ahead: int) -> None:
        """Two trainings at most; the first is some steps ahead, up to its third round."""
        for role, indices in ((Role.HOSPITAL, HOSPITALS), (Role.NODE, (*NODES, SPARE))):
            for one in indices:
                self.registers("register", account(one), role, point(account(one)))
        hospitals, nodes = (set(map(account, one)) for one in (HOSPITALS, NODES))
        self.model = RoundsModel(
            self.world.addresses[FEDERATION],
            {account(FOUNDER)},
            {HOSPITAL: hospitals, SUBMITTER: set(hospitals), NODE: nodes},
            dict(POLICIES),
        )
        self.two_decide("setNodes", tuple(map(account, NODES)))
        for task, policy in POLICIES.items():
            self.two_decide("setPolicy", task, policy)
        tasks = (HEART, LUNG) if second else (HEART,)
        for name, task in zip(NAMES, tasks, strict=False):
            opening = (task, digest("config"), digest("model"), *self.members(4, 4), 1)
            assert self.tries(FOUNDER, "openTraining", name, opening)
        self.everybody_goes_on(NAMES[0], donates, None, which, ahead)

    def registers(self, function: str, *arguments: object) -> None:
        self.beside(REGISTRY, FOUNDER, function, *arguments)

    def two_decide(self, function: str, *arguments: object) -> None:
        for administrator in (FOUNDER, SECOND):
            self.beside(REGISTRY, administrator, function, *arguments)

    def members(self, hospitals: int, nodes: int) -> tuple[tuple[str, ...], ...]:
        return tuple(map(account, HOSPITALS[:hospitals])), tuple(map(account, NODES[:nodes]))

    # What the registry changes under a running training.

    @rule(
        what=st.sampled_from(["hospital", "submitter", "nodes", "policy", "coordinator"]),
        data=st.data(),
    )
    def the_registry_changes(self, what: str, data: Any) -> None:
        match what:
            case "hospital" | "submitter":
                role = HOSPITAL if what == "hospital" else SUBMITTER
                self.toggle(role, self.model.roles[role], data.draw(st.sampled_from(HOSPITALS)))
            case "coordinator":
                who = data.draw(st.sampled_from([FOUNDER, SECOND]))
                self.toggle(COORDINATOR, self.model.coordinators, who)
            case "nodes":
                sets = [NODES, NODES, NODES[:3], (*NODES[:3], SPARE)]
                self.replace_nodes(tuple(map(account, data.draw(st.sampled_from(sets)))))
            case _:
                task = data.draw(st.sampled_from([HEART, LUNG]))
                first = data.draw(st.tuples(st.booleans(), st.integers(0, 2)))
                self.change_policy(task, (*first, *POLICIES[task][2:]))

    def toggle(self, role: bytes, holders: set[str], who: int) -> None:
        self.registers("revokeRole" if account(who) in holders else "grantRole", role, account(who))
        holders ^= {account(who)}

    def replace_nodes(self, accounts: tuple[str, ...]) -> None:
        if set(accounts) != self.model.roles[NODE]:
            self.two_decide("setNodes", accounts)
            self.model.roles[NODE] = set(accounts)

    def change_policy(self, task: bytes, policy: tuple[Any, ...]) -> None:
        if policy != self.model.policies[task]:
            self.two_decide("setPolicy", task, policy)
            self.model.policies[task] = policy

    @rule(
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        beyond=st.integers(0, 1),
        place=st.integers(0, 3),
        steps=st.integers(1, 4),
    )
    def time_runs_out(
        self, name: bytes, donates: bool, beyond: int, place: int, steps: int
    ) -> None:
        """A member, and who ends what hangs, try in the last block of a step or in the next."""
        key = self.running(name, donates, steps)
        attempt = self.model.attempt(key)
        if attempt.state not in PARTS or attempt.state >= STATE.AGREED:
            return
        while self.block + 1 < attempt.deadline + beyond:
            self.registers("grantRole", AUDITOR, account(STRANGER))
        if beyond:
            # What is refused makes no block, so all of these are tried in the same one.
            self.next_step_of(key, place)
        self.tries(STRANGER, "expire", key)
        self.next_step_of(key, place)

    @rule(
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        place=st.integers(0, 3),
        steps=st.integers(1, 6),
    )
    def who_lost_the_role_goes_on(self, name: bytes, donates: bool, place: int, steps: int) -> None:
        key = self.running(name, donates, steps)
        if self.model.attempt(key).state is STATE.SUBMITTING:
            self.toggle(SUBMITTER, self.model.roles[SUBMITTER], HOSPITALS[place])
            self.next_step_of(key, place)
            return
        rest = tuple(account(one) for one in NODES if one != NODES[place])
        self.replace_nodes(rest)
        self.next_step_of(key, place)
        self.replace_nodes(tuple(map(account, NODES)))

    @rule(name=st.sampled_from(CURRENT), donates=st.booleans(), steps=st.integers(1, 6))
    def a_try_is_given_up_and_another_made(self, name: bytes, donates: bool, steps: int) -> None:
        """Where the round is locked by then, there is none."""
        key = self.running(name, donates, steps)
        self.tries(FOUNDER, "fail", key, "given up")
        training = self.model.trainings.get(name)
        again = name, key[1], key[2] + 1
        self.tries(FOUNDER, "openAttempt", again, training.model if training else bytes(32))

    def running(self, name: bytes, donates: bool, steps: int) -> Key:
        """The attempt that runs; where none does, one is opened and taken some steps."""
        if self.model.attempt(self.current(name, donates)).state not in PARTS:
            self.everybody_goes_on(name, donates, None, "all", steps)
        return self.current(name, donates)

    def next_step_of(self, key: Key, place: int) -> None:
        """Let one member do what is next, rightly."""
        key = key[0], key[1], max(key[2], 1)
        step, callers, _ = PARTS.get(self.model.attempt(key).state, PARTS[STATE.VOTING])
        caller = callers[place % len(callers)]
        self.tries(caller, step, *self.arguments(step, caller, key, "right", "all"))

    # Calls by anybody, on attempts that are there and on others.

    @rule(
        caller=st.sampled_from([FOUNDER, FOUNDER, SECOND, STRANGER, 2]),
        name=st.sampled_from(NAMES),
        task=st.sampled_from([HEART, HEART, LUNG, task_word("skin")]),
        members=st.tuples(st.integers(2, 4), st.integers(2, 4)),
        more=st.sampled_from(["", "", "", "twice", "stranger", "hospital as a node", "no model"]),
        threshold=st.sampled_from([1, 1, 1, 0, 2]),
    )
    def open_training(
        self, caller: int, name: bytes, task: bytes, members: Any, more: str, threshold: int
    ) -> None:
        hospitals, nodes = self.members(*members)
        match more:
            case "twice":
                hospitals += hospitals[:1]
            case "stranger":
                hospitals += (account(STRANGER),)
            case "hospital as a node":
                nodes += hospitals[:1]
        model = bytes(32) if more == "no model" else digest("model")
        opening = (task, digest("config"), model, hospitals, nodes, threshold)
        self.tries(caller, "openTraining", name, opening)

    @rule(
        caller=st.sampled_from([FOUNDER, SECOND, STRANGER]),
        name=st.sampled_from(NAMES),
        rare=st.integers(0, 4),
        length=st.sampled_from([6, 1025]),
    )
    def end_training(self, caller: int, name: bytes, rare: int, length: int) -> None:
        if rare == 4 or caller == STRANGER:
            self.tries(caller, "endTraining", name, "x" * length)

    @rule(
        caller=st.sampled_from([FOUNDER, FOUNDER, SECOND, STRANGER]),
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        shift=st.sampled_from([(0, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 0), (0, 2)]),
        kind=RIGHT,
    )
    def open_attempt(self, caller: int, name: bytes, donates: bool, shift: Any, kind: str) -> None:
        _, number, attempt = self.current(name, donates)
        key = name, number + shift[0], attempt + shift[1]
        training = self.model.trainings.get(name)
        model = training.model if training and kind == "right" else digest("another model")
        self.tries(caller, "openAttempt", key, model)

    @rule(
        caller=ANYBODY,
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        earlier=st.sampled_from([0, 0, 0, 1]),
        step=st.sampled_from(STEPS),
        kind=RIGHT,
        which=st.sampled_from(SETS),
    )
    def take_a_step(
        self,
        caller: int,
        name: bytes,
        donates: bool,
        earlier: int,
        step: str,
        kind: str,
        which: str,
    ) -> None:
        _, number, attempt = self.current(name, donates)
        key = name, number, max(attempt - earlier, 1)
        self.tries(caller, step, *self.arguments(step, caller, key, kind, which))

    @rule(
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        place=st.integers(0, 3),
        kind=RIGHT,
        which=st.sampled_from(SETS),
    )
    def a_member_takes_the_next_step(
        self, name: bytes, donates: bool, place: int, kind: str, which: str
    ) -> None:
        _, number, attempt = self.current(name, donates)
        key = name, number, max(attempt, 1)
        step, callers, _ = PARTS.get(self.model.attempt(key).state, PARTS[STATE.VOTING])
        caller = callers[place % len(callers)]
        self.tries(caller, step, *self.arguments(step, caller, key, kind, which))

    @rule(
        caller=st.sampled_from([FOUNDER, FOUNDER, SECOND, STRANGER, 2, 6]),
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        function=st.sampled_from(
            ["callForSubmissions", "closeSubmissions", "closeReveals", "expire", "fail"]
        ),
        length=st.sampled_from([5, 5, 1025]),
    )
    def coordinate(
        self, caller: int, name: bytes, donates: bool, function: str, length: int
    ) -> None:
        _, number, attempt = self.current(name, donates)
        reason = ("x" * length,) if function == "fail" else ()
        self.tries(caller, function, (name, number, max(attempt, 1)), *reason)

    @rule(
        name=st.sampled_from(CURRENT),
        donates=st.booleans(),
        absent=st.sampled_from([None, None, 3, 2, 0]),
        which=st.sampled_from(["all", "all", "all", "three", "keeps", "neither", "without a node"]),
        steps=st.integers(1, 5),
    )
    def advance(
        self, name: bytes, donates: bool, absent: int | None, which: str, steps: int
    ) -> None:
        """Let everybody but one hospital and one node do what is next."""
        self.everybody_goes_on(name, donates, absent, which, steps)

    def everybody_goes_on(
        self, name: bytes, donates: bool, absent: int | None, which: str, steps: int
    ) -> None:
        for _ in range(steps):
            key = self.current(name, donates)
            self.everybody_does(key, self.model.attempt(key).state, absent, which)

    def everybody_does(self, key: Key, state: AttemptState, absent: int | None, which: str) -> None:
        coordinators = self.model.coordinators
        lead = SECOND if account(FOUNDER) not in coordinators else FOUNDER
        if state not in PARTS:
            name, number, attempt = key
            training = self.model.trainings.get(name)
            model = training.model if training else bytes(32)
            self.tries(lead, "openAttempt", (name, number, attempt + 1), model)
            return
        step, callers, then = PARTS[state]
        for place, caller in enumerate(callers):
            if place != absent or len(callers) == 1:
                arguments = self.arguments(step, caller, key, "right", which)
                self.tries(caller, step, *arguments, look=False)
        self.looks()
        if then:
            self.tries(lead, then, key)

    def current(self, name: bytes, donates: bool) -> Key:
        """The round that is next, and how often it was tried."""
        training = self.model.trainings.get(name)
        if training is None:
            return name, 0, 0
        donates = donates and training.next_round == 1
        number = DONATION if donates else training.next_round
        return name, number, training.attempts.get(number, 0)

    def arguments(
        self, step: str, caller: int, key: Key, kind: str, which: str
    ) -> tuple[object, ...]:
        """What follows in a call of `step`; right, wrong in one place, or empty there."""
        said = {"wrong": digest("wrong"), "empty": bytes(32)}
        at, who = AttemptKey(*key), account(caller)
        nonce = digest(f"nonce {key} {who}")
        match step:
            case "join":
                commitment = nonce_commitment(at, who, nonce) if kind != "empty" else bytes(32)
                return key, commitment, point("receiving")[: 65 if kind != "wrong" else 64]
            case "submit":
                whose = account(2) if kind == "wrong" else who
                return key, whose, digest(f"root {who}"), digest("update"), 9 * (kind != "empty")
            case "reveal":
                return key, said.get(kind, nonce)
            case "agree":
                signed = self.set_called(which, key)
                opens = signed.opens != (kind == "wrong")
                return key, bytes(32) if kind == "empty" else set_digest(at, signed), opens
            case "publishSet":
                return key, self.set_called(self.agreed_on(key, which), key)
            case _:
                return key, said.get(kind, digest(f"result {key}"))

    def agreed_on(self, key: Key, otherwise: str) -> str:
        """The name of the set that was agreed on, if it is one of ours."""
        agreed = self.model.attempt(key).agreed
        for name in SETS:
            found = self.set_called(name, key)
            if (set_digest(AttemptKey(*key), found), found.opens) == agreed:
                return name
        return otherwise

    def set_called(self, name: str, key: Key) -> AgreedSet:
        attempt = self.model.attempt(key)
        all_of_them = tuple(attempt.submissions)
        accepted = {
            "three": all_of_them[:3],
            "two": all_of_them[:2],
            "keeps": all_of_them[:2],
            "neither": (),
            "stranger": (*all_of_them, account(STRANGER)),
            "twice": (*all_of_them, *all_of_them[:1]),
        }.get(name, all_of_them)
        left_out = {"without a node": (account(NODES[3]),), "without a stranger": (account(11),)}
        return AgreedSet(
            digest("another root") if name == "wrong root" else attempt.root,
            opens=name not in ("keeps", "neither"),
            accepted=accepted,
            weights=tuple(range(5, 5 + len(accepted))),
            refused=all_of_them[3:] if name == "three" else (),
            rejected=all_of_them[2:] if name == "keeps" else (),
            left_out=left_out.get(name, ()),
            reason="" if name != "neither" else "none was accepted",
            keeps=name == "keeps",
            norm_bound=70_000 if name == "three" else 0,
        )

    @rule()
    def look_at_everything(self) -> None:
        super().looks()

    def looks(self) -> None:
        """Compare what must have changed; the rest is for `look_at_everything`."""
        expected = self.model.views()
        changed = {call: value for call, value in expected.items() if self.seen.get(call) != value}
        self.compare(changed)
        self.seen = deepcopy(changed) | {c: v for c, v in self.seen.items() if c not in changed}

    def encoded(self, function: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The set goes to the contract as the tuple that its ABI has."""
        if function != "publishSet":
            return arguments
        return arguments[0], set_fields(arguments[1])


@pytest.mark.slow
def test_any_order_of_calls() -> None:
    run(RoundsMachine, examples=16, steps=25)
