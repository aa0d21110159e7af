"""Every external function, tried by everybody: who may call it, and how the others are refused."""

from __future__ import annotations

import pytest

from contracts.artifact import CONTRACTS, load_artifact
from tests.contracts.call_table import CASES, UNAUTHORISED, VIEWS, Case
from tests.contracts.direct import account
from tests.contracts.stage import CALLERS, Stage

# Refusals that name the caller.
PERSONAL = frozenset(
    {UNAUTHORISED, "LacksRole", "NotCoordinator", "NotIn", "NotInCare", "NotOfThisTraining"}
    | {"NotProposed", "NotRegistered", "NotYours", "NotYourself", "AlreadyProposed"}
)


def functions(contract: str, views: bool) -> set[str]:
    return {
        one["name"]
        for one in load_artifact(contract).abi
        if one["type"] == "function" and (one["stateMutability"] in ("view", "pure")) is views
    }


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_tables_have_every_function(contract: str) -> None:
    assert {case.function for case in CASES[contract]} == functions(contract, views=False)
    assert set(VIEWS[contract]) == functions(contract, views=True)
    allowed = {case.function for case in CASES[contract] if case.may}
    assert allowed == functions(contract, views=False), "somebody may call each"


@pytest.mark.parametrize(
    ("contract", "case"),
    [
        pytest.param(contract, case, id=f"{contract}.{case.name}")
        for contract, cases in CASES.items()
        for case in cases
    ],
)
def test_a_function_is_called_by_whom_it_is_for(stage: Stage, contract: str, case: Case) -> None:
    expected = {
        caller: None if caller in case.may else case.but.get(caller, case.otherwise)
        for caller in CALLERS
    }
    actual: dict[str, str | None] = {}
    for caller, index in CALLERS.items():
        arguments = case.arguments(stage, index)
        refused = stage.world.refusal(contract, index, case.function, *arguments)
        actual[caller] = refused[0] if refused else None
        if refused and refused[0] in PERSONAL:
            assert account(index) in refused[1].values(), (caller, refused)
    assert actual == expected


@pytest.mark.parametrize(
    ("contract", "function"),
    [(contract, function) for contract, views in VIEWS.items() for function in views],
)
def test_a_view_tells_everybody_the_same(stage: Stage, contract: str, function: str) -> None:
    arguments = VIEWS[contract][function]
    told = stage.world.view(contract, function, *arguments)
    for caller, index in CALLERS.items():
        assert stage.world.view_as(index, contract, function, *arguments) == told, caller
