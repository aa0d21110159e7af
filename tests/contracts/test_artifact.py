"""The committed artefact is what the committed sources compile to."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from contracts import compile as compiler
from contracts.artifact import load_artifact

SOURCES = Path(compiler.__file__).parent
# Bytes of code that a chain takes (EIP-170).
MOST_CODE = 24_576


def test_artefact_is_of_these_sources() -> None:
    assert load_artifact().sources == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in SOURCES.glob("*.sol")
    }


def test_code_fits_on_a_chain() -> None:
    assert 0 < len(load_artifact().bytecode) <= MOST_CODE


@pytest.mark.needs("node", "solc")
def test_compiling_again_gives_the_same() -> None:
    assert compiler.compile_federation() == load_artifact()


def test_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SOLCJS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(compiler.CompilerMissing, match=r"npm install solc@0\.8\.37"):
        compiler.compile_federation()
