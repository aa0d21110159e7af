"""Keys in clear are being sealed when the process is killed: none is lost, none stays in clear."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.services.keys import CLEAR, SIGNING, KeyRing, party_folder
from app.services.passphrase import KEYSTORE
from crypto.envelope import new_private_key, private_key_bytes
from tests.app.crash.conversion import NAME
from tests.app.installations import settings_of

# The process that is killed loads what a trainer does.
pytestmark = pytest.mark.slow

CHAIN = bytes(range(1, 33))
ACTIONS = [
    "installation's keystore.passphrase writes",
    f"node-1's {KEYSTORE} writes",
    f"node-1's {SIGNING} writes",
    f"node-1's {CLEAR} erased",
]


@pytest.fixture(scope="module")
def signing() -> bytes:
    return private_key_bytes(new_private_key())


@pytest.fixture(scope="module")
def killed(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, signing: bytes
) -> tuple[Path, list[str]]:
    """Where an installation lies for each moment, and the last action of each."""
    root = tmp_path_factory.mktemp("killed")
    folder = party_folder(root / "clear" / "parties", NAME)
    folder.mkdir(parents=True)
    fields = {"name": NAME, "chain": CHAIN.hex(), "signing": signing.hex()}
    (folder / CLEAR).write_text(json.dumps(fields))
    done = subprocess.run(
        [sys.executable, "-m", "tests.app.crash.conversion", str(root)],
        cwd=repository,
        capture_output=True,
        check=True,
        text=True,
    )
    return root, json.loads(done.stdout)


def test_every_moment_was_met(killed: tuple[Path, list[str]]) -> None:
    _, ends = killed
    last = [f"start/{name}" for name in ACTIONS]
    assert ends == ["", *last]


@pytest.mark.parametrize("number", range(len(ACTIONS) + 1))
def test_the_next_start_has_the_same_keys_and_nothing_in_clear(
    killed: tuple[Path, list[str]], signing: bytes, number: int
) -> None:
    root, _ = killed
    instance = root / str(number)
    folder = party_folder(instance / "parties", NAME)
    # Until both keystores are on disk the clear file stands.
    sealed = {KEYSTORE, SIGNING} <= {file.name for file in folder.iterdir()}
    assert (folder / CLEAR).exists() or sealed
    for _ in range(2):
        keys = KeyRing.of(settings_of(instance)).keys(NAME)
        assert (keys.chain, private_key_bytes(keys.signing)) == (CHAIN, signing)
        assert (folder / KEYSTORE).exists()
        assert not (folder / CLEAR).exists()
    for file in instance.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert CHAIN.hex().encode() not in content, file
            assert signing.hex().encode() not in content, file
