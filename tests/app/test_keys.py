"""Keys: every party has its own, the same ever after, and nobody else may read them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from app.errors import SetupError
from app.services.keys import load_or_create, party_folder

NAMES = ("Coordinator", "Cleveland", "VA Long Beach", "Node 1", "Node 2")


def key_file(parties: Path, name: str) -> Path:
    return party_folder(parties, name) / "keys.json"


def test_keys_stay_the_same(tmp_path: Path) -> None:
    for name in NAMES:
        first, again = load_or_create(tmp_path, name), load_or_create(tmp_path, name)
        assert (again.name, again.chain, again.account, again.public_key) == (
            name,
            first.chain,
            first.account,
            first.public_key,
        )


def test_every_party_and_installation_has_keys_of_its_own(tmp_path: Path) -> None:
    keys = [load_or_create(tmp_path / place, name) for place in ("a", "b") for name in NAMES]
    for values in (
        {key.chain for key in keys},
        {key.account for key in keys},
        {key.public_key for key in keys},
    ):
        assert len(values) == 2 * len(NAMES)


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    load_or_create(tmp_path / "parties", "Node 1")
    file = key_file(tmp_path / "parties", "Node 1")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700


def test_private_keys_are_not_shown_with_the_object(tmp_path: Path) -> None:
    keys = load_or_create(tmp_path, "Node 1")
    stored = json.loads(key_file(tmp_path, "Node 1").read_text())
    assert stored["signing"] not in repr(keys)


def test_a_folder_is_named_after_its_party(tmp_path: Path) -> None:
    assert party_folder(tmp_path, "VA Long Beach") == tmp_path / "va-long-beach"
    assert party_folder(tmp_path, "../../etc") == tmp_path / "etc"


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"name": "Node 1", "chain": "xyz", "signing": ""}', '{"name": "Node 1"}'],
)
def test_a_broken_file_is_told_and_never_overwritten(tmp_path: Path, content: str) -> None:
    file = key_file(tmp_path, "Node 1")
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(SetupError, match=r"expected the keys of Node 1 in .*keys\.json"):
        load_or_create(tmp_path, "Node 1")
    assert file.read_text() == content
