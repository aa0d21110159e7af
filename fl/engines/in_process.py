"""All parties in this process, each an object with its own state, behind one door.

Only bytes pass, so a party can move to a machine of its own without a change to the protocol. What
goes wrong inside a party is that party's failure, as it would be if it ran elsewhere. An error's
text passes only where this project wrote it, of the protocol: any other could quote a patient's
value.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.errors import ChainUnreachable, LedgerError
from contracts.records import AttemptKey
from crypto.errors import CryptoError
from fl.errors import DatasetError, FlError, PartyFailed
from fl.party import Party


class InProcess:
    """Carries a step's message to the party that the name belongs to and its answer back."""

    def __init__(self, parties: Mapping[str, Party]) -> None:
        self._parties = parties

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        """The party's answer. Raises PartyFailed, or ChainUnreachable when the chain is gone."""
        try:
            return self._parties[party].ask(step, key, message)
        except ChainUnreachable:
            # Nobody's failure: the training waits for its chain and resumes.
            raise
        except Exception as error:
            # The boundary of a party: whatever breaks inside must not take the coordinator along.
            kind = type(error).__name__
            raise PartyFailed(party, step, _told(error) or kind, kind) from error


def _told(error: Exception) -> str:
    """What the coordinator may know of an error inside a party, "" for its kind alone."""
    written_here = isinstance(error, (FlError, LedgerError, CryptoError))
    # An error of data quotes the data.
    return str(error) if written_here and not isinstance(error, DatasetError) else ""
