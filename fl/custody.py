"""A node's secrets of one attempt: its seat (nonce, receiving key) and the shares dealt to it."""

from __future__ import annotations

import secrets

import numpy as np

from contracts.records import AgreedSet, AttemptKey, SubmissionRecord
from crypto.context import Context
from crypto.digest import merkle_root, share_digest
from crypto.envelope import (
    Envelope,
    PrivateKey,
    load_private_key,
    new_private_key,
    open_sealed,
    private_key_bytes,
)
from crypto.errors import EncodingError, EnvelopeError, FieldError, SealError
from crypto.field import F61
from crypto.kernels import Words
from crypto.vss import DISPUTED, MASKS, MISSING, Answer, answer
from fl.dealing import SALT_BYTES
from fl.errors import StepRefused
from fl.messages import SHARE, Submission, pack, unpack
from fl.party import attempt_place
from fl.plan import Member, Plan
from fl.store import PartyStore

_KEPT = "kept"
_NONCE_BYTES = 32


class Custody:
    """What node `name` holds in the attempt `key`; `length` is the number of summed entries."""

    def __init__(
        self, name: str, plan: Plan, key: AttemptKey, context: Context, store: PartyStore
    ) -> None:
        self._name = name
        self._plan = plan
        self._context = context
        self._store = store
        self._place = attempt_place(key)

    def take_seat(self) -> None:
        """Draw nonce and receiving key, unless they were drawn before."""
        self._store.remember(
            f"{self._place}/seat",
            lambda: pack(secrets.token_bytes(_NONCE_BYTES), private_key_bytes(new_private_key())),
        )

    @property
    def nonce(self) -> bytes:
        """The nonce that was committed to. Raises StepRefused without a seat."""
        return self._seat()[0]

    @property
    def receiving_key(self) -> PrivateKey:
        """The key that the envelopes are sealed to. Raises StepRefused without a seat."""
        return load_private_key(self._seat()[1])

    def keep_share(
        self,
        record: SubmissionRecord,
        submission: Submission | None,
        seats: list[str],
        length: int,
    ) -> None:
        """Open this node's envelope of a submission and keep the share of `length` entries.

        What is missing, or was sent wrongly, is remembered as such and never changes again.
        """
        dealer = self._plan.hospital(self._plan.name_of(record.hospital))
        place = f"{self._place}/share/{dealer.name}"
        self._store.remember(
            place, lambda: pack(*self._open(dealer, record, submission, seats, length))
        )

    def answer(self, hospital: str, scalars: tuple[int, ...]) -> Answer:
        """The values for a challenge, or what is wrong with the share."""
        status, share = self._share(hospital)
        return answer(F61.from_bytes(share), scalars) if status == _KEPT else status

    def kept(self, hospital: str) -> Words:
        """This node's share of a hospital's vector, without the masks. Raises StepRefused."""
        status, share = self._share(hospital)
        if status != _KEPT:
            raise StepRefused(f"{self._name} has no share of {hospital} ({status})")
        return F61.from_bytes(share)[:-MASKS]

    def weighted_sum(self, agreed: AgreedSet, length: int) -> Words:
        """This node's share of the agreed sum of the first `length` entries.

        Raises StepRefused without a share.
        """
        rows = [self.kept(self._plan.name_of(account))[:length] for account in agreed.accepted]
        return F61.combine(np.stack(rows), np.array(agreed.weights, dtype=np.uint64))

    def erase(self) -> None:
        """Forget the seat and the shares."""
        self.leave_seat()
        self._store.erase(f"{self._place}/share")

    def leave_seat(self) -> None:
        """Forget nonce and receiving key; the shares stay."""
        self._store.erase(f"{self._place}/seat")

    def _seat(self) -> tuple[bytes, bytes]:
        stored = self._store.get(f"{self._place}/seat")
        if stored is None:
            raise StepRefused(f"{self._name} has no seat in this attempt")
        nonce, receiving_key = unpack(stored, bytes, bytes)
        return nonce, receiving_key

    def _share(self, hospital: str) -> tuple[str, bytes]:
        stored = self._store.get(f"{self._place}/share/{hospital}")
        if stored is None:
            return MISSING, b""
        status, share = unpack(stored, str, bytes)
        return status, share

    def _open(
        self,
        dealer: Member,
        record: SubmissionRecord,
        submission: Submission | None,
        seats: list[str],
        length: int,
    ) -> tuple[str, bytes]:
        # Digests that are not the committed ones are the carrier's fault, so nobody is accused.
        if submission is None or merkle_root(submission.digests) != record.share_root:
            return MISSING, b""
        if len(submission.digests) != len(seats):
            return DISPUTED, b""
        # The root covers the digests, not the envelopes: a carrier may have dropped one.
        if len(submission.envelopes) != len(seats):
            return MISSING, b""
        own = seats.index(self._name)
        try:
            plain = self._unseal(dealer, submission.envelopes[own])
        except SealError:
            return DISPUTED, b""
        except (EnvelopeError, EncodingError):
            return MISSING, b""
        salt, share = plain[:SALT_BYTES], plain[SALT_BYTES:]
        digest = share_digest(self._context, dealer.name, self._name, salt, share)
        if digest != submission.digests[own] or not _well_formed(share, length):
            return DISPUTED, b""
        return _KEPT, share

    def _unseal(self, dealer: Member, envelope: bytes) -> bytes:
        return open_sealed(
            self._context,
            SHARE,
            dealer.name,
            Envelope.from_bytes(envelope),
            dealer.verifying_key,
            self._name,
            self.receiving_key,
        )


def _well_formed(share: bytes, length: int) -> bool:
    try:
        return F61.from_bytes(share).size == length + MASKS
    except FieldError:
        return False
