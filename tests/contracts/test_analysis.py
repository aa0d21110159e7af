"""Slither reports nothing that is not explained, and every explanation is of a finding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts import analysis
from contracts.compile import SETTINGS, find_solcjs, read_sources

FOLDER = Path(analysis.__file__).parent
# solc-js waits for a file where the caller writes slowly, and puts a remark before its JSON.
SOLC = """#!/bin/sh
if [ "$1" = --version ]; then echo "Version: $({solcjs} --version)"; exit; fi
cat >"$0.in" && {solcjs} --standard-json <"$0.in" >"$0.out" && sed "/^>>>/d" "$0.out"
"""


def findings(folder: Path) -> list[tuple[str, str, str]]:
    """Each finding outside of vendored files: check, impact, text."""
    sources = read_sources()
    for name, text in sources.items():
        file = folder / "sources" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    outputs = ["abi", "metadata", "devdoc", "userdoc", "evm.bytecode", "evm.deployedBytecode"]
    settings: dict[str, Any] = {**SETTINGS, "outputSelection": {"*": {"*": outputs, "": ["ast"]}}}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": settings,
    }
    (folder / "input.json").write_text(json.dumps(request), encoding="utf-8")
    shim = folder / "bin" / "solc"
    shim.parent.mkdir()
    shim.write_text(SOLC.format(solcjs=find_solcjs()), encoding="utf-8")
    shim.chmod(0o755)
    slither = shutil.which("slither")
    assert slither is not None
    done = subprocess.run(
        [Path(slither).resolve().parent / "python", FOLDER / "report.py", folder / "input.json"],
        cwd=folder / "sources",
        env=os.environ | {"PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [tuple(one) for one in json.loads(done.stdout)]
    return [one for one in found if "@openzeppelin" not in one[2] or "shadow" in one[0]]


@pytest.mark.slow
@pytest.mark.needs("slither", "solc", "node")
def test_every_finding_is_explained(tmp_path: Path) -> None:
    explained = json.loads((FOLDER / "explained.json").read_text(encoding="utf-8"))
    unexplained, used = [], set()
    for check, impact, text in findings(tmp_path):
        reasons = [
            number
            for number, one in enumerate(explained)
            if one["check"] == check and one["of"] in text
        ]
        used |= set(reasons)
        if not reasons:
            unexplained.append(f"{check} ({impact}): {text}")
    assert unexplained == []
    assert [one for number, one in enumerate(explained) if number not in used] == []
