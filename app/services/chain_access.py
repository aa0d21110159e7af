"""The way of a web process to the chain: read only, to one that runs; it never starts one."""

from __future__ import annotations

from sqlalchemy import select

from app.database import Database
from app.models import DeploymentRow
from config import Settings
from contracts.chain import reach
from contracts.errors import WrongChain
from contracts.reader import LedgerReader
from contracts.rpc import Rpc


class ChainAccess:
    """Opens this installation's contract for reading; `Predictions` wants `open`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def open(self) -> LedgerReader:
        """The contract on the chain that runs now; whoever opens it closes it.

        Raises ChainUnreachable when none runs, and WrongChain when it is another one than ours.
        """
        settings = self._settings
        endpoint = reach(settings.instance_dir, rpc_url=settings.chain_rpc_url)
        return LedgerReader(endpoint.url, self._contract(endpoint.url))

    def chain_id(self) -> int:
        """The id of the chain that runs now. Raises as `open` does.

        Before the first training there is no contract yet, and any chain is ours.
        """
        settings = self._settings
        endpoint = reach(settings.instance_dir, rpc_url=settings.chain_rpc_url)
        with self._database.transaction() as session:
            deployed = session.scalar(select(DeploymentRow.id).limit(1)) is not None
        if deployed:
            self._contract(endpoint.url)
        return endpoint.chain_id

    def _contract(self, url: str) -> str:
        with Rpc(url) as rpc:
            genesis = rpc.call("eth_getBlockByNumber", "0x0", False)["hash"].removeprefix("0x")
        with self._database.transaction() as session:
            query = select(DeploymentRow.contract).filter_by(genesis_hash=genesis)
            contract = session.scalar(query)
        if contract is None:
            raise WrongChain("this installation's chain", f"another one at {url}")
        return contract
