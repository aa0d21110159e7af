"""An installation meets its chain: the contract is deployed once, and a lost one is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from app.errors import SetupError
from app.models import DeploymentRow, PartyRow
from app.services.federation import HOSPITAL, NODE, open_federation
from config import Settings
from contracts.chain import ChainEndpoint
from contracts.errors import ChainUnreachable
from contracts.records import Role
from tests.app.installations import settings_of

pytestmark = pytest.mark.slow

NAMES = ["Cleveland", "Hungary", "VA Long Beach"]


def start(settings: Settings) -> None:
    with open_federation(settings):
        pass


def test_the_second_start_finds_the_contract_and_the_parties(
    tmp_path: Path, chain: ChainEndpoint
) -> None:
    settings = settings_of(tmp_path / "one", chain)
    seen = []
    for _ in range(2):
        with open_federation(settings) as federation:
            members = federation.enrol(NAMES, HOSPITAL)
            seen.append((federation.ledger.contract, federation.deployment, members))
            with federation.database.transaction() as session:
                assert len(session.scalars(select(DeploymentRow)).all()) == 1
                assert len(session.scalars(select(PartyRow)).all()) == len(NAMES)
    assert seen[0] == seen[1]


def test_parties_are_registered_with_their_keys_and_roles(
    tmp_path: Path, chain: ChainEndpoint
) -> None:
    with open_federation(settings_of(tmp_path / "one", chain)) as federation:
        hospitals = federation.enrol(NAMES, HOSPITAL)
        nodes = federation.enrol(federation.node_names(), NODE)
        assert [node.name for node in nodes] == ["Node 1", "Node 2", "Node 3", "Node 4"]
        for members, role in ((hospitals, Role.HOSPITAL), (nodes, Role.NODE)):
            for member in members:
                record = federation.ledger.registry.find_party(member.account)
                assert record is not None
                assert (record.role, record.public_key.hex()) == (role, member.public_key)
        with federation.database.transaction() as session:
            rows = {row.name: row.account for row in session.scalars(select(PartyRow))}
        assert rows == {member.name: member.account for member in (*hospitals, *nodes)}


def test_two_installations_on_a_chain_have_a_contract_each(
    tmp_path: Path, chain: ChainEndpoint
) -> None:
    contracts = set()
    for name in ("one", "two"):
        with open_federation(settings_of(tmp_path / name, chain)) as federation:
            contracts.add(federation.ledger.contract)
    assert len(contracts) == 2


def test_a_lost_embedded_chain_is_told_and_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with open_federation(settings_of(folder)) as federation:
        contract = federation.ledger.contract
    for file in folder.glob("chain.*"):
        file.unlink()
    for _ in range(2):
        with pytest.raises(SetupError, match=f"the contract {contract}: chain.db was removed"):
            start(settings_of(folder))


def test_a_chain_without_the_contract_is_told(tmp_path: Path, chain: ChainEndpoint) -> None:
    settings = settings_of(tmp_path / "one", chain)
    missing = "0x" + "11" * 20
    with open_federation(settings) as federation, federation.database.transaction() as session:
        session.scalars(select(DeploymentRow)).one().contract = missing
    with pytest.raises(SetupError, match=f"lost the contract {missing}.*CONSILIUM_INSTANCE"):
        start(settings)


def test_another_chain_gets_a_contract_of_its_own(tmp_path: Path, chain: ChainEndpoint) -> None:
    folder = tmp_path / "one"
    with open_federation(settings_of(folder)) as federation:
        embedded = federation.ledger.contract, federation.deployment
    with open_federation(settings_of(folder, chain)) as federation:
        assert federation.deployment != embedded[1]
    with open_federation(settings_of(folder)) as federation:
        assert (federation.ledger.contract, federation.deployment) == embedded


def test_a_lost_key_of_the_coordinator_is_told(tmp_path: Path, chain: ChainEndpoint) -> None:
    settings = settings_of(tmp_path / "one", chain)
    start(settings)
    shutil.rmtree(settings.instance_dir / "parties")
    with pytest.raises(SetupError, match=r"coordinator 0x\w+ is not the one of the contract 0x"):
        start(settings)


def test_a_chain_that_does_not_answer_is_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CHAIN_RPC_URL="http://127.0.0.1:9")
    with pytest.raises(ChainUnreachable, match=r"127\.0\.0\.1:9"):
        start(settings)
