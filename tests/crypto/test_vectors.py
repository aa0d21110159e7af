"""The frozen vectors: the code still makes them, and still reads what was made before."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crypto.context import Context
from crypto.digest import load_model, merkle_root, model_bytes
from crypto.envelope import Envelope, load_private_key, open_sealed
from crypto.errors import EnvelopeError
from crypto.field import F61, Field
from crypto.prg import Stream
from crypto.vss import DISPUTED, MISSING, challenge_scalars
from fl.dealing import deal
from fl.messages import Statement, Submission, unpack_answers
from tests.vectors import make_vectors


def load(repository: Path, name: str) -> Any:
    return json.loads((repository / "tests" / "vectors" / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def formats(repository: Path) -> dict[str, Any]:
    return load(repository, "formats.json")


@pytest.fixture(scope="module")
def place(formats: dict[str, Any]) -> Context:
    fields = formats["context"]
    return Context(
        fields["chain_id"],
        bytes.fromhex(fields["contract"]),
        bytes.fromhex(fields["training"]),
        fields["round"],
        fields["attempt"],
    )


def key(scalar: int) -> Any:
    return load_private_key(scalar.to_bytes(32, "big"))


def test_the_code_makes_the_vectors_and_the_documents_examples(repository: Path) -> None:
    assert make_vectors.changed(repository) == []


def copy(repository: Path, folder: Path) -> None:
    for path in make_vectors.contents(repository):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / path, folder / path)


@pytest.mark.parametrize("path", ["tests/vectors/dealing.json", "docs/formats.md"])
def test_the_check_names_an_altered_file_and_changes_nothing(
    repository: Path, tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy(repository, tmp_path)
    assert make_vectors.main(["--check"], tmp_path) == 0
    genuine = (tmp_path / path).read_text(encoding="utf-8")
    altered = genuine.replace("a0a1a2", "a0a1a3").replace('"threshold": 1', '"threshold": 2')
    (tmp_path / path).write_text(altered, encoding="utf-8")
    assert make_vectors.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == f"{path} is not what the code makes\n"
    assert (tmp_path / path).read_text(encoding="utf-8") == altered
    assert make_vectors.main([], tmp_path) == 0
    assert (tmp_path / path).read_text(encoding="utf-8") == genuine


def test_frozen_streams(repository: Path) -> None:
    for case in load(repository, "streams.json"):
        arguments = bytes.fromhex(case["seed"]), case["label"], bytes.fromhex(case["context"])
        assert Stream(*arguments).bytes(48).hex() == case["bytes"]
        assert Stream(*arguments).elements(4).tolist() == case["elements"]
        assert Stream(*arguments).elements(24, Field(3)).tolist() == case["elements of 7"]


def test_frozen_dealing(repository: Path, place: Context) -> None:
    frozen = load(repository, "dealing.json")
    update = np.array(frozen["update"], dtype=np.int64)
    seed = bytes.fromhex(frozen["seed"])
    dealt = deal(place, frozen["hospital"], frozen["points"], frozen["threshold"], update, seed)
    assert {node: F61.to_bytes(w).hex() for node, w in dealt.shares.items()} == frozen["shares"]
    assert {node: salt.hex() for node, salt in dealt.salts.items()} == frozen["salts"]
    assert [digest.hex() for digest in dealt.digests] == frozen["digests"]
    assert dealt.share_root.hex() == frozen["share_root"]
    assert dealt.update_hash.hex() == frozen["update_hash"]


def test_the_documents_model_is_read(formats: dict[str, Any]) -> None:
    data = bytes.fromhex(formats["model"]["bytes"])
    network, tensors = load_model(data)
    assert network == "mlp"
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "output.weight": [[1.0, -0.5], [0.0, 2.0]],
        "output.bias": [0.25, -1.0],
    }
    assert model_bytes(network, tensors) == data


def test_the_documents_envelope_opens(formats: dict[str, Any], place: Context) -> None:
    # It was made from the primitives, step by step, and not by `seal`.
    frozen = formats["envelope"]
    envelope = Envelope.from_bytes(bytes.fromhex(frozen["bytes"]))
    sender, receiver = key(frozen["sender"]).public_key(), key(frozen["receiver"])
    names = "Cleveland", envelope, sender, "node-1", receiver
    assert open_sealed(place, "share", *names).hex() == frozen["plaintext"]
    assert envelope.to_bytes().hex() == frozen["bytes"]
    with pytest.raises(EnvelopeError):
        open_sealed(replace(place, attempt=2), "share", *names)


def test_the_documents_statement_and_answers_are_read(
    formats: dict[str, Any], place: Context
) -> None:
    data = bytes.fromhex(formats["statement"]["bytes"])
    sender = key(formats["envelope"]["sender"]).public_key()
    statement = Statement.read(data, place, "node-1", sender, "answers")
    assert statement.body.hex() == formats["answers"]["bytes"]
    assert unpack_answers(statement.body) == {
        "Cleveland": (1, F61.modulus - 1),
        "Hungary": MISSING,
        "Switzerland": DISPUTED,
    }


def test_the_documents_submission_is_read(formats: dict[str, Any]) -> None:
    submission = Submission.from_bytes(bytes.fromhex(formats["submission"]["bytes"]))
    leaves = [bytes.fromhex(leaf) for leaf in formats["root"]["leaves"]]
    assert submission.hospital == "Cleveland"
    assert submission.digests == tuple(leaves[:2])
    assert submission.envelopes == (b"envelope 1", b"envelope 2")
    assert merkle_root(leaves).hex() == formats["root"]["root"]


def test_the_documents_scalars_are_drawn(formats: dict[str, Any]) -> None:
    frozen = formats["scalars"]
    assert list(challenge_scalars(bytes.fromhex(frozen["challenge"]))) == frozen["scalars"]
