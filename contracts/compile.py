"""Compile the Solidity sources into `artifacts/`, a file a contract.

For whoever changes a source: `python -m contracts.compile` writes the artefacts, with `--check` it
only compares. The application reads the artefacts and never compiles. Needs py-solc-x, Node, and
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

from contracts.artifact import CONTRACTS, Artifact, artifact_file, load_artifact
from contracts.errors import LedgerError

SOLC_VERSION = "0.8.37"
SOURCES = Path(__file__).parent
OPENZEPPELIN = SOURCES / "vendor" / "openzeppelin-5.4.0"
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


def read_sources() -> dict[str, str]:
    """The sources' texts by the names under which they import each other."""
    own = {path.name: path for path in sorted(SOURCES.glob("*.sol"))}
    vendored = {
        f"@openzeppelin/contracts/{path.relative_to(OPENZEPPELIN).as_posix()}": path
        for path in sorted(OPENZEPPELIN.rglob("*.sol"))
    }
    return {name: path.read_text("utf-8") for name, path in (own | vendored).items()}


def compile_contracts() -> dict[str, Artifact]:
    """Compile the sources and return what belongs into the artefacts, by contract.

    Raises:
        CompilerMissing: no solc-js, Node or py-solc-x.
        CompilationFailed: the compiler reports an error or a warning.
    """
    solcjs = find_solcjs()
    if solcjs is None or shutil.which("node") is None:
        raise CompilerMissing(
            f"expected node and solcjs {SOLC_VERSION} (npm install solc@{SOLC_VERSION}, or SOLCJS)"
        )
    texts = read_sources()
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": SETTINGS,
    }
    output = _run(solcjs, request)["contracts"]
    sources = {name: sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return {name: _artifact(output[f"{name}.sol"][name], sources) for name in CONTRACTS}


def _artifact(compiled: Any, sources: dict[str, str]) -> Artifact:
    return Artifact(
        abi=tuple(compiled["abi"]),
        bytecode=bytes.fromhex(compiled["evm"]["bytecode"]["object"]),
        compiler=SOLC_VERSION,
        settings=SETTINGS,
        sources=sources,
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
        # solc-js fails where its input is not there at once, puts a remark about solvers before
        # its JSON, and ends before a pipe is drained.
        f'cat > "$0.in" && {quoted} --standard-json < "$0.in" > "$0.out" '
        '&& sed "/^>>>/d" "$0.out"\n'
    )
    path.chmod(0o755)


def main() -> int:
    """Write the artefacts, or compare with `--check` (exit status 1 when it differs)."""
    parser = argparse.ArgumentParser(prog="contracts.compile", description="compile the contracts")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    fresh = compile_contracts()
    if arguments.check:
        same = all(artifact_file(name).exists() for name in fresh) and fresh == {
            name: load_artifact(name) for name in fresh
        }
        sys.stdout.write("the artefacts are current\n" if same else "the artefacts are stale\n")
        return 0 if same else 1
    for name, artifact in fresh.items():
        file = artifact_file(name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(artifact.as_json(), indent=1, sort_keys=True) + "\n", "utf-8")
        sys.stdout.write(f"{file.name}: {len(artifact.bytecode)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
