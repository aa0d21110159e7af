"""A whole federation for tests: the four heart hospitals, four nodes, a contract, a database.

A faulty party is a subclass of `Node` or `Hospital` that overrides a step; a faulty network or
coordinator is an engine around the ordinary one. `Federation` reads what all parties hold, which no
party could do: that is what a test needs to compare.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from eth_account import Account
from numpy.typing import NDArray
from sqlalchemy import select

from app.database import Database
from app.models import AttemptRow, DeploymentRow, StepRow, TrainingRow
from app.stores.party_files import PartyFiles
from app.stores.rounds import Rounds
from contracts.chain import ChainEndpoint, fund
from contracts.ledger import Ledger
from contracts.records import AttemptKey, AttemptState, Policy, Role, Standing
from crypto.digest import load_model, model_bytes
from crypto.envelope import new_private_key, private_key_bytes, public_key_bytes
from fl.aggregates import aggregate_for
from fl.attacks.part import HONEST_PART, Part
from fl.channel import Channel, Engine
from fl.coordinator import Attempt
from fl.datasets import SplitRule, Statistics, Table, get_task
from fl.engines.in_process import InProcess
from fl.federated_training import Ending, FederatedTraining, open_training
from fl.hospital import Hospital
from fl.networks import flatten, unflatten
from fl.node import Node
from fl.party import Identity, Party, attempt_place
from fl.plan import Member, Plan, Review
from fl.round import Event
from fl.training import LocalSettings
from tests.fl.protocol.engines import Recorder

HOSPITALS = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
NODES = ("Node 1", "Node 2", "Node 3", "Node 4")
TRAINING = bytes(range(32))
LOCAL = LocalSettings(
    epochs=1, batch_size=64, learning_rate=0.01, norm_bound=1.5, class_weighted=True
)

Parties = Mapping[str, type[Party]]


def attempt_key(round_number: int = 1, attempt: int = 1) -> AttemptKey:
    return AttemptKey(TRAINING, round_number, attempt)


class Federation:
    """Parties with fresh keys on a fresh contract; `faulty` says who is not what it should be.

    `course` holds further fields of the plan.
    """

    def __init__(
        self,
        chain: ChainEndpoint,
        folder: Path,
        blank: Path,
        *,
        rounds: int = 1,
        seed: int = 7,
        local: LocalSettings = LOCAL,
        faulty: Parties | None = None,
        review: Review | None = None,
        parts: Mapping[str, Part] | None = None,
        **course: object,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.database_file = folder / "consilium.db"
        shutil.copy(blank, self.database_file)
        self.database = Database(f"sqlite:///{self.database_file}")
        lead, deputy = _chain_key(), _chain_key()
        self.deputy_key = deputy
        self._keys = {name: (_chain_key(), new_private_key()) for name in (*HOSPITALS, *NODES)}
        keys = [lead, deputy, *(key for key, _ in self._keys.values())]
        fund(chain, [Account.from_key(key).address for key in keys])
        self.ledger = Ledger.deploy(chain.url, lead, Account.from_key(deputy).address)
        self.store = Rounds(self.database, TRAINING)
        self.tables: Mapping[str, Table] = get_task("heart").load()
        self._chain = chain
        self._parts = parts or {}
        self.plan = replace(self._plan(rounds, seed, local, review), **course)  # type: ignore[arg-type]
        self._register(deputy)
        self._note_training()
        open_training(self.plan, TRAINING, self.ledger)
        self.parties = {n: self._party(n, (faulty or {}).get(n)) for n in self._keys}
        self.events: list[Event] = []
        self.channel = Channel(self.engine())
        self.recorder: Recorder | None = None

    def close(self) -> None:
        for ledger in (self.ledger, *(party.ledger for party in self.parties.values())):
            ledger.close()
        self.database.close()

    # Running

    def engine(self) -> InProcess:
        """The ordinary engine, to be wrapped in another."""
        return InProcess(self.parties)

    def run(
        self, engine: Engine | None = None, stop_requested: Callable[[], bool] = lambda: False
    ) -> Ending:
        """Run, or resume, the training to its end."""
        self.channel = Channel(engine or self.engine())
        return FederatedTraining(
            self.plan,
            TRAINING,
            self.ledger,
            self.channel,
            self.store,
            self.events.append,
            stop_requested,
        ).run()

    def attempt(self, key: AttemptKey, engine: Engine | None = None) -> Attempt:
        """One attempt, to be driven by hand."""
        self.channel = Channel(engine or self.engine())
        return Attempt(self.plan, key, self.ledger, self.channel, self.store, self.events.append)

    def run_statistics(self) -> None:
        """Bring round 0 behind us, everybody following the protocol."""
        self.attempt(attempt_key(0)).run()

    def ledger_of(self, name: str) -> Ledger:
        """Another connection of that party's account."""
        return Ledger(self._chain.url, self.ledger.contract, self._keys[name][0])

    # Looking

    def node(self, name: str) -> Node:
        party = self.parties[name]
        assert isinstance(party, Node)
        return party

    def hospital(self, name: str) -> Hospital:
        party = self.parties[name]
        assert isinstance(party, Hospital)
        return party

    def party_folder(self, name: str) -> Path:
        return self.folder / "parties" / name

    def secrets_of(self, name: str) -> bytes:
        """A party's P-256 scalar."""
        return private_key_bytes(self._keys[name][1])

    def result(self, key: AttemptKey) -> bytes:
        """The finalised result of an attempt, as the coordinator stores it."""
        found = self.store.result(self.ledger.attempt(key).result_hash or b"")
        assert found is not None
        return found

    def model_before(self, key: AttemptKey) -> bytes:
        digest = self.ledger.attempt(key).model_in
        return self.store.result(digest) or self.plan.initial_model()

    def update(self, name: str, key: AttemptKey) -> list[int]:
        """A hospital's encoded update, from its own folder, as Python integers."""
        stored = self.parties[name].store.get(f"{attempt_place(key)}/update")
        assert stored is not None
        return [int(value) for value in np.frombuffer(stored, dtype="<i8")]

    def accepted(self, key: AttemptKey) -> dict[str, int]:
        """Hospitals and weights of the agreed set, as the ledger holds them."""
        submissions = self.ledger.submissions(key)
        return {self.plan.name_of(s.hospital): s.weight for s in submissions if s.weight}

    def expected_result(self, key: AttemptKey) -> bytes:
        """What the round must yield, by Python integers from the accepted hospitals' own folders.

        The sum in round 0, integer FedAvg in every other.
        """
        weights = self.accepted(key)
        length = aggregate_for(self.plan, key.round, b"").summed
        updates = {name: self.update(name, key)[:length] for name in weights}
        total = [
            sum(w * x for w, x in zip(weights.values(), column, strict=True))
            for column in zip(*updates.values(), strict=True)
        ]
        if key.round == 0:
            sums = tuple(value / 2**16 for value in total)
            return Statistics(self.plan.task, sums).to_json().encode()
        delta = np.array([value / sum(weights.values()) / 2**16 for value in total])
        return self._moved(self.model_before(key), delta)

    def check_round(self, number: int, culprit: str, out: tuple[str, ...] = ()) -> None:
        """Assert that a round is finalised with the right result, `culprit` alone named.

        All hospitals are accepted but those in `out`.
        """
        key = attempt_key(number)
        assert self.ledger.attempt(key).state == AttemptState.FINALISED, number
        assert set(self.accepted(key)) == set(HOSPITALS) - set(out), number
        assert self.result(key) == self.expected_result(key), number
        assert set(self.faults(key)) == {culprit}, number

    def faults(self, key: AttemptKey) -> dict[str, list[tuple[str, str]]]:
        """Who was named in an attempt: by party, each (step, reason)."""
        named: dict[str, list[tuple[str, str]]] = {}
        with self.database.transaction() as session:
            query = select(AttemptRow).filter_by(round=key.round, number=key.attempt)
            for fault in session.scalars(query).one().faults:
                named.setdefault(fault.party, []).append((fault.step, fault.reason))
        return named

    def kinds(self, key: AttemptKey) -> dict[str, list[str]]:
        """The kinds of error of who was named in an attempt, "" where no error tells of it."""
        named: dict[str, list[str]] = {}
        with self.database.transaction() as session:
            query = select(AttemptRow).filter_by(round=key.round, number=key.attempt)
            for fault in session.scalars(query).one().faults:
                assert fault.at is not None
                named.setdefault(fault.party, []).append(fault.kind)
        return named

    def steps(self, key: AttemptKey) -> list[StepRow]:
        """The finished steps of an attempt with their costs, in order."""
        with self.database.transaction() as session:
            query = select(AttemptRow).filter_by(round=key.round, number=key.attempt)
            return list(session.scalars(query).one().steps)

    def standings(self, key: AttemptKey) -> dict[str, Standing]:
        """The nodes that joined, with their standing on the ledger."""
        joins = self.ledger.joins(key)
        return {self.plan.name_of(join.node): join.standing for join in joins}

    def events_named(self, *names: str) -> list[Mapping[str, object]]:
        """The values of the contract's events of these names, in order."""
        return [event.values for event in self.ledger.events() if event.name in names]

    def disputes(self) -> set[tuple[str, str]]:
        """The pairs (hospital, node) that stand on the ledger."""
        name = self.plan.name_of
        return {
            (name(str(e["hospital"])), name(str(e["node"]))) for e in self.events_named("Disputed")
        }

    # Wiring

    def _moved(self, model: bytes, delta: NDArray[np.float64]) -> bytes:
        _, parameters = load_model(model)
        moved = unflatten(self.plan.spec, flatten(self.plan.spec, parameters) + delta)
        return model_bytes(self.plan.network, moved)

    def _member(self, name: str) -> Member:
        chain_key, signing = self._keys[name]
        account = str(Account.from_key(chain_key).address)
        return Member(name, account, public_key_bytes(signing.public_key()).hex())

    def _plan(self, rounds: int, seed: int, local: LocalSettings, review: Review | None) -> Plan:
        task = get_task("heart")
        return Plan(
            task=task.name,
            partition=task.partition,
            split=SplitRule(),
            network="mlp",
            rounds=rounds,
            local=local,
            seed=seed,
            hospitals=tuple(map(self._member, HOSPITALS)),
            nodes=tuple(map(self._member, NODES)),
            review=review,
        )

    def _register(self, deputy: bytes) -> None:
        for role, members in ((Role.HOSPITAL, self.plan.hospitals), (Role.NODE, self.plan.nodes)):
            for member in members:
                key = bytes.fromhex(member.public_key)
                self.ledger.registry.register(member.account, role, key)
        second = Ledger(self._chain.url, self.ledger.contract, deputy)
        for one in (self.ledger, second):
            one.registry.set_nodes([member.account for member in self.plan.nodes])
            one.registry.set_policy(self.plan.task, Policy())
        second.close()

    def _note_training(self) -> None:
        with self.database.transaction() as session:
            deployment = DeploymentRow(
                chain_id=self.ledger.chain_id,
                chain_kind="embedded",
                genesis_hash="0" * 64,
                contract=self.ledger.contract,
            )
            session.add(deployment)
            session.flush()
            session.add(
                TrainingRow(
                    id=TRAINING.hex(),
                    task=self.plan.task,
                    network=self.plan.network,
                    seed=self.plan.seed,
                    rounds=self.plan.rounds,
                    plan=self.plan.to_json(),
                    plan_sha256=self.plan.digest().hex(),
                    initial_sha256="",
                    deployment_id=deployment.id,
                )
            )

    def _party(self, name: str, kind: type[Party] | None) -> Party:
        identity = Identity(name, self._keys[name][1])
        ledger = self.ledger_of(name)
        store = PartyFiles(self.party_folder(name))
        common = (identity, self.plan, TRAINING, ledger, store)
        if name in HOSPITALS:
            maker = kind or Hospital
            assert issubclass(maker, Hospital)
            return maker(*common, self.tables[name], self._parts.get(name, HONEST_PART))
        return (kind or Node)(*common)


def _chain_key() -> bytes:
    return bytes(Account.create().key)
