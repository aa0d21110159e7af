"""What each operation costs is known, and a change of it is noticed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from contracts import gas
from contracts.artifact import CONTRACTS, load_artifact
from contracts.gas import Gas

KNOWN: Gas = {"deploy": {"least": 7, "most": 7}, "vote": {"least": 1_000, "most": 2_000}}


def test_every_operation_costs_what_the_snapshot_says() -> None:
    changed = gas.differences(gas.load(), gas.measure())
    assert changed == [], "if it is meant so: python -m contracts.gas"


def test_the_snapshot_has_every_operation_of_the_contract() -> None:
    functions = {
        one["name"]
        for contract in CONTRACTS
        for one in load_artifact(contract).abi
        if one["type"] == "function" and one["stateMutability"] not in ("view", "pure")
    }
    assert functions
    assert set(gas.load()) == functions | {"deploy"}


def test_what_became_dearer_appeared_or_went_is_named() -> None:
    now: Gas = {"vote": {"least": 1_000, "most": 2_001}, "join": {"least": 5, "most": 5}}
    assert gas.differences(KNOWN, KNOWN) == []
    assert gas.differences(KNOWN, now) == [
        "deploy: 7 before, 0 now",
        "join: 0 before, 5 now",
        "vote: 1,000 to 2,000 before, 1,000 to 2,001 now",
    ]


def test_the_command_writes_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = tmp_path / "gas.json"
    monkeypatch.setattr(gas, "SNAPSHOT", snapshot)
    monkeypatch.setattr(gas, "measure", lambda: KNOWN)
    monkeypatch.setattr(sys, "argv", ["gas", "--check"])
    assert gas.main() == 1
    assert not snapshot.exists()
    assert "deploy: 0 before, 7 now" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["gas"])
    assert gas.main() == 0
    assert json.loads(snapshot.read_text()) == KNOWN
    monkeypatch.setattr(sys, "argv", ["gas", "--check"])
    capsys.readouterr()
    assert gas.main() == 0
    assert capsys.readouterr().out == "the snapshot is current\n"
    snapshot.write_text(json.dumps({**KNOWN, "vote": {"least": 1, "most": 1}}))
    assert gas.main() == 1
