"""The installation's federation: chain, contract, and the parties with their keys and accounts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError, SetupError
from app.models import DeploymentRow, PartyRow
from app.services.keys import KeyRing, Keys
from app.stores.outbox import TableOutbox
from config import DATASETS, Settings
from contracts.artifact import APPEALS, MODELS
from contracts.chain import ChainEndpoint, connect, fund
from contracts.delivery import Delivery
from contracts.errors import RpcFailed, WrongChain
from contracts.ledger import Ledger
from contracts.outbox import Outbox
from contracts.records import Permission, Policy, Role
from contracts.rpc import Rpc
from fl.datasets import use_folder
from fl.plan import Member

logger = logging.getLogger(__name__)

COORDINATOR = "Coordinator"
# The other administrator: what the rules and the nodes are, two decide.
DEPUTY = "Deputy"
HOSPITAL = "hospital"
NODE = "node"
_ROLES = {HOSPITAL: Role.HOSPITAL, NODE: Role.NODE}


@dataclass(frozen=True)
class Federation:
    """What a training needs of the installation."""

    settings: Settings
    database: Database
    endpoint: ChainEndpoint
    ledger: Ledger
    deployment: int
    key_ring: KeyRing
    outbox: Outbox

    def ledger_of(self, keys: Keys) -> Ledger:
        """The contract as this party's account sees it; what it sends goes through the outbox."""
        return Ledger(self.endpoint.url, self.ledger.contract, keys.chain, self.outbox)

    def reader(self) -> Ledger:
        """The contract without an account: it can be read, not written."""
        return Ledger(self.endpoint.url, self.ledger.contract)

    def keys(self, name: str) -> Keys:
        """The keys of a party, created on first use."""
        return self.key_ring.keys(name)

    def node_names(self) -> list[str]:
        """The aggregator nodes of this installation."""
        return [f"Node {number}" for number in range(1, self.settings.nodes + 1)]

    def enrol(self, names: Sequence[str], role: str) -> tuple[Member, ...]:
        """The parties as members of a plan: keys made, account funded and registered, once each.

        Raises RequestError for a party whose key is not the one in force on the ledger.
        """
        keys = [self.keys(name) for name in names]
        fund(self.endpoint, [one.account for one in keys])
        members = [Member(one.name, one.account, one.public_key.hex()) for one in keys]
        for one in keys:
            self._register(one, _ROLES[role])
        if role == NODE:
            self._seat([member.account for member in members])
        self._note(members, role)
        return tuple(members)

    def policy(self, task: str) -> Policy:
        """The rules of a task: the registry's, where it has none yet the default ones from now on.

        Raises RequestError for a task that its administrators do not allow.
        """
        registry = self.ledger.registry
        found = registry.policy(task)
        if found.step_blocks == 0:
            self.set_policy(task, Policy())
            found = registry.policy(task)
        if not found.allowed:
            raise RequestError(
                f"the federation's policy forbids the task {task}: python3 run.py policy shows it"
            )
        return found

    def set_policy(self, task: str, policy: Policy) -> None:
        """Change the rules of a task: both administrators of this installation decide."""
        with self.deputy() as deputy:
            self.ledger.registry.set_policy(task, policy)
            deputy.registry.set_policy(task, policy)

    def _register(self, keys: Keys, role: Role) -> None:
        known = self.ledger.registry.find_party(keys.account)
        if known is None or known.role != role:
            self.ledger.registry.register(keys.account, role, keys.public_key)
        elif known.public_key != keys.public_key:
            standing = "another key" if known.public_key else "no key"
            raise RequestError(
                f"the ledger has {standing} of {keys.name} in force: "
                f'python3 run.py keys rotate "{keys.name}" puts that right'
            )

    def _seat(self, accounts: Sequence[str]) -> None:
        """See that these nodes are among those that the registry has; else they replace them."""
        if not set(accounts) <= set(self.ledger.registry.nodes()):
            with self.deputy() as deputy:
                self.ledger.registry.set_nodes(accounts)
                deputy.registry.set_nodes(accounts)

    @contextmanager
    def deputy(self) -> Iterator[Ledger]:
        """The contracts as the other administrator's account sees them, until the end."""
        keys = self.keys(DEPUTY)
        fund(self.endpoint, [keys.account])
        ledger = self.ledger_of(keys)
        try:
            yield ledger
        finally:
            ledger.close()

    def _note(self, members: Sequence[Member], role: str) -> None:
        with self.database.transaction() as session:
            for member in members:
                row = session.scalars(select(PartyRow).filter_by(name=member.name)).one_or_none()
                row = row or PartyRow(name=member.name)
                row.role, row.account = role, member.account
                row.public_key = member.public_key
                session.add(row)


