"""Lines in a terminal while a training runs."""

from __future__ import annotations

from collections.abc import Mapping

from app.cli.console import progress
from app.services.round_names import STATISTICS, is_update
from contracts.records import DONATION
from fl.plan import Plan
from fl.round import AttemptFailed, Event, PartyNamed, StepDone

_DID = {
    "open": "opened on the chain, nodes seated",
    "train": "hospitals trained",
    "share": "updates shared and sealed",
    "submit": "hashes on the chain",
    "check": "sharing checked",
    "review": "updates tested, encrypted",
    "agree": "nodes agreed on the set",
    "aggregate": "shares of the sum released",
    "vote": "decoded and voted",
    "distribute": "result with every party",
}
_DID_ELSE: Mapping[int, Mapping[str, str]] = {
    STATISTICS: {"train": "columns summed up", "share": "sums shared and sealed"},
    DONATION: {
        "train": "rows chosen to test updates on",
        "share": "rows shared and sealed",
        "review": "rows checked, encrypted",
        "distribute": "nodes keep their shares",
    },
}
# Steps that some rounds have no need of; nobody is then asked anything.
_NOT_ALWAYS = ("review", "aggregate", "vote")


class StepLines:
    """Prints a line for every finished step, and one for everybody who is named."""

    def __init__(self, plan: Plan) -> None:
        self._console = progress()
        self._rounds = plan.rounds

    def __call__(self, event: Event) -> None:
        """Watch a training; see `fl.round.Watcher`."""
        where = self._where(event.key.round)
        if isinstance(event, StepDone):
            cost = event.cost
            self._console.print(
                f"{where:<12} {_did(event):<34} {cost.seconds:6.2f} s {cost.bytes:>9,} bytes"
            )
        elif isinstance(event, PartyNamed):
            self._console.print(f"{where:<12} {event.party}: {event.reason}", markup=False)
        elif isinstance(event, AttemptFailed):
            text = f"{where:<12} attempt {event.key.attempt} failed: {event.reason}"
            self._console.print(text, markup=False)

    def _where(self, number: int) -> str:
        if is_update(number):
            return f"round {number}/{self._rounds}"
        return "donated rows" if number == DONATION else "statistics"


def _did(event: StepDone) -> str:
    if event.step in _NOT_ALWAYS and not event.cost.messages:
        return f"{event.step}: nothing to do"
    return _DID_ELSE.get(event.key.round, {}).get(event.step, _DID[event.step])
