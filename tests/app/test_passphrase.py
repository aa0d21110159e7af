"""The passphrase: of the environment or of a file for its owner alone; a lost one is told."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic_settings import SettingsError

from app.errors import SetupError
from app.services.keys import KeyRing, party_folder
from app.services.passphrase import FILE, LIGHT_N, STANDARD_N, VARIABLE, find_passphrase
from app.setup import checks
from app.setup.checks import Status
from config import Settings
from tests.app.installations import settings_of

CHOSEN = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path / "instance")


def with_chosen(settings: Settings, text: str = CHOSEN) -> Settings:
    return settings_of(settings.instance_dir, CONSILIUM_KEYSTORE_PASSPHRASE=text)


def test_without_one_a_file_is_made_once_for_its_owner_alone(settings: Settings) -> None:
    first = find_passphrase(settings)
    path = settings.instance_dir / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bytes.fromhex(first.text) == bytes.fromhex(path.read_text())
    assert len(bytes.fromhex(first.text)) == 32
    assert find_passphrase(settings) == first
    assert first.scrypt_n == LIGHT_N
    assert first.source == str(path)


def test_two_installations_have_two_passphrases(tmp_path: Path) -> None:
    assert len({find_passphrase(settings_of(tmp_path / name)).text for name in "ab"}) == 2


def test_the_environments_comes_first_costs_the_standard_and_leaves_no_file(
    settings: Settings,
) -> None:
    found = find_passphrase(with_chosen(settings))
    assert (found.text, found.scrypt_n, found.source) == (CHOSEN, STANDARD_N, VARIABLE)
    assert not (settings.instance_dir / FILE).exists()


def test_it_is_read_from_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, CHOSEN)
    settings = Settings()
    assert settings.keystore_passphrase.get_secret_value() == CHOSEN
    assert CHOSEN not in f"{settings!r}{settings}{settings.model_dump_json()}"


def test_a_file_of_settings_may_not_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / ".env").write_text(f"CONSILIUM_NODES=5\n{VARIABLE}={CHOSEN}\n")
    with pytest.raises(SettingsError, match="set it in the environment") as refused:
        Settings(_env_file=tmp_path / ".env")  # type: ignore[call-arg]
    assert CHOSEN not in str(refused.value)
    (tmp_path / ".env").write_text("CONSILIUM_NODES=5\n")
    assert Settings(_env_file=tmp_path / ".env").nodes == 5  # type: ignore[call-arg]


def test_a_short_one_is_refused_without_being_told(settings: Settings) -> None:
    with pytest.raises(SetupError, match=f"at least 12 characters in {VARIABLE}") as refused:
        find_passphrase(with_chosen(settings, "hunter2"))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_reach_is_refused_and_the_doctor_says_so(
    settings: Settings, mode: int
) -> None:
    find_passphrase(settings)
    assert checks.check_passphrase(settings.instance_dir).status is Status.OK
    path = settings.instance_dir / FILE
    path.chmod(mode)
    with pytest.raises(SetupError, match=f"can be read by others: chmod 600 {path}"):
        find_passphrase(settings)
    row = checks.check_passphrase(settings.instance_dir)
    assert (row.status, row.advice) == (Status.PROBLEM, f"chmod 600 {path}")


def test_the_doctor_looks_at_the_file_that_is_used(settings: Settings) -> None:
    assert checks.KEYSTORE_OPENER == FILE
    assert "no file" in checks.check_passphrase(settings.instance_dir).found


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"\xff" * 64])
def test_a_file_that_was_cut_is_refused(settings: Settings, content: bytes) -> None:
    path = settings.instance_dir / FILE
    find_passphrase(settings)
    path.write_bytes(content)
    with pytest.raises(SetupError, match=str(path)):
        find_passphrase(settings)


def test_a_lost_file_is_told_and_no_other_one_made(settings: Settings) -> None:
    KeyRing.of(settings).keys("Node 1")
    path = settings.instance_dir / FILE
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(SetupError, match=r"is missing, and 1 keystores .* Restore the file"):
        KeyRing.of(settings)
    assert not path.exists()
    path.touch(0o600)
    path.write_bytes(content)
    KeyRing.of(settings).keys("Node 1")


def test_a_wrong_one_is_told_and_changes_nothing(settings: Settings) -> None:
    KeyRing.of(settings).keys("Node 1")
    folder = party_folder(settings.instance_dir / "parties", "Node 1")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SetupError, match=rf"of Node 1 does not open .* of {VARIABLE}\."):
        KeyRing.of(with_chosen(settings)).keys("Node 1")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
