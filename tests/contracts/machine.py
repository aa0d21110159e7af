"""What the stateful tests share: a call goes to contract and model, and both must say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from tests.contracts.direct import Outcome, World, account

# What a view is called with, and what it must return.
Views = Mapping[tuple[Any, ...], Any]


class Denied(Exception):
    """The model refuses a call, as the contract should: its error's name and arguments."""

    def __init__(self, reason: str, **details: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


class ContractMachine(RuleBasedStateMachine):
    """Makes each call in a world of its own and in the model of the contract called `contract`.

    A model has a method for each function, which takes the sender's account first, `block`, the
    number of the block that the call would be in, and `views()`.
    """

    contract: ClassVar[str]
    model: Any

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.block = self.world.block

    def teardown(self) -> None:
        self.world.close()

    def tries(self, caller: int, function: str, *arguments: object, look: bool = True) -> bool:
        """Whether both accept a call; they must agree, and afterwards on every view."""
        expected = self._expected(caller, function, *arguments)
        sent = self.encoded(function, arguments)
        actual = self.world.call(self.contract, caller, function, *sent)
        assert plain(actual) == plain(expected), (
            f"{function} by account {caller}",
            arguments,
        )
        if actual is None:
            self.block += 1
            if look:
                self.looks()
        return actual is None

    def encoded(self, function: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as the contract takes them, where the model takes them otherwise."""
        return arguments

    def looks(self) -> None:
        """Compare every view."""
        self.compare(self.model.views())

    def compare(self, expected: Views) -> None:
        """Compare these views."""
        actual = {call: self.world.view(self.contract, *call) for call in expected}
        assert {call: plain(value) for call, value in actual.items()} == {
            call: plain(value) for call, value in expected.items()
        }

    def beside(self, contract: str, caller: int, function: str, *arguments: object) -> None:
        """A call of another contract that this machine's model is not about; it is accepted."""
        assert self.world.call(contract, caller, function, *arguments) is None
        self.block += 1

    def _expected(self, caller: int, function: str, *arguments: object) -> Outcome:
        before = deepcopy(self.model)
        self.model.block = self.block + 1
        try:
            getattr(self.model, snake(function))(account(caller), *arguments)
        except Denied as denied:
            # What a refused call did until then is undone.
            self.model = before
            return denied.reason, denied.details
        return None


def run(machine: type[ContractMachine], examples: int, steps: int) -> None:
    """Drive a machine through random calls.

    What fails is told as it was found: making it smaller takes longer than a test may.
    """
    case: Any = machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    case().runTest()


def snake(name: str) -> str:
    """A contract's name as Python would have it."""
    return re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name)


def plain(value: Any) -> Any:
    """The value with addresses in one spelling, and tuples only."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(plain(one) for one in value)
    return value
