"""Keys: every party has its own, the same ever after, and nobody else may read them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from app.errors import SetupError
from app.services.keys import CLEAR, SIGNING, KeyRing, party_folder
from app.services.passphrase import KEYSTORE, Passphrase
from crypto.envelope import new_private_key, private_key_bytes

NAMES = ("Coordinator", "Cleveland", "VA Long Beach", "Node 1", "Node 2")
# As cheap as scrypt gets.
PASSPHRASE = Passphrase("correct horse battery", 2, "a test")
CHAIN = bytes(range(1, 33))


def ring(parties: Path) -> KeyRing:
    return KeyRing(parties, PASSPHRASE)


def write_clear(parties: Path, name: str, chain: bytes = CHAIN) -> str:
    """Lay a party's keys down as they were kept before; its P-256 key in hexadecimal digits."""
    folder = party_folder(parties, name)
    folder.mkdir(parents=True, exist_ok=True)
    signing = private_key_bytes(new_private_key()).hex()
    fields = {"name": name, "chain": chain.hex(), "signing": signing}
    (folder / CLEAR).write_text(json.dumps(fields, indent=1))
    return signing


def test_keys_stay_the_same(tmp_path: Path) -> None:
    for name in NAMES:
        first, again = ring(tmp_path).keys(name), ring(tmp_path).keys(name)
        assert (again.name, again.chain, again.account, again.public_key) == (
            name,
            first.chain,
            first.account,
            first.public_key,
        )


def test_every_party_and_installation_has_keys_of_its_own(tmp_path: Path) -> None:
    keys = [ring(tmp_path / place).keys(name) for place in ("a", "b") for name in NAMES]
    for values in (
        {key.chain for key in keys},
        {key.account for key in keys},
        {key.public_key for key in keys},
    ):
        assert len(values) == 2 * len(NAMES)


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    ring(tmp_path / "parties").keys("Node 1")
    folder = party_folder(tmp_path / "parties", "Node 1")
    assert {file.name for file in folder.iterdir()} == {KEYSTORE, SIGNING}
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


def test_private_keys_are_not_shown_with_the_object(tmp_path: Path) -> None:
    keys = ring(tmp_path).keys("Node 1")
    assert repr(keys) == "Keys(name='Node 1')"


def test_a_folder_is_named_after_its_party(tmp_path: Path) -> None:
    assert party_folder(tmp_path, "VA Long Beach") == tmp_path / "va-long-beach"
    assert party_folder(tmp_path, "../../etc") == tmp_path / "etc"


@pytest.mark.parametrize("file", [KEYSTORE, SIGNING])
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 3, "crypto": 7}', "-----BEGIN"])
def test_a_broken_file_is_told_and_never_overwritten(
    tmp_path: Path, file: str, content: str
) -> None:
    ring(tmp_path).keys("Node 1")
    path = party_folder(tmp_path, "Node 1") / file
    path.write_text(content)
    with pytest.raises(SetupError, match=rf"expected the keys of Node 1 in .*{file}"):
        ring(tmp_path).keys("Node 1")
    assert path.read_text() == content


def test_another_partys_signing_key_is_refused(tmp_path: Path) -> None:
    for name in ("Node 1", "Node 2"):
        ring(tmp_path).keys(name)
    one, two = (party_folder(tmp_path, name) / SIGNING for name in ("Node 1", "Node 2"))
    one.write_bytes(two.read_bytes())
    with pytest.raises(SetupError, match="does not open with the party's chain key"):
        ring(tmp_path).keys("Node 1")


def test_keys_in_clear_are_sealed_once_and_the_clear_file_goes(tmp_path: Path) -> None:
    signing = write_clear(tmp_path, "Node 1")
    folder = party_folder(tmp_path, "Node 1")
    # A kill right after the clear file got its name had left it under its first name, too.
    (folder / ".new-x").write_bytes((folder / CLEAR).read_bytes())
    keys = ring(tmp_path).keys("Node 1")
    assert (keys.chain, private_key_bytes(keys.signing).hex()) == (CHAIN, signing)
    assert {file.name for file in folder.iterdir()} == {KEYSTORE, SIGNING}
    again = ring(tmp_path).keys("Node 1")
    assert (again.chain, private_key_bytes(again.signing).hex()) == (CHAIN, signing)


@pytest.mark.parametrize("differ", ["both", "signing"])
def test_keys_in_clear_beside_other_keystores_are_told_and_all_stay(
    tmp_path: Path, differ: str
) -> None:
    chain = ring(tmp_path).keys("Node 1").chain
    write_clear(tmp_path, "Node 1", CHAIN if differ == "both" else chain)
    folder = party_folder(tmp_path, "Node 1")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(SetupError, match="hold different keys of Node 1"):
        ring(tmp_path).keys("Node 1")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"name": "Node 1", "chain": "xyz", "signing": ""}',
        '{"name": "Node 1"}',
        json.dumps({"chain": "00" * 32, "signing": "01" * 32}),
        json.dumps({"chain": "01" * 31, "signing": "01" * 32}),
        json.dumps({"chain": "01" * 32, "signing": "ff" * 32}),
    ],
)
def test_a_broken_clear_file_is_told_and_nothing_is_made(tmp_path: Path, content: str) -> None:
    file = party_folder(tmp_path, "Node 1") / CLEAR
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(SetupError, match=r"expected the keys of Node 1 in .*keys\.json") as refused:
        ring(tmp_path).keys("Node 1")
    assert file.read_text() == content
    assert [one.name for one in file.parent.iterdir()] == [CLEAR]
    assert "01" * 31 not in str(refused.value)
