"""No secret has a default: without its own key an installation is not served."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app import create_app
from app.errors import SetupError
from app.services.secret_key import make_secret_key, read_secret_key
from config import Settings


def test_nothing_is_served_without_the_key(settings: Settings) -> None:
    (settings.instance_dir / "secret.key").unlink()
    with pytest.raises(SetupError, match=r"run\.py makes it"):
        create_app(settings)


def test_the_key_of_the_installation_signs(settings: Settings) -> None:
    app = create_app(settings)
    assert app.config["SECRET_KEY"] == read_secret_key(settings.instance_dir)
    app.extensions["consilium"].database.close()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = make_secret_key(tmp_path / "instance")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    assert make_secret_key(tmp_path / "instance") == path
    assert path.read_bytes() == first
    assert len(read_secret_key(path.parent)) == 32


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    keys = [read_secret_key(make_secret_key(tmp_path / name).parent) for name in "ab"]
    assert keys[0] != keys[1]


@pytest.mark.parametrize("content", ["", "secret", "ab" * 31, "zz" * 32])
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = make_secret_key(tmp_path)
    path.write_text(content)
    with pytest.raises(SetupError, match=r"secret\.key"):
        read_secret_key(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = make_secret_key(tmp_path)
    path.chmod(mode)
    with pytest.raises(SetupError, match="chmod 600"):
        read_secret_key(tmp_path)
