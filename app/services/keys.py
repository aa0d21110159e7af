"""Each party's keys, in its own folder: encrypted there, readable by the owner only."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar

from eth_account import Account

from app.errors import SetupError
from app.services.keystore import (
    CHAIN_KEY_BYTES,
    NoKeystore,
    WrongPassphrase,
    open_chain_key,
    open_signing_key,
    seal_chain_key,
    seal_signing_key,
)
from app.services.passphrase import KEYSTORE, PARTIES, Passphrase, find_passphrase
from app.stores.party_files import PartyFiles
from config import Settings
from crypto.envelope import PrivateKey, load_private_key, new_private_key, public_key_bytes
from crypto.errors import EncodingError

SIGNING = "signing.pem"
# The next one, from before it stands on the ledger until it is in use.
NEXT_SIGNING = "signing-next.pem"
# What cases for a hospital are sealed to; it is never rotated, so that none is lost.
CASES = "cases.pem"
# Where both keys lay in clear before there were keystores.
CLEAR = "keys.json"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Keys:
    """A party's keys: `chain` (secp256k1, 32 bytes) for transactions, `signing` (P-256)."""

    name: str
    chain: bytes = field(repr=False)
    signing: PrivateKey = field(repr=False)

    @property
    def account(self) -> str:
        """The address of the chain key, with a checksum."""
        return str(Account.from_key(self.chain).address)

    @property
    def public_key(self) -> bytes:
        """The P-256 point, uncompressed."""
        return public_key_bytes(self.signing.public_key())


def party_folder(parties: Path, name: str) -> Path:
    """The folder of a party: its name in lower case, with dashes."""
    return parties / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class KeyRing:
    """The keys of an installation's parties; each keystore is opened once, on its first use."""

    def __init__(self, parties: Path, passphrase: Passphrase) -> None:
        self._parties = parties
        self._passphrase = passphrase
        self._opened: dict[str, Keys] = {}

    @classmethod
    def of(cls, settings: Settings) -> KeyRing:
        """The installation's, with its passphrase. Raises SetupError as `find_passphrase` does."""
        return cls(settings.instance_dir / PARTIES, find_passphrase(settings))

    def keys(self, name: str) -> Keys:
        """The party's keys; fresh ones of the operating system's entropy on the first call.

        Keys that lie in clear are sealed first. Raises SetupError when a file is there but holds no
        keys, or does not open.
        """
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def case_key(self, name: str) -> PrivateKey:
        """The key that cases for a hospital are sealed to; made and kept on the first call.

        Raises SetupError as `keys` does.
        """
        files, folder = self._place(name)
        chain = self.keys(name).chain
        pem = files.remember(CASES, lambda: seal_signing_key(new_private_key(), chain))
        return self._checked(folder / CASES, name, lambda: open_signing_key(pem, chain))

    def prepare_next(self, name: str) -> bytes:
        """The public key that the party uses next; made and kept on the first call.

        Raises SetupError as `keys` does.
        """
        files, folder = self._place(name)
        chain = self.keys(name).chain
        pem = files.remember(NEXT_SIGNING, lambda: seal_signing_key(new_private_key(), chain))
        path = folder / NEXT_SIGNING
        key = self._checked(path, name, lambda: open_signing_key(pem, chain))
        return public_key_bytes(key.public_key())

    def use_next(self, name: str) -> Keys:
        """Put the prepared key in the place of the one in use; again changes nothing.

        Raises SetupError when none is prepared.
        """
        files, folder = self._place(name)
        pem = files.get(NEXT_SIGNING)
        if pem is None:
            raise SetupError(f"expected the next key of {name} in {folder / NEXT_SIGNING}")
        files.replace(SIGNING, pem)
        self._opened.pop(name, None)
        return self.keys(name)

    def forget_next(self, name: str) -> None:
        """Erase the prepared key's own file: it is in use, or the next call makes another."""
        self._place(name)[0].erase(NEXT_SIGNING)

    def _place(self, name: str) -> tuple[PartyFiles, Path]:
        folder = party_folder(self._parties, name)
        return PartyFiles(folder), folder

    def _open(self, name: str) -> Keys:
        files, folder = self._place(name)
        clear = files.get(CLEAR)
        if clear is not None:
            return self._seal(files, _read_clear(clear, name, folder / CLEAR), folder)
        return self._stored(
            files, folder, name, lambda: secrets.token_bytes(CHAIN_KEY_BYTES), new_private_key
        )

    def _seal(self, files: PartyFiles, clear: Keys, folder: Path) -> Keys:
        """Turn the clear file into keystores. A kill at any moment is made up for by the next call.

        The clear file goes last, when both others are on disk and were seen to open.
        """
        self._stored(files, folder, clear.name, lambda: clear.chain, lambda: clear.signing)
        sealed = self._stored(files, folder, clear.name, _nothing_stored, _nothing_stored)
        if (sealed.chain, sealed.public_key) != (clear.chain, clear.public_key):
            raise SetupError(
                f"{folder / CLEAR} and the keystores beside it hold different keys of "
                f"{clear.name}: move away what is not in use (its account is {sealed.account} in "
                f"the keystore, {clear.account} in clear)"
            )
        files.erase(CLEAR)
        return sealed

    def _stored(
        self,
        files: PartyFiles,
        folder: Path,
        name: str,
        make_chain: Callable[[], bytes],
        make_signing: Callable[[], PrivateKey],
    ) -> Keys:
        """The keys of the two keystores; what is not there is made, sealed and kept first."""
        file = files.remember(KEYSTORE, lambda: seal_chain_key(make_chain(), self._passphrase))
        chain = self._checked(folder / KEYSTORE, name, lambda: self._open_chain(file))
        pem = files.remember(SIGNING, lambda: seal_signing_key(make_signing(), chain))
        signing = self._checked(folder / SIGNING, name, lambda: open_signing_key(pem, chain))
        return Keys(name=name, chain=chain, signing=signing)

    def _open_chain(self, file: bytes) -> bytes:
        return open_chain_key(file, self._passphrase)

    def _checked(self, path: Path, name: str, read: Callable[[], Value]) -> Value:
        try:
            return read()
        except WrongPassphrase as error:
            raise SetupError(
                f"the keystore {path} of {name} does not open with the passphrase of "
                f"{self._passphrase.source}. It takes the one that it was sealed with; without "
                "that one nobody can open it: start over with another CONSILIUM_INSTANCE folder"
            ) from error
        except NoKeystore as error:
            raise SetupError(f"expected the keys of {name} in {path}: {error}") from error


def _nothing_stored() -> NoReturn:
    raise SetupError("expected the keystores that were just written")


def _read_clear(content: bytes, name: str, path: Path) -> Keys:
    try:
        fields = json.loads(content)
        chain = bytes.fromhex(fields["chain"])
        Account.from_key(chain)
        return Keys(name, chain, load_private_key(bytes.fromhex(fields["signing"])))
    except (ValueError, KeyError, TypeError, EncodingError) as error:
        # Of the error only its kind: its text may quote the key.
        problem = type(error).__name__
        raise SetupError(f"expected the keys of {name} in {path}: {problem}") from None
