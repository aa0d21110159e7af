"""What hospital and node have in common: name, key, account, folder, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.ledger import Ledger
from contracts.reader import LedgerReader
from contracts.records import AttemptKey
from crypto.context import Context
from crypto.envelope import PrivateKey
from fl.errors import ConflictError, StepRefused
from fl.messages import Statement, unpack
from fl.plan import Plan
from fl.store import PartyStore

Step = Callable[[AttemptKey, bytes], bytes]


@dataclass(frozen=True)
class Identity:
    """A party's name and its P-256 key, which signs what it says."""

    name: str
    key: PrivateKey


class Party:
    """A party of one training. It is handed its own keys, its own account, its own folder.

    `ask` is its only door: a step's name, the attempt, a message; a message comes back. Doing a
    step again returns what was returned before, as the same bytes.
    """

    def __init__(
        self, identity: Identity, plan: Plan, training: bytes, ledger: Ledger, store: PartyStore
    ) -> None:
        self.name = identity.name
        self.plan = plan
        self.training = training
        self.ledger = ledger
        self.store = store
        self._key = identity.key
        self._check_plan()

    def steps(self) -> Mapping[str, Step]:
        """The steps that this party does, by name."""
        raise StepRefused("expected a hospital or a node")

    def ask(self, step: str, key: AttemptKey, message: bytes) -> bytes:
        """Do a step of an attempt, on the chain as it is at its beginning and after each of its own
        transactions. Raises StepRefused for an unknown step or another training.
        """
        known = self.steps()
        if step not in known or key.training != self.training:
            raise StepRefused(f"{self.name} has no part in {step} of this training")
        with self.ledger.at_one_look():
            return known[step](key, message)

    def context(self, key: AttemptKey) -> Context:
        """What this attempt's digests, envelopes and signatures are bound to."""
        return context_of(self.ledger, key)

    def state(self, purpose: str, key: AttemptKey, body: bytes) -> bytes:
        """A signed statement of this party, as a message."""
        return Statement.make(self.context(key), self.name, self._key, purpose, body).to_bytes()

    def state_once(self, purpose: str, key: AttemptKey, body: bytes) -> bytes:
        """A signed statement that is kept, so that it is sent again as the same bytes.

        A signature holds a random number, so signing again would give others. Raises ConflictError
        when this party said something else before, for this purpose in this attempt.
        """
        place = f"{attempt_place(key)}/said/{purpose}"
        kept = self.store.remember(place, lambda: self.state(purpose, key, body))
        if unpack(kept, str, str, bytes, bytes)[2] != body:
            raise ConflictError(place)
        return kept

    def _check_plan(self) -> None:
        if self.ledger.training(self.training).config_hash != self.plan.digest():
            raise StepRefused(f"{self.name} was handed another configuration than the ledger's")


def context_of(ledger: LedgerReader, key: AttemptKey) -> Context:
    """The context of an attempt on the contract that the ledger speaks to."""
    contract = bytes.fromhex(ledger.contract.removeprefix("0x"))
    return Context(ledger.chain_id, contract, key.training, key.round, key.attempt)


def round_place(key: AttemptKey) -> str:
    """Where a party keeps what belongs to a round, whichever attempt."""
    return f"{key.training.hex()}/{key.round}"


def attempt_place(key: AttemptKey) -> str:
    """Where a party keeps what belongs to one attempt."""
    return f"{round_place(key)}/attempt-{key.attempt}"
