"""The requirement files: everything pinned exactly, everything pinned once, nothing local."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from app.setup.stamp import DEVELOPMENT, RUNTIME, Group

PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][0-9a-z.]*)")


def pins(path: Path) -> dict[str, str]:
    """Return the normalised names and versions of a requirement file; each line must be a pin."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", "-r ")):
            continue
        pin = PIN.fullmatch(line)
        assert pin, f"{path.name}: expected name==version, got {line!r}"
        name = normal(pin[1])
        assert name not in found, f"{path.name}: {name} is pinned twice"
        found[name] = pin[2]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("group", [RUNTIME, DEVELOPMENT])
def test_every_package_is_pinned_in_one_place(repository: Path, group: Group) -> None:
    seen: set[str] = set()
    for name in group.files:
        pinned = set(pins(repository / name))
        assert pinned
        assert seen & pinned == set(), f"{name} pins again what another file pins"
        seen |= pinned


def test_what_is_installed_and_needed_is_constrained(repository: Path) -> None:
    pinned = {name for file in DEVELOPMENT.files for name in pins(repository / file)}
    wanted = set(pinned - set(pins(repository / "constraints.txt")))
    reached: set[str] = set()
    while wanted:
        name = wanted.pop()
        reached.add(name)
        for line in metadata.requires(name) or []:
            if "extra ==" in line:
                continue
            needed = normal(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
            # What only other platforms need is not installed.
            if needed not in reached and list(metadata.Distribution.discover(name=needed)):
                wanted.add(needed)
    assert reached - pinned == set()


def test_no_pin_is_local_to_one_build(repository: Path) -> None:
    for file in DEVELOPMENT.files:
        assert "+" not in "".join(pins(repository / file).values())


def test_the_version_is_the_same_everywhere(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (repository / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation
