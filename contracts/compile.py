"""Compile the Solidity sources into `artifacts/Federation.json`.

For whoever changes a source: `python -m contracts.compile` writes the artefact, with `--check` it
only compares. The application reads the artefact and never compiles. Needs py-solc-x, Node, and
solc-js (`npm install solc@0.8.37`) on PATH, in `node_modules` of the working directory, or at
$SOLCJS. py-solc-x would download a native compiler; it is handed solc-js under that name instead.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from contracts.artifact import ARTIFACT, CONTRACT, Artifact, load_artifact
from contracts.errors import LedgerError

SOLC_VERSION = "0.8.37"
SOURCES = Path(__file__).parent
SETTINGS: dict[str, Any] = {
    # Ganache runs Shanghai at the latest, py-evm any; Paris needs nothing that either lacks.
    "evmVersion": "paris",
    "optimizer": {"enabled": True, "runs": 200},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
}


class CompilerMissing(LedgerError):
    """solc-js is not there."""


class CompilationFailed(LedgerError):
    """The compiler refused the sources, or is another version."""


def find_solcjs() -> Path | None:
    """Return the path of solc-js, or None where it is not installed."""
    named = os.environ.get("SOLCJS")
    local = Path("node_modules/.bin/solcjs")
    found = named or shutil.which("solcjs") or (str(local) if local.exists() else None)
    return Path(found).resolve() if found and Path(found).exists() else None


def compile_federation() -> Artifact:
    """Compile the sources and return what belongs into the artefact.

    Raises:
        CompilerMissing: no solc-js, Node or py-solc-x.
        CompilationFailed: the compiler reports an error or a warning.
    """
    solcjs = find_solcjs()
    if solcjs is None or shutil.which("node") is None:
        raise CompilerMissing(
            f"expected node and solcjs {SOLC_VERSION} (npm install solc@{SOLC_VERSION}, or SOLCJS)"
        )
    texts = {path.name: path.read_text("utf-8") for path in sorted(SOURCES.glob("*.sol"))}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": SETTINGS,
    }
    compiled = _run(solcjs, request)["contracts"][f"{CONTRACT}.sol"][CONTRACT]
    return Artifact(
        abi=tuple(compiled["abi"]),
        bytecode=bytes.fromhex(compiled["evm"]["bytecode"]["object"]),
        compiler=SOLC_VERSION,
        settings=SETTINGS,
        sources={name: sha256(text.encode()).hexdigest() for name, text in texts.items()},
    )


def _run(solcjs: Path, request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        _write_shim(Path(folder) / f"solc-v{SOLC_VERSION}", solcjs)
        os.environ["SOLCX_BINARY_PATH"] = folder
        try:
            import solcx
            from solcx.exceptions import SolcError
        except ImportError as error:
            raise CompilerMissing("expected the package py-solc-x") from error
        try:
            output: dict[str, Any] = solcx.compile_standard(request, solc_version=SOLC_VERSION)
        except SolcError as error:
            raise CompilationFailed(str(error)) from error
        finally:
            del os.environ["SOLCX_BINARY_PATH"]
    problems = [problem["formattedMessage"] for problem in output.get("errors", ())]
    if problems:
        raise CompilationFailed("expected no error or warning, got:\n" + "\n".join(problems))
    return output


def _write_shim(path: Path, solcjs: Path) -> None:
    """Write a script that answers `--version` and `--standard-json` as the native compiler does."""
    quoted = shlex.quote(str(solcjs))
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = --version ]; then echo "Version: $({quoted} --version)"; exit; fi\n'
        # solc-js puts a remark about solvers before its JSON, and ends before a pipe is drained.
        f'{quoted} --standard-json > "$0.out" && sed "/^>>>/d" "$0.out"\n'
    )
    path.chmod(0o755)


def main() -> int:
    """Write the artefact, or compare with `--check` (exit status 1 when it differs)."""
    parser = argparse.ArgumentParser(prog="contracts.compile", description="compile the contract")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    fresh = compile_federation()
    if arguments.check:
        same = ARTIFACT.exists() and load_artifact() == fresh
        sys.stdout.write("the artefact is current\n" if same else "the artefact is stale\n")
        return 0 if same else 1
    ARTIFACT.parent.mkdir(exist_ok=True)
    ARTIFACT.write_text(json.dumps(fresh.as_json(), indent=1, sort_keys=True) + "\n", "utf-8")
    sys.stdout.write(f"{ARTIFACT.name}: {len(fresh.bytecode)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
