"""A node's seat in one session of the review: the program it runs, and sealed links to the others.

A session lives in memory only. What is on disk is that its number was used: streams derive from it,
so a session that was cut short is never taken up again but begun anew under another number. Nodes
exchange their messages past whoever carries them: encrypted and authenticated under a key that only
the two ends have, in the order in which they were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.context import Context
from crypto.envelope import PrivateKey, PublicKey
from crypto.mpc.session import Committee, Inbox, Outbox, Program, Role, Session
from fl.errors import MessageError, StepRefused

SECRET_LABEL = "consilium/review-secret/v1"  # noqa: S105 -- a label, not a secret
LINK_LABEL = "consilium/review-link/v1"
SESSION_LABEL = "consilium/review-session/v1"
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Members:
    """The committee of a session: names in the order A, B, C, their points and receiving keys."""

    names: tuple[str, str, str]
    points: tuple[int, int, int]
    receiving_keys: tuple[PublicKey, PublicKey, PublicKey]


class Sitting:
    """Node `name` in the session `number` of the attempt that `context` names.

    `program` makes this party's program from its `Session`; its value is the outcome's bytes.
    """

    def __init__(
        self,
        context: Context,
        number: int,
        members: Members,
        name: str,
        key: PrivateKey,
        program: Callable[[Session], Program[bytes]],
    ) -> None:
        self.number = number
        self.outcome: bytes | None = None
        self._names = members.names
        self._role = Role(members.names.index(name))
        self._round = 0
        self._said: tuple[int, list[tuple[str, bytes]]] | None = None
        bound = context.bind(SESSION_LABEL, number, list(members.names))
        shared = {
            role: key.exchange(ec.ECDH(), members.receiving_keys[role])
            for role in Role
            if role != self._role
        }
        self._links = {r: AESGCM(_derive(s, LINK_LABEL, bound)) for r, s in shared.items()}
        secrets = {role: _derive(s, SECRET_LABEL, bound) for role, s in shared.items()}
        session = Session(self._role, Committee(members.points), secrets, bound)
        self._program = program(session)

    def begin(self) -> list[tuple[str, bytes]]:
        """Run to the first exchange: the sealed messages to send, each with its receiver."""
        return self._advance(None)

    def exchange(
        self, number: int, received: Mapping[str, bytes | memoryview]
    ) -> list[tuple[str, bytes]]:
        """Take the messages of exchange `number`, run on; the sealed messages of the next one.

        The same exchange again gets the same answer. Raises StepRefused out of order, MessageError
        for a message that is not its sender's, CryptoError when the program cannot go on.
        """
        if self._said is not None and self._said[0] == number:
            return self._said[1]
        if number != self._round or self.outcome is not None:
            raise StepRefused(f"expected exchange {self._round} of the review, got {number}")
        inbox = {self._known(sender): self._open(sender, data) for sender, data in received.items()}
        sent = self._advance(inbox)
        self._said = (number, sent)
        return sent

    def _advance(self, inbox: Inbox | None) -> list[tuple[str, bytes]]:
        try:
            outbox = next(self._program) if inbox is None else self._program.send(inbox)
        except StopIteration as ended:
            self.outcome = ended.value
            return []
        self._round += 1
        return self._seal(outbox)

    def _seal(self, outbox: Outbox) -> list[tuple[str, bytes]]:
        return [
            (self._names[role], self._links[role].encrypt(self._nonce(self._role), data, None))
            for role, data in outbox.items()
        ]

    def _open(self, sender: str, data: bytes | memoryview) -> bytes:
        role = self._known(sender)
        try:
            return self._links[role].decrypt(self._nonce(role), data, None)
        except InvalidTag as error:
            raise MessageError(f"expected a message of the review by {sender}") from error

    def _known(self, sender: str) -> Role:
        if sender not in self._names or self._names.index(sender) == self._role:
            raise MessageError(f"expected a message of another committee member, got {sender}'s")
        return Role(self._names.index(sender))

    def _nonce(self, sender: Role) -> bytes:
        """Twelve bytes that no other message under this key has: sender and exchange."""
        return int(sender).to_bytes(4, "big") + self._round.to_bytes(8, "big")


def _derive(shared: bytes, label: str, bound: bytes) -> bytes:
    info = label.encode() + b"\x00" + bound
    return HKDF(algorithm=SHA256(), length=_SECRET_BYTES, salt=None, info=info).derive(shared)
