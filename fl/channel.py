"""The coordinator's line to the parties: it counts what passes."""

from __future__ import annotations

from typing import Protocol

from contracts.records import AttemptKey


class Engine(Protocol):
    """Whatever carries messages; see `fl.engines`."""

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        """The party's answer. Raises PartyFailed."""
        ...


class Channel:
    """An engine with a counter of messages and bytes, questions and answers alike."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.messages = 0
        self.bytes = 0

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        """Carry a message and its answer. Raises PartyFailed."""
        self._count(message)
        answer = self._engine.ask(party, step, key, message)
        self._count(answer)
        return answer

    def _count(self, message: bytes) -> None:
        self.messages += 1
        self.bytes += len(message)
