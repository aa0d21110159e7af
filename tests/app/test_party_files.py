"""A party's folder: each value is there whole or not at all, and nobody else can read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stores.party_files import PartyFiles
from fl.errors import ConflictError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "parties" / "node-1" / "state"


@pytest.fixture
def files(folder: Path) -> PartyFiles:
    return PartyFiles(folder)


def refuse() -> bytes:
    raise AssertionError("a stored value was made again")


def test_a_value_is_made_once(files: PartyFiles, folder: Path) -> None:
    assert files.get("0/attempt-1/seat") is None
    assert files.remember("0/attempt-1/seat", lambda: b"nonce") == b"nonce"
    assert files.remember("0/attempt-1/seat", refuse) == b"nonce"
    assert PartyFiles(folder).remember("0/attempt-1/seat", refuse) == b"nonce"
    assert files.get("0/attempt-1/seat") == b"nonce"


def test_an_empty_value_is_a_value(files: PartyFiles) -> None:
    files.record("empty", b"")
    assert files.remember("empty", refuse) == b""
    with pytest.raises(ConflictError):
        files.record("empty", b"not empty")


def test_nothing_is_stored_when_the_making_fails(files: PartyFiles, folder: Path) -> None:
    with pytest.raises(AssertionError):
        files.remember("update", refuse)
    assert files.get("update") is None
    assert list(folder.iterdir()) == []


def test_a_value_that_comes_meanwhile_stands(files: PartyFiles, folder: Path) -> None:
    def overtaken() -> bytes:
        PartyFiles(folder).record("set", b"first")
        return b"second"

    assert files.remember("set", overtaken) == b"first"
    assert files.get("set") == b"first"


def test_another_value_is_a_conflict(files: PartyFiles) -> None:
    files.record("0/set", b"one")
    files.record("0/set", b"one")
    with pytest.raises(ConflictError, match="0/set"):
        files.record("0/set", b"two")
    assert files.get("0/set") == b"one"


def test_replace_replaces(files: PartyFiles) -> None:
    files.replace("head", b"block 1")
    files.replace("head", b"block 2")
    assert files.get("head") == b"block 2"


def test_erase_takes_a_value_or_a_folder_and_nothing_else(files: PartyFiles) -> None:
    for key in ("1/attempt-1/seat", "1/attempt-1/share/A", "1/attempt-1/share/B", "1/sum"):
        files.record(key, key.encode())
    files.erase("1/attempt-1/share")
    files.erase("1/attempt-1/seat")
    files.erase("1/attempt-1/never-there")
    files.erase("2/never/there")
    assert files.get("1/attempt-1/seat") is None
    assert files.get("1/attempt-1/share/A") is None
    assert files.get("1/sum") == b"1/sum"


def test_erase_takes_what_a_kill_left_beside_the_value(files: PartyFiles, folder: Path) -> None:
    files.record("1/seat", b"secret")
    leftover = folder / "1" / ".new-abc"
    os.link(folder / "1" / "seat", leftover)
    files.erase("1/seat")
    assert list((folder / "1").iterdir()) == []


def test_a_leftover_of_a_killed_write_is_harmless(files: PartyFiles, folder: Path) -> None:
    (folder / "1").mkdir()
    (folder / "1" / ".new-abc").write_bytes(b"half of")
    assert files.get("1/seat") is None
    assert files.remember("1/seat", lambda: b"whole") == b"whole"
    files.replace("1/seat", b"another")
    assert files.get("1/seat") == b"another"


@pytest.mark.parametrize("interrupt", ["link", "replace"])
def test_a_write_that_does_not_end_leaves_the_old_value(
    files: PartyFiles, monkeypatch: pytest.MonkeyPatch, interrupt: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    files.replace("head", b"old")
    monkeypatch.setattr(os, interrupt, fail)
    write: dict[str, Callable[[], object]] = {
        "link": lambda: files.record("new", b"value"),
        "replace": lambda: files.replace("head", b"new"),
    }
    with pytest.raises(OSError, match="no space"):
        write[interrupt]()
    assert files.get("head") == b"old"
    assert files.get("new") is None


@pytest.mark.parametrize(
    "key",
    ["", "..", "../keys.json", "a/../../keys.json", "/etc/passwd", "a//b", "a/", "./a", "a\x00b"],
)
def test_a_key_stays_inside_the_folder(files: PartyFiles, folder: Path, key: str) -> None:
    (folder.parent / "keys.json").write_bytes(b"private")
    uses: list[Callable[[], object]] = [
        lambda: files.get(key),
        lambda: files.record(key, b"x"),
        lambda: files.replace(key, b"x"),
        lambda: files.remember(key, lambda: b"x"),
        lambda: files.erase(key),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="plain names"):
            use()
    assert (folder.parent / "keys.json").read_bytes() == b"private"
    assert list(folder.iterdir()) == []


def test_only_the_owner_may_read(folder: Path) -> None:
    before = os.umask(0)
    try:
        files = PartyFiles(folder)
        files.record("1/attempt-1/share/A", b"share")
        files.replace("head", b"block")
    finally:
        os.umask(before)
    made = [folder.parent.parent, folder.parent, folder, *folder.rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {name: mode for name, mode in modes.items() if mode not in (0o600, 0o700)} == {}
    assert modes["A"] == modes["head"] == 0o600
    assert modes["parties"] == modes["share"] == 0o700


class Model:
    """The same store as a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def erase(self, prefix: str) -> None:
        self.values = {
            key: value
            for key, value in self.values.items()
            if key != prefix and not key.startswith(f"{prefix}/")
        }


KEYS = st.sampled_from(["1/seat", "1/share/A", "1/share/B", "head"])
ACTS = st.tuples(
    st.sampled_from(["remember", "record", "replace", "erase"]), KEYS, st.binary(max_size=3)
)


@given(acts=st.lists(ACTS, max_size=20), prefix=st.sampled_from(["1", "1/share", "1/seat"]))
def test_it_is_a_dictionary_on_disk(
    tmp_path_factory: pytest.TempPathFactory,
    acts: list[tuple[str, str, bytes]],
    prefix: str,
) -> None:
    folder = tmp_path_factory.mktemp("files")
    files, model = PartyFiles(folder), Model()
    for act, key, value in acts:
        if act == "remember":
            expected = model.values.setdefault(key, value)
            assert files.remember(key, lambda value=value: value) == expected
        elif act == "record" and model.values.setdefault(key, value) != value:
            with pytest.raises(ConflictError):
                files.record(key, value)
        elif act == "record":
            files.record(key, value)
        elif act == "replace":
            files.replace(key, value)
            model.values[key] = value
        else:
            files.erase(prefix)
            model.erase(prefix)
    for key in ("1/seat", "1/share/A", "1/share/B", "head"):
        assert PartyFiles(folder).get(key) == model.values.get(key)
