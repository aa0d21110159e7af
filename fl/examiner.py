"""A node's part in the review: it seats itself in a committee and runs the program on its shares.

`begin` claims a session's number on disk before anything is derived from it; a number that was
claimed is never used again, whatever happened to its session.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from contracts.records import DONATION, AttemptKey
from crypto.context import Context
from crypto.envelope import load_public_key
from crypto.mpc.session import Program, Session
from fl.custody import Custody
from fl.errors import ConflictError, StepRefused
from fl.outcome import COMMITTEE, MOST_SESSIONS, SliceOutcome, read_slices
from fl.party import attempt_place
from fl.plan import Plan
from fl.review import Donated, Slice, Updates, slice_program, update_program
from fl.sitting import Members, Sitting
from fl.store import PartyStore

_CLAIM_BYTES = 16


class Examiner:
    """Node `name` as a committee member; `custody_of` gives its custody of an attempt."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        store: PartyStore,
        custody_of: Callable[[AttemptKey], Custody],
    ) -> None:
        self._name = name
        self._plan = plan
        self._store = store
        self._custody_of = custody_of
        self._sitting: Sitting | None = None

    def last_session(self, key: AttemptKey) -> int:
        """The highest number that this node claimed in the attempt, 0 when there is none."""
        stored = self._store.get(f"{attempt_place(key)}/last-session")
        return int.from_bytes(stored, "big") if stored else 0

    def seat(
        self,
        key: AttemptKey,
        context: Context,
        number: int,
        committee: Sequence[str],
        receiving_keys: Mapping[str, bytes],
        program: Callable[[Session], Program[bytes]],
    ) -> list[tuple[str, bytes]]:
        """Claim the session and begin it; the sealed messages of the first exchange.

        Raises StepRefused when the number is not above all that this node claimed, or the committee
        is none that this node sits in.
        """
        names = tuple(committee)
        known = len(set(names)) == COMMITTEE and set(names) <= set(receiving_keys)
        if not known or self._name not in names:
            raise StepRefused(f"{self._name} expected a committee of three nodes that it is one of")
        if number > MOST_SESSIONS:
            raise StepRefused(
                f"{self._name} reviews an attempt in {MOST_SESSIONS} sessions at most"
            )
        if number <= self.last_session(key):
            raise StepRefused(f"{self._name} has used session {number} of this attempt")
        # Noted first: a kill between the two skips the number, and never uses it twice.
        self._store.replace(f"{attempt_place(key)}/last-session", number.to_bytes(8, "big"))
        try:
            claim = secrets.token_bytes(_CLAIM_BYTES)
            self._store.record(f"{attempt_place(key)}/session/{number}", claim)
        except ConflictError as error:
            raise StepRefused(f"{self._name} has used session {number} of this attempt") from error
        a, b, c = names
        members = Members(
            (a, b, c),
            (self._plan.points[a], self._plan.points[b], self._plan.points[c]),
            (
                load_public_key(receiving_keys[a]),
                load_public_key(receiving_keys[b]),
                load_public_key(receiving_keys[c]),
            ),
        )
        own = self._custody_of(key).receiving_key
        self._sitting = Sitting(context, number, members, self._name, own, program)
        return self._sitting.begin()

    def exchange(
        self, session: int, number: int, received: Mapping[str, memoryview]
    ) -> tuple[list[tuple[str, bytes]], bytes | None]:
        """Go on: the sealed messages of the next exchange, or the outcome once it is there.

        Raises StepRefused for a session that is not under way here.
        """
        sitting = self._sitting
        if sitting is None or sitting.number != session:
            raise StepRefused(f"{self._name} has no session {session} under way")
        return sitting.exchange(number, received), sitting.outcome

    def slices(
        self, key: AttemptKey, number: int, committee: tuple[str, ...], samples: Mapping[str, int],
        challenge: bytes,
    ) -> Callable[[Session], Program[bytes]]:  # fmt: skip
        """The program that checks donated rows; `samples` maps donors to their numbers of rows."""
        custody = self._custody_of(key)
        donated = Donated(
            rows=dict(samples),
            shares={name: custody.kept(name) for name in samples},
            inputs=self._plan.data.inputs,
            classes=len(self._plan.data.classes),
            challenge=challenge,
        )
        return lambda session: slice_program(session, donated, number, committee)

    def updates(
        self,
        key: AttemptKey,
        number: int,
        committee: tuple[str, ...],
        names: Sequence[str],
        donation: AttemptKey,
        model: bytes,
        norm_bound: int,
        challenge: bytes,
        untrained: bool,
    ) -> Callable[[Session], Program[bytes]]:
        """The program that tests the updates of `names` on the donated slices."""
        custody = self._custody_of(key)
        shares = np.stack([custody.kept(name) for name in names])
        length = shares.shape[1] - self._plan.shares_clip_bit
        updates = Updates(
            names=tuple(names),
            shares=np.ascontiguousarray(shares[:, :length]),
            clip_bits=shares[:, length].copy() if self._plan.shares_clip_bit else None,
            model=model,
            norm_bound=norm_bound,
            challenge=challenge,
            first_round=untrained,
        )
        slices = self._kept_slices(donation)
        plan, rule = self._plan, self._plan.rule
        return lambda session: update_program(
            session, plan, rule, updates, slices, number, committee
        )

    def keep_slices(self, key: AttemptKey, outcome: SliceOutcome) -> None:
        """Note which slices stand, with the sizes of their classes."""
        self._store.record(f"{attempt_place(key)}/slices", outcome.to_bytes())

    def _kept_slices(self, donation: AttemptKey) -> list[Slice]:
        stored = self._store.get(f"{attempt_place(donation)}/slices")
        if donation.round != DONATION or stored is None:
            raise StepRefused(f"{self._name} holds no donated slices")
        custody = self._custody_of(donation)
        inputs, classes = self._plan.data.inputs, len(self._plan.data.classes)
        return [
            Slice.of(name, sizes, custody.kept(name), inputs, classes)
            for name, sizes in read_slices(stored).sizes.items()
        ]
