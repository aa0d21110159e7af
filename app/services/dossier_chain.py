"""Whether a chain holds what a dossier shows: its blocks, and what its contract says of the round.

The blocks' hashes are enough: the dossier proves its transactions and receipts under them.
"""

from __future__ import annotations

from app.services.dossier_check import Findings
from app.services.dossier_format import Dossier
from contracts.artifact import ANCHORS, APPEALS, RECORDS, REGISTRY
from contracts.errors import ChainUnreachable, LedgerError
from contracts.evidence import check_block
from contracts.reader import LedgerReader
from contracts.records import AttemptKey
from contracts.rpc import Rpc


def check_chain(findings: Findings, url: str) -> None:
    """Compare a dossier whose check found no difference with the chain at `url`.

    The findings say "genuine" then, if there is no difference either. Raises ChainUnreachable.
    """
    dossier = findings.dossier
    if dossier is None or findings.differences:
        return
    try:
        with Rpc(url) as rpc:
            found = int(rpc.call("eth_chainId"), 16)
            findings.compare("chain id", dossier.chain_id, found)
            for block in dossier.blocks:
                number = check_block(block.evidence(), dossier.chain_id).number
                there = rpc.call("eth_getBlockByNumber", hex(number), False)
                digest = there["hash"][2:] if there else "no such block"
                findings.compare(f"block {number} on the chain", block.hash.hex(), digest)
        if not findings.differences:
            _check_contract(findings, dossier, url)
    except ChainUnreachable:
        raise
    except LedgerError as error:
        findings.compare("chain", "this dossier’s contract", str(error))
    findings.on_chain = not findings.differences


def _check_contract(findings: Findings, dossier: Dossier, url: str) -> None:
    given = dossier.contracts
    ledger = LedgerReader(url, given.federation)
    try:
        for name in (REGISTRY, ANCHORS, RECORDS):
            there = ledger.addresses[name]
            findings.compare(f"contract {name}", there, getattr(given, name.lower()))
        if given.appeals is not None:
            findings.compare(f"contract {APPEALS}", ledger.addresses.get(APPEALS), given.appeals)
        record = ledger.attempt(AttemptKey(dossier.training, dossier.round, dossier.attempt))
        shown = dossier.summary
        findings.compare("agreed set on the chain", record.agreed_hash, shown.set_sha256)
        findings.compare("result on the chain", record.result_hash, shown.result_sha256)
    finally:
        ledger.close()
