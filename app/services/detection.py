"""How often the reviews were right about the hospitals, which only a simulation can tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from app.stores.rounds import REFUSED, REJECTED
from fl.experiments.intervals import wilson


def detection(
    rounds: Sequence[dict[str, Any]], attackers: Collection[str]
) -> dict[str, dict[str, Any]] | None:
    """Updates kept out against the truth, over all reviewed rounds; None where none was reviewed.

    `true_rejections` are of attackers' updates, `false_rejections` of honest ones, each with count,
    of, share, and low and high of its 95 % interval (Wilson), None where `of` is 0. `rounds` are
    views of rounds (`round_view`). The interval takes updates for independent trials; those of
    one hospital in several rounds are alike, so it is rather too narrow.
    """
    reviewed = [one for one in rounds if one["reviewed"]]
    if not reviewed:
        return None
    out: dict[bool, list[bool]] = {True: [], False: []}
    for one in reviewed:
        for hospital in one["hospitals"]:
            kept_out = hospital["verdict"] in (REJECTED, REFUSED)
            out[hospital["name"] in attackers].append(kept_out)
    return {"true_rejections": _share(out[True]), "false_rejections": _share(out[False])}


def _share(kept_out: list[bool]) -> dict[str, Any]:
    count, of = sum(kept_out), len(kept_out)
    low, high = wilson(count, of) if of else (None, None)
    return {
        "count": count,
        "of": of,
        "share": count / of if of else None,
        "low": low,
        "high": high,
    }
