"""What the measurements of the chains compute, on a small embedded one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import chain, long_chain
from contracts.chain import connect
from contracts.gas import load
from contracts.ledger import Ledger


@pytest.mark.slow
def test_every_operation_is_measured_with_its_gas(tmp_path: Path) -> None:
    with connect(tmp_path) as endpoint:
        figures = chain.operations({"here": endpoint}, courses=1, rounds=2)["here"]
    known = load()
    # Binding the models is a part of the deployment, whose time is measured as a whole.
    assert set(figures) | {"attach", "bind"} == set(known)
    assert figures["submit"]["n"] == 8
    # Other parties, other bytes: a zero in a transaction's data costs 12 gas less than others.
    for name, row in figures.items():
        assert known[name]["least"] - 500 <= row["gas"] <= known[name]["most"] + 500, name
        assert 0 < row["median_ms"] <= row["p99_ms"], name


@pytest.mark.slow
def test_rounds_side_by_side_count_the_transactions_of_both(tmp_path: Path) -> None:
    with connect(tmp_path) as endpoint:
        row = chain.throughput(endpoint, [3, 4], rounds=1)
    # Each: its hospitals, four nodes four times, four steps of the coordinator, one published set.
    assert row["transactions"] == 3 + 4 + 2 * (4 * 4 + 4 + 1)
    assert row["per_second"] == pytest.approx(row["transactions"] / row["seconds"])


def test_a_chain_is_as_long_as_asked_and_goes_on(tmp_path: Path) -> None:
    contract = long_chain.build(tmp_path / "chain", 12)
    with connect(tmp_path / "chain") as endpoint:
        assert long_chain.blocks_of(endpoint.url) == 12
        register = long_chain.registrations(endpoint.url, contract, 12)
        assert [next(register).block for _ in range(2)] == [13, 14]
        register.close()
        ledger = Ledger(endpoint.url, contract)
        # Six contracts, of which the first grants roles, then a party a block.
        named = [event.name for event in ledger.events()]
        assert named.count("Registered") == 14 - 6
        ledger.close()


def test_the_99th_percentile_of_few_lies_near_the_longest() -> None:
    assert chain.percentile99([7.0]) == 7.0
    assert chain.percentile99([float(one) for one in range(101)]) == pytest.approx(99.0)