@contextmanager
def open_federation(settings: Settings) -> Iterator[Federation]:
    """Database migrated, chain reached, contract deployed; closed again at the end.

    Raises ChainUnreachable, and SetupError when the chain does not hold this installation's
    contract or the keystores do not open.
    """
    settings.instance_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    use_folder(settings.instance_dir / DATASETS)
    database = Database(settings.database)
    try:
        database.migrate()
        folder = settings.instance_dir
        with connect(folder, rpc_url=settings.chain_rpc_url) as endpoint:
            key_ring = KeyRing.of(settings)
            keys = key_ring.keys(COORDINATOR)
            deputy = key_ring.keys(DEPUTY)
            fund(endpoint, [keys.account])
            genesis = _genesis(endpoint)
            outbox = TableOutbox(database, genesis)
            _deliver(endpoint, outbox)
            row = _deployment(database, endpoint, genesis)
            if row is None:
                ledger = Ledger.deploy(endpoint.url, keys.chain, deputy.account, outbox)
                row = _note_deployment(database, endpoint, genesis, ledger)
            else:
                ledger = _deployed(endpoint, row.contract, keys, outbox)
            try:
                yield Federation(settings, database, endpoint, ledger, row.id, key_ring, outbox)
            finally:
                ledger.close()
    finally:
        database.close()


def _genesis(endpoint: ChainEndpoint) -> str:
    """The hash of the chain's first block, which tells it from every other one."""
    with Rpc(endpoint.url) as rpc:
        return str(rpc.call("eth_getBlockByNumber", "0x0", False)["hash"].removeprefix("0x"))


def _deliver(endpoint: ChainEndpoint, outbox: Outbox) -> None:
    """Send what earlier lives signed and left behind."""
    with Rpc(endpoint.url) as rpc:
        try:
            Delivery(rpc, outbox).bring_all()
        except RpcFailed as error:
            # Whoever needs it does it again; the reason is known here only.
            logger.warning("the chain takes a transaction of the outbox no more: %s", error)


def _deployment(database: Database, endpoint: ChainEndpoint, genesis: str) -> DeploymentRow | None:
    """The installation's contracts on this chain, or None before the chain's first use."""
    with database.transaction() as session:
        row = session.scalars(select(DeploymentRow).filter_by(genesis_hash=genesis)).one_or_none()
        if row is None:
            _check_not_lost(session, endpoint)
        return row


def _note_deployment(
    database: Database, endpoint: ChainEndpoint, genesis: str, ledger: Ledger
) -> DeploymentRow:
    row = DeploymentRow(
        chain_id=endpoint.chain_id,
        chain_kind=endpoint.kind,
        genesis_hash=genesis,
        contract=ledger.contract,
        models=ledger.addresses.get(MODELS),
        appeals=ledger.addresses.get(APPEALS),
    )
    with database.transaction() as session:
        session.add(row)
    return row


def _deployed(endpoint: ChainEndpoint, contract: str, keys: Keys, outbox: Outbox) -> Ledger:
    """The contracts that were deployed before, as the coordinator's account sees them."""
    try:
        ledger = Ledger(endpoint.url, contract, keys.chain, outbox)
    except WrongChain as error:
        raise SetupError(
            f"the chain at {endpoint.url} lost the contract {contract}: it was reset. "
            "Restore its data, or start over with another CONSILIUM_INSTANCE folder"
        ) from error
    if not ledger.registry.has(Permission.COORDINATOR, keys.account):
        raise SetupError(
            f"this installation's coordinator {keys.account} is not the one of the contract "
            f"{contract}"
        )
    return ledger


def _check_not_lost(session: Session, endpoint: ChainEndpoint) -> None:
    """Refuse a second embedded chain: what the first recorded would stand without proof."""
    query = select(DeploymentRow.contract).filter_by(chain_kind="embedded")
    contract = session.scalars(query).first()
    if endpoint.kind == "embedded" and contract is not None:
        raise SetupError(
            f"the embedded chain is not the one that holds the contract {contract}: chain.db was "
            "removed or replaced. Restore it, or start over with another CONSILIUM_INSTANCE folder"
        )
