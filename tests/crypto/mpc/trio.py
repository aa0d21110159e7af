"""What the tests of the engine share: three parties, sharing and opening from outside."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypto import shamir
from crypto.field import F61, Field
from crypto.kernels import Words
from crypto.mpc.channel import Traffic, run_local
from crypto.mpc.session import Committee, Outbox, Program, Role, Session
from crypto.prg import Stream

COMMITTEES = [(1, 2, 3), (1, 2, 4), (1, 3, 4), (2, 3, 4), (4, 2, 1)]
P61 = F61.modulus
_runs = itertools.count()


def pair_secrets(seed: int = 0) -> dict[frozenset[Role], bytes]:
    pairs = itertools.combinations(Role, 2)
    return {frozenset(pair): bytes([seed % 256, k]) * 16 for k, pair in enumerate(pairs)}


def sessions(
    points: tuple[int, int, int], field: Field, context: bytes, seed: int = 0
) -> list[Session]:
    """Sessions of A, B and C whose pair secrets follow from the seed."""
    secrets = pair_secrets(seed)
    return [
        Session(
            role,
            Committee(points),
            {other: secrets[frozenset((role, other))] for other in Role if other is not role},
            context,
            field,
        )
        for role in Role
    ]


class Trio:
    """The sessions of A, B and C, and a dealer for inputs that only tests have."""

    def __init__(
        self,
        points: tuple[int, int, int] = (1, 2, 3),
        field: Field = F61,
        context: bytes | None = None,
        seed: int = 0,
    ) -> None:
        context = b"test %d" % next(_runs) if context is None else context
        self.field, self.points = field, points
        self.sessions = sessions(points, field, context, seed)
        self._dealer = Stream(bytes([seed % 256]) * 32, "test-dealer", context)
        self.traffic = Traffic()
        # For each role, what it received round by round.
        self.views: list[list[dict[Role, bytes]]] = [[], [], []]

    def share(self, values: Any, degree: int = 1) -> list[Words]:
        """Shares, one array a party, of integers of any sign."""
        array = np.array(values, dtype=object) % self.field.modulus
        flat = array.reshape(-1).astype(np.uint64)
        rows = shamir.share(flat, degree, self.points, self._dealer, self.field)
        return [np.ascontiguousarray(row.reshape(array.shape)) for row in rows]

    def values(self, shares: Sequence[Words], degree: int = 1) -> Words:
        """The shared words; the shares must lie on polynomials of that degree."""
        rows = np.stack([share.reshape(-1) for share in shares])
        assert shamir.consistent(self.points, rows, degree, self.field)
        weights = shamir.lagrange_weights(self.points, 0, self.field)
        return self.field.combine(rows, weights).reshape(shares[0].shape)

    def signed(self, shares: Sequence[Words], degree: int = 1) -> Any:
        return self.field.to_signed(self.values(shares, degree))

    def run(
        self,
        program: Callable[..., Program[Any]],
        *shared: Any,
        tamper: Callable[[int, Role, Outbox], Outbox] | None = None,
        **public: Any,
    ) -> list[Any]:
        """Run `program(session, own part of each shared argument, **public)` for all three.

        `tamper(round, sender, outbox)` replaces what is sent.
        """
        programs = [
            self._watched(
                program(session, *(part[session.role] for part in shared), **public),
                session.role,
                tamper or (lambda _round, _sender, outbox: outbox),
            )
            for session in self.sessions
        ]
        results, self.traffic = run_local(programs)
        return results

    def _watched(
        self, program: Program[Any], role: Role, tamper: Callable[[int, Role, Outbox], Outbox]
    ) -> Program[Any]:
        inbox = None
        for number in itertools.count():
            try:
                outbox = next(program) if inbox is None else program.send(inbox)
            except StopIteration as end:
                return end.value
            inbox = yield tamper(number, role, outbox)
            self.views[role].append(dict(inbox))
        return None

    def prepare(self, first: Role, second: Role, words: Any) -> None:
        """Let the first field elements that two parties share be these."""
        for role, other in ((first, second), (second, first)):
            streams = self.sessions[role].streams
            streams[other] = Prepared(streams[other], words)  # type: ignore[assignment]


class Prepared:
    """A stream that hands out prepared elements first, then those of another stream."""

    def __init__(self, stream: Any, words: Any) -> None:
        self._stream = stream
        self._words = np.array(words, dtype=np.uint64)

    def elements(self, count: int, field: Field, into: Words | None = None) -> Words:
        if not self._words.size:
            return self._stream.elements(count, field, into)
        drawn, self._words = np.split(self._words, [count])
        assert drawn.shape == (count,)
        assert (drawn < field.modulus).all()
        if into is None:
            return drawn
        into[:] = drawn
        return into

    def words(self, count: int) -> Words:
        return self._stream.words(count)
