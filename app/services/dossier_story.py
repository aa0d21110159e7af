"""What a dossier's signed transactions tell: the federation's members, the training, the attempt.

Every transaction must belong to it, in the chain's order, each once, signed by who may send it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.services.dossier_format import Dossier
from contracts.artifact import ANCHORS, APPEALS, FEDERATION, RECORDS, REGISTRY
from contracts.errors import BadEvidence
from contracts.evidence import CheckedBlock, Transaction, check_block, created_by, events_of
from contracts.groundwork import Earlier, Opening, open_training
from contracts.hearing import Hearing
from contracts.interface import Interface, interface
from contracts.members import Members
from contracts.records import AttemptKey, AttemptState, LedgerEvent, Permission, Role
from contracts.replay import NODES, Replay

# An account may call these of the registry for itself.
_OWN = frozenset({"rotateKey", "revokeKey", "renounceRole"})
# As what its sender signs a call; the others are the coordinator's.
_AS = {"submit": "hospital"} | dict.fromkeys(NODES, "node")


@dataclass
class Story:
    """The state after all transactions of a dossier; `signers` holds who signed, and as what.

    `opened` is the block in which the attempt was opened.
    """

    dossier: Dossier
    members: Members = field(default_factory=Members)
    opening: Opening | None = None
    replay: Replay | None = None
    earlier: dict[AttemptKey, Earlier] = field(default_factory=dict)
    keys: dict[str, bytes | None] = field(default_factory=dict)
    signers: set[tuple[str, str]] = field(default_factory=set)
    transactions: int = 0
    opened: int = 0

    def __post_init__(self) -> None:
        given = self.dossier
        self._places = addresses(given)
        self._interfaces: dict[str, Interface] = {
            self._places[name]: interface(name)
            for name in (FEDERATION, REGISTRY, APPEALS)
            if name in self._places
        }
        self.hearing = Hearing(given.training)
        self.key = AttemptKey(given.training, given.round, given.attempt)

    def tell(self) -> None:
        """Take in all blocks. Raises BadEvidence at the first that does not hold."""
        for block in self._blocks():
            for transaction in block.transactions:
                try:
                    self._take(transaction, block.number)
                except BadEvidence as error:
                    where = f"block {block.number}, transaction 0x{transaction.hash.hex()[:12]}"
                    raise BadEvidence(f"{where}: {error}") from error
        if self.replay is None or self.replay.state != AttemptState.FINALISED:
            raise BadEvidence("the transactions do not finish the attempt")
        if (APPEALS in self._places) != bool(self.hearing.calls):
            raise BadEvidence("it names the contract of the appeals, and shows none")

    def _blocks(self) -> Iterator[CheckedBlock]:
        last: CheckedBlock | None = None
        for given in self.dossier.blocks:
            block = check_block(given.evidence(), self.dossier.chain_id)
            if block.hash != given.hash:
                raise BadEvidence(f"the header of block {block.number} has another hash")
            named = [one.hash for one in given.transactions]
            if named != [one.hash for one in block.transactions]:
                raise BadEvidence(f"block {block.number} holds other transactions than are named")
            if last is not None and block.number <= last.number:
                raise BadEvidence(f"block {block.number} stands behind block {last.number}")
            if last and block.number == last.number + 1 and block.parent != last.hash:
                raise BadEvidence(f"block {block.number} does not follow block {last.number}")
            last = block
            yield block

    def _take(self, transaction: Transaction, block: int) -> None:
        self.transactions += 1
        if not transaction.succeeded:
            raise BadEvidence("it failed, so it shows nothing")
        events = [event for _, event in events_of(transaction, self._interfaces)]
        if transaction.to is None:
            made = created_by(transaction.sender, transaction.nonce)
            _require(made == self._places[REGISTRY], "it creates another contract")
            self._registry(events)
        elif transaction.to == self._places[REGISTRY]:
            self._call_registry(transaction, events)
        elif transaction.to == self._places[FEDERATION]:
            self._call_federation(transaction, events, block)
        elif transaction.to == self._places.get(APPEALS):
            self._hear(transaction, events, block)
        else:
            raise BadEvidence("it is for none of the federation’s contracts")

    def _call_registry(self, transaction: Transaction, events: list[LedgerEvent]) -> None:
        sender = transaction.sender
        function, values = _read(REGISTRY, transaction.data)
        entitled = function in _OWN or self.members.has(Permission.ADMINISTRATOR, sender)
        _require(entitled, f"{function}: {sender} is no administrator")
        if function == "register":
            said = {"account": values["account"], "role": values["role"]}
            _expect(events, "Registered", said | {"public_key": values["public_key"]})
        elif function == "rotateKey":
            _expect(events, "KeyRotated", {"account": sender, **values})
        self._registry(events)

    def _registry(self, events: list[LedgerEvent]) -> None:
        for event in events:
            if event.contract == self._places[REGISTRY]:
                self.members.apply(event)

    def _hear(self, transaction: Transaction, events: list[LedgerEvent], block: int) -> None:
        """An appeal, or what an administrator said of one."""
        sender = transaction.sender
        _require(self.replay is None, "an appeal follows the attempt, where it counts for nothing")
        function, values = _read(APPEALS, transaction.data)
        for name, said in self.hearing.apply(sender, function, values, self.members, block):
            _expect(events, name, said)
        self.signers.add((sender, "hospital" if function == "appeal" else "administrator"))

    def _call_federation(
        self, transaction: Transaction, events: list[LedgerEvent], block: int
    ) -> None:
        sender = transaction.sender
        function, values = _read(FEDERATION, transaction.data)
        if function == "openTraining":
            self._open_training(sender, values, events)
            return
        if self.opening is None or "key" not in values:
            raise BadEvidence(f"{function} does not belong to the training")
        key = AttemptKey(**values["key"])
        _require(key.training == self.key.training, f"{function} is of another training")
        if key == self.key:
            if self.replay is None:
                self.opened = block
            self._step(sender, function, values, events)
            return
        _require(self.replay is None, f"{function} of another attempt follows this one")
        earlier = self.earlier.setdefault(key, Earlier(self.opening, key))
        earlier.apply(sender, function, values)
        if function != "publishSet":
            self.signers.add((sender, "node"))

    def _open_training(
        self, sender: str, values: dict[str, Any], events: list[LedgerEvent]
    ) -> None:
        _require(self.opening is None, "it opens a training a second time")
        opening = open_training(sender, values, self.members)
        _require(opening.training == self.key.training, "it opens another training")
        said = {
            "training": opening.training,
            "config_hash": opening.config_hash,
            "initial_model": opening.initial_model,
            "hospitals": opening.hospitals,
            "nodes": opening.nodes,
            "quorum": opening.quorum,
        }
        _expect(events, "TrainingOpened", said)
        for role, accounts in ((Role.HOSPITAL, opening.hospitals), (Role.NODE, opening.nodes)):
            for account in accounts:
                known = self.members.roles.get(account) == role
                _require(known, f"{account} is not registered as a {role.name.lower()}")
        self.opening = opening
        self.signers.add((sender, "coordinator"))

    def _step(
        self, sender: str, function: str, values: dict[str, Any], events: list[LedgerEvent]
    ) -> None:
        if self.replay is None:
            self.replay = Replay(
                self._opened, self.key, self.dossier.chain_id, self._places[FEDERATION]
            )
            # The keys by which the parties' statements are read are those of this moment.
            accounts = (*self._opened.hospitals, *self._opened.nodes)
            self.keys = {account: self.members.key_of(account) for account in accounts}
        left = self.replay.apply(sender, function, values, self.members)
        for name, said in left:
            about = {"training": self.key.training, "round": self.key.round}
            _expect(events, name, about | {"attempt": self.key.attempt} | said)
        # Anybody may publish what a quorum agreed on.
        if function != "publishSet":
            self.signers.add((sender, _AS.get(function, "coordinator")))

    @property
    def _opened(self) -> Opening:
        if self.opening is None:
            raise BadEvidence("the attempt begins before its training")
        return self.opening


def addresses(dossier: Dossier) -> dict[str, str]:
    """The contracts' addresses by their names in `contracts.artifact`."""
    given = dossier.contracts
    found = {REGISTRY: given.registry, ANCHORS: given.anchors, RECORDS: given.records}
    found |= {APPEALS: given.appeals} if given.appeals else {}
    return found | {FEDERATION: given.federation}


def _read(contract: str, data: bytes) -> tuple[str, dict[str, Any]]:
    try:
        return interface(contract).call(data)
    except ValueError as error:
        raise BadEvidence(str(error)) from error


def _expect(events: list[LedgerEvent], name: str, said: dict[str, Any]) -> None:
    for event in events:
        if event.name == name and all(event.values[one] == value for one, value in said.items()):
            return
    raise BadEvidence(f"its receipt lacks the event {name} of what it says")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise BadEvidence(problem)
