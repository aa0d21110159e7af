"""Any callers in any order: the registry does what its model says, call by call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, rule

from contracts.artifact import REGISTRY
from contracts.ledger import Permission, Role
from contracts.registry import task_word
from tests.contracts.direct import account
from tests.contracts.machine import ContractMachine, run
from tests.contracts.parties import digest, point
from tests.contracts.registry_model import MOST_KEYS, RegistryModel, action_of

# The first two are administrators at the beginning, and call more often than the others.
PARTIES = 6
ANYBODY = st.sampled_from((0, 0, 1, 1, *range(PARTIES)))
ACCOUNTS = st.integers(0, PARTIES - 1).map(account)
ROLES = st.sampled_from((*(one.value for one in Permission), digest("a role of no one")))
POINTS = st.sampled_from([point("a"), point("b"), point("c"), point("a")[:-1], b"\2" + bytes(64)])
POLICIES = st.sampled_from(
    [
        (True, 0, 0, 3, 3, 10, 10),
        (True, 1, 4, 4, 3, 10, 10),
        (False, 0, 0, 3, 3, 10, 10),
        (True, 0, 0, 2, 3, 10, 10),
        (True, 0, 0, 3, 2, 10, 10),
        (True, 0, 0, 3, 3, 0, 10),
        (True, 0, 0, 3, 3, 10, 0),
    ]
)
TASKS = st.sampled_from([task_word("heart"), task_word("lung"), bytes(32)])
# What two administrators decide: a function and its arguments.
DECISIONS = st.one_of(
    st.tuples(st.just("setAdministrator"), ACCOUNTS, st.booleans()),
    st.tuples(st.just("setNodes"), st.lists(ACCOUNTS, max_size=3).map(tuple)),
    st.tuples(st.just("setNodes"), st.just((account(0),) * 17)),
    st.tuples(st.just("setPolicy"), TASKS, POLICIES),
)


class RegistryMachine(ContractMachine):
    """Everybody tries everything."""

    contract = REGISTRY
    decisions: Bundle[Any] = Bundle("decisions")

    def __init__(self) -> None:
        super().__init__()
        self.model = RegistryModel(tuple(map(account, range(PARTIES))))

    @rule(caller=ANYBODY, role=ROLES, whom=ACCOUNTS, how=st.sampled_from(["grant", "revoke"]))
    def grant_or_revoke(self, caller: int, role: bytes, whom: str, how: str) -> None:
        self.tries(caller, f"{how}Role", role, whom)

    @rule(caller=ANYBODY, role=ROLES, own=st.integers(0, 4), whom=ACCOUNTS)
    def renounce(self, caller: int, role: bytes, own: int, whom: str) -> None:
        self.tries(caller, "renounceRole", role, account(caller) if own else whom)

    @rule(target=decisions, caller=ANYBODY, decision=DECISIONS)
    def propose(self, caller: int, decision: Any) -> Any:
        self.tries(caller, *decision)
        return decision

    @rule(caller=ANYBODY, decision=decisions)
    def decide(self, caller: int, decision: Any) -> None:
        self.tries(caller, *decision)

    @rule(decision=DECISIONS)
    def two_administrators_decide(self, decision: Any) -> None:
        """Reach other administrators, nodes and policies more often than chance would."""
        for caller in self.administrators()[-2:]:
            self.tries(caller, *decision)

    @rule(decision=DECISIONS, comes_back=st.booleans())
    def who_proposed_goes(self, decision: Any, comes_back: bool) -> None:
        """What somebody proposed who is no administrator any more counts for nothing."""
        first, second, *_ = self.administrators()
        third = next(one for one in range(PARTIES) if one not in (first, second))
        for one in (first, second):
            self.tries(one, "setAdministrator", account(third), True)
        self.tries(third, *decision)
        for holds in (False, True) if comes_back else (False,):
            for one in (first, second):
                self.tries(one, "setAdministrator", account(third), holds)
        self.tries(first, *decision)

    def administrators(self) -> list[int]:
        holders = self.model.roles[Permission.ADMINISTRATOR.value]
        return [one for one in range(PARTIES) if account(one) in holders]

    @rule(caller=ANYBODY, decision=decisions)
    def withdraw(self, caller: int, decision: Any) -> None:
        self.tries(caller, "withdraw", action_of(*decision))

    @rule(decision=decisions)
    def its_proposer_withdraws(self, decision: Any) -> None:
        proposer = self.model.proposed.get(action_of(*decision))
        for caller in range(PARTIES):
            if account(caller) == proposer:
                self.tries(caller, "withdraw", action_of(*decision))

    @rule(caller=ANYBODY, whom=ACCOUNTS, role=st.sampled_from(Role), key=POINTS)
    def register(self, caller: int, whom: str, role: Role, key: bytes) -> None:
        self.tries(caller, "register", whom, role, key)

    @rule(caller=st.integers(0, PARTIES - 1), key=POINTS)
    def rotate(self, caller: int, key: bytes) -> None:
        self.tries(caller, "rotateKey", key)

    @rule(caller=st.integers(0, PARTIES - 1), whom=ACCOUNTS)
    def revoke_key(self, caller: int, whom: str) -> None:
        self.tries(caller, "revokeKey", whom)

    @rule(caller=st.integers(0, PARTIES - 1))
    def rotate_until_it_is_full(self, caller: int) -> None:
        if len(self.model.keys.get(account(caller), ())) > 1:
            for number in range(MOST_KEYS):
                self.tries(caller, "rotateKey", point(f"key {number}"), look=False)


def test_a_few_calls() -> None:
    run(RegistryMachine, examples=3, steps=25)


@pytest.mark.slow
def test_any_order_of_calls() -> None:
    run(RegistryMachine, examples=30, steps=40)
