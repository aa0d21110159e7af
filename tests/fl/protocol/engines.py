"""Engines that do more than carry: they record, repeat, or let one party's part go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.records import AttemptKey
from fl.channel import Engine
from fl.errors import PartyFailed

Ask = Callable[[bytes], bytes]
# What happens in place of a step: it is handed the ordinary way to ask, the attempt, the message.
Fault = Callable[[Ask, AttemptKey, bytes], bytes]
# Round, party, question.
Place = tuple[int, str, str]


@dataclass(frozen=True)
class Passed:
    """A question and its answer, as they passed."""

    key: AttemptKey
    party: str
    question: str
    message: bytes
    answer: bytes


class Recorder:
    """Keeps all that passes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.passed: list[Passed] = []

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        answer = self._engine.ask(party, step, key, message)
        self.passed.append(Passed(key, party, step, message, answer))
        return answer

    def answer(self, party: str, step: str, round_number: int = 1) -> bytes:
        """Return the last answer of a party to a question of a round."""
        found = [
            one.answer
            for one in self.passed
            if (one.party, one.question, one.key.round) == (party, step, round_number)
        ]
        return found[-1]


class Saboteur:
    """Puts a fault in the place of some steps."""

    def __init__(self, engine: Engine, faults: Mapping[Place, Fault]) -> None:
        self._engine = engine
        self._faults = faults

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        fault = self._faults.get((key.round, party, step))
        if fault is None:
            return self._engine.ask(party, step, key, message)
        return fault(lambda sent: self._engine.ask(party, step, key, sent), key, message)


class Twice:
    """Asks every question twice and insists on the same answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        first = self._engine.ask(party, step, key, message)
        assert self._engine.ask(party, step, key, message) == first, (party, step)
        return first


def crash(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
    """Fail before the step."""
    raise PartyFailed("party", "step", "it crashed")


def crash_after(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
    """Fail behind the step: it was done, its answer is lost."""
    ask(message)
    raise PartyFailed("party", "step", "it crashed")


def says(answer: bytes) -> Fault:
    """Return a fault that answers so, and does nothing."""
    return lambda ask, key, message: answer


def alters(change: Callable[[AttemptKey, bytes], bytes]) -> Fault:
    """Return a fault that does the step and changes its answer."""
    return lambda ask, key, message: change(key, ask(message))
