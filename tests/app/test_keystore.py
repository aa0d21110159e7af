"""Keystores: what others sealed opens here, what is sealed here opens there, nothing else does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from eth_account import Account
from eth_keyfile import decode_keyfile_json

from app.services import keystore
from app.services.keystore import NoKeystore, WrongPassphrase
from app.services.passphrase import LIGHT_N, STANDARD_N, Passphrase
from crypto.envelope import new_private_key, private_key_bytes

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keystores.json").read_text(encoding="utf-8")
)
KNOWN: dict[str, Any] = VECTORS["keystores"]
PASSPHRASE = Passphrase("correct horse battery", LIGHT_N, "a test")
KEY = bytes(range(1, 33))


def as_known(text: str = VECTORS["password"]) -> Passphrase:
    return Passphrase(text, LIGHT_N, "a test")


@pytest.mark.parametrize("kdf", KNOWN)
def test_the_standards_vectors_open(kdf: str) -> None:
    file = json.dumps(KNOWN[kdf]).encode()
    key = keystore.open_chain_key(file, as_known())
    assert key.hex() == VECTORS["secret"]
    assert Account.from_key(key).address == VECTORS["address"]


def test_the_standards_vectors_open_with_no_other_passphrase() -> None:
    with pytest.raises(WrongPassphrase):
        keystore.open_chain_key(json.dumps(KNOWN["pbkdf2"]).encode(), as_known("Testpassword"))


@pytest.mark.parametrize("n", [LIGHT_N, STANDARD_N])
def test_a_sealed_chain_key_is_a_keystore_that_others_open(n: int) -> None:
    file = keystore.seal_chain_key(KEY, Passphrase("pässwörd ✓", n, "a test"))
    fields = json.loads(file)
    assert fields["version"] == 3
    assert fields["crypto"]["cipher"] == "aes-128-ctr"
    assert fields["crypto"]["kdf"] == "scrypt"
    cost = fields["crypto"]["kdfparams"]
    assert (cost["n"], cost["r"], cost["p"], cost["dklen"]) == (n, 8, 1, 32)
    assert Account.from_key(KEY).address.lower() == f"0x{fields['address'].lower()}"
    assert decode_keyfile_json(fields, "pässwörd ✓".encode()) == KEY


def test_two_keystores_of_a_key_have_nothing_secret_in_common() -> None:
    one, other = (json.loads(keystore.seal_chain_key(KEY, PASSPHRASE))["crypto"] for _ in "ab")
    assert one["kdfparams"]["salt"] != other["kdfparams"]["salt"]
    assert one["ciphertext"] != other["ciphertext"]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"crypto": None},
        {"crypto": {}},
        {"crypto": {**KNOWN["scrypt"]["crypto"], "kdf": "md5"}},
        {"crypto": {**KNOWN["scrypt"]["crypto"], "kdfparams": []}},
        {"crypto": {**KNOWN["scrypt"]["crypto"], "ciphertext": "xy"}},
        {"crypto": {**KNOWN["pbkdf2"]["crypto"], "kdfparams": {"prf": "md5"}}},
    ],
)
def test_a_file_that_is_no_keystore_is_told_from_a_wrong_passphrase(change: Any) -> None:
    with pytest.raises(NoKeystore):
        keystore.open_chain_key(json.dumps({**KNOWN["scrypt"], **change}).encode(), as_known())


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", b"7", b'"version"', b"\xff"])
def test_other_files_are_no_keystores(file: bytes) -> None:
    with pytest.raises(NoKeystore):
        keystore.open_chain_key(file, PASSPHRASE)
    with pytest.raises(NoKeystore):
        keystore.open_signing_key(file, KEY)


@pytest.mark.parametrize("name", ["ciphertext", "mac"])
def test_an_altered_keystore_does_not_open(name: str) -> None:
    fields = json.loads(keystore.seal_chain_key(KEY, PASSPHRASE))
    altered = copy.deepcopy(fields)
    first = fields["crypto"][name][0]
    altered["crypto"][name] = ("1" if first == "0" else "0") + fields["crypto"][name][1:]
    with pytest.raises(WrongPassphrase):
        keystore.open_chain_key(json.dumps(altered).encode(), PASSPHRASE)


def test_a_signing_key_opens_with_its_partys_chain_key_only() -> None:
    key = new_private_key()
    file = keystore.seal_signing_key(key, KEY)
    assert file.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    opened = keystore.open_signing_key(file, KEY)
    assert private_key_bytes(opened) == private_key_bytes(key)
    with pytest.raises(NoKeystore, match="does not open with the party's chain key"):
        keystore.open_signing_key(file, KEY[::-1])


def test_a_signing_key_in_clear_or_of_another_curve_is_refused() -> None:
    clear = new_private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(NoKeystore):
        keystore.open_signing_key(clear, KEY)
    encryption = BestAvailableEncryption(keystore._password(KEY))
    other = ec.generate_private_key(ec.SECP384R1())
    file = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    with pytest.raises(NoKeystore, match=r"P-256"):
        keystore.open_signing_key(file, KEY)


def test_a_passphrase_is_not_shown_with_its_object() -> None:
    assert PASSPHRASE.text not in repr(PASSPHRASE)
