"""Make the frozen vectors of this folder and the examples in `docs/formats.md`, or check them.

    python -m tests.vectors.make_vectors            writes what changed
    python -m tests.vectors.make_vectors --check    names what changed, exit status 1

A change here is a change of a format: it needs a new version in a label.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crypto.field import F61, Field
from crypto.prg import Stream
from fl.dealing import deal
from tests.vectors.examples import CONTEXT, EXAMPLES, HOSPITAL, UPDATE, context_vector

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("tests/vectors")
DOCUMENT = Path("docs/formats.md")
SEED = bytes(range(32))
NODES = {f"node-{k}": k for k in range(1, 5)}

_BLOCK = re.compile(r"(<!-- example: ([a-z ]+) -->\n\n```text\n)(.*?)(\n```)", re.DOTALL)


def formats() -> dict[str, Any]:
    """One vector for each example of the document."""
    return {"context": context_vector()} | {name: make().vector for name, make in EXAMPLES.items()}


def streams() -> list[dict[str, Any]]:
    """What a seed, a label and a context give."""
    cases = [("consilium/dealer/v1", b""), ("consilium/dealer/v1", b"context"), ("other", b"")]
    return [
        {
            "seed": SEED.hex(),
            "label": label,
            "context": context.hex(),
            "bytes": Stream(SEED, label, context).bytes(48).hex(),
            "elements": Stream(SEED, label, context).elements(4).tolist(),
            "elements of 7": Stream(SEED, label, context).elements(24, Field(3)).tolist(),
        }
        for label, context in cases
    ]


def dealing() -> dict[str, Any]:
    """What a hospital deals to four nodes from one seed."""
    dealt = deal(CONTEXT, HOSPITAL, NODES, 1, UPDATE, SEED)
    return {
        "context": context_vector(),
        "hospital": HOSPITAL,
        "points": NODES,
        "threshold": 1,
        "update": UPDATE.tolist(),
        "seed": SEED.hex(),
        "shares": {node: F61.to_bytes(words).hex() for node, words in dealt.shares.items()},
        "salts": {node: salt.hex() for node, salt in dealt.salts.items()},
        "digests": [digest.hex() for digest in dealt.digests],
        "share_root": dealt.share_root.hex(),
        "update_hash": dealt.update_hash.hex(),
        "update_salt": dealt.update_salt.hex(),
        "update_sha256": dealt.update_sha256.hex(),
    }


FILES = {
    "formats.json": formats,
    "streams.json": streams,
    "dealing.json": dealing,
}


def with_examples(page: str) -> str:
    """The page with every example as the code prints it now."""
    return _BLOCK.sub(lambda m: m[1] + EXAMPLES[m[2]]().text + m[4], page)


def shown_examples(page: str) -> list[str]:
    """The names of the examples that stand in the page, in order."""
    return [match[2] for match in _BLOCK.finditer(page)]


def contents(root: Path) -> dict[Path, str]:
    """Every file that is made here, by its path from `root`, with its text."""
    made = {
        FOLDER / name: json.dumps(make(), indent=1, sort_keys=True) + "\n"
        for name, make in FILES.items()
    }
    made[DOCUMENT] = with_examples((root / DOCUMENT).read_text(encoding="utf-8"))
    return made


def changed(root: Path) -> list[Path]:
    """The files under `root` that are not what would be made."""
    return [
        path
        for path, text in contents(root).items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write or check; see the module's text."""
    paths = changed(root)
    for path in paths:
        sys.stderr.write(f"{path} is not what the code makes\n")
        if "--check" not in arguments:
            (root / path).write_text(contents(root)[path], encoding="utf-8")
    return 1 if paths and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
