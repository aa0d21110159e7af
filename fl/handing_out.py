"""Handing a result out of the nodes: who asks signs with an account, and the ledger says who may.

A request is bound to its attempt and to one node, so that it can be shown to no other. It may be
shown again to the same node: that looks at the ledger each time.
"""

from __future__ import annotations

from typing import Final

from contracts.errors import ReadOnly
from contracts.ledger import Ledger
from contracts.reader import LedgerReader
from contracts.records import Permission
from contracts.signatures import find_signer
from crypto.context import Context
from fl.errors import StepRefused
from fl.messages import pack, unpack

LABEL: Final = "consilium/result-request/v1"
# The coordinator hands results on to the parties; everybody else needs the permission for it.
ENTITLED: Final = (Permission.COORDINATOR, Permission.DOWNLOADER)


def make_request(ledger: Ledger, context: Context, node: str, digest: bytes) -> bytes:
    """A request of the ledger's own account for the result with this hash. Raises ReadOnly."""
    account = ledger.account
    if account is None:
        raise ReadOnly("a request for a result")
    return pack(digest, account, ledger.sign(context.bind(LABEL, node, digest, account)))


def read_request(ledger: LedgerReader, context: Context, node: str, message: bytes) -> bytes:
    """The hash that an entitled account asks this node for.

    Raises MessageError for a malformed request, and StepRefused where another account signed it or
    the one that did may not be handed a model (any more).
    """
    digest, account, signature = unpack(message, bytes, str, bytes)
    if find_signer(context.bind(LABEL, node, digest, account), signature) != account:
        raise StepRefused(f"{account[:42]} did not sign this request to {node}")
    if not any(ledger.registry.has(permission, account) for permission in ENTITLED):
        raise StepRefused(f"{account} may not be handed a model: it does not hold DOWNLOADER")
    return bytes(digest)
