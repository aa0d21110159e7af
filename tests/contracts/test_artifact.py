"""The committed artefacts are what the committed sources compile to."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from contracts import compile as compiler
from contracts.artifact import CONTRACTS, load_artifact
from contracts.compile import read_sources

SOURCES = Path(compiler.__file__).parent
# Bytes of code that a chain takes (EIP-170).
MOST_CODE = 24_576


@pytest.mark.parametrize("contract", CONTRACTS)
def test_artefact_is_of_these_sources(contract: str) -> None:
    hashes = {name: sha256(text.encode()).hexdigest() for name, text in read_sources().items()}
    assert load_artifact(contract).sources == hashes
    assert {path.name for path in SOURCES.glob("*.sol")} < set(hashes)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_code_fits_on_a_chain(contract: str) -> None:
    assert 0 < len(load_artifact(contract).bytecode) <= MOST_CODE


@pytest.mark.slow
@pytest.mark.needs("node", "solc")
def test_compiling_again_gives_the_same() -> None:
    assert compiler.compile_contracts() == {name: load_artifact(name) for name in CONTRACTS}


def test_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SOLCJS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(compiler.CompilerMissing, match=r"npm install solc@0\.8\.37"):
        compiler.compile_contracts()
