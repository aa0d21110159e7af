"""What the benchmark writes down."""

from __future__ import annotations

from bench.verification import document


def _figures(**cpu: float) -> dict[str, dict[str, float]]:
    return {name: {"cpu_seconds": seconds} for name, seconds in cpu.items()}


def test_ratios_are_of_the_peers_over_ours_and_ours_over_plain() -> None:
    tasks = {
        "mlp": _figures(consilium=0.002, torch=0.0001, spu=0.3, mpyc=30.0),
        "mlp8": _figures(torch=0.0008, spu=2.0),
    }

    written = document(tasks, {}, {"crypten": "no wheel"})

    assert written["ratios"] == {"mlp/spu": 150.0, "mlp/mpyc": 15000.0}
    assert written["plain_ratio"] == {"mlp": 20.0}
    assert written["not_measured"] == {"crypten": "no wheel"}
    assert written["figures"] is tasks
