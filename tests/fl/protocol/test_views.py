"""What a node, the coordinator, its database and the chain get to see, byte by byte.

A secret is looked for as runs of words at every offset, so that no framing hides it; that public
values are found in the same bytes shows that the search finds what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from contracts.chain import DATABASE, connect
from contracts.records import AttemptKey
from crypto.field import F61
from crypto.fixedpoint import Integers
from fl.channel import Engine
from fl.datasets import Statistics, encode
from fl.hospital import Hospital
from fl.messages import Submission, unpack
from fl.party import attempt_place
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Passed, Recorder
from tests.fl.protocol.federation import HOSPITALS, NODES, Federation, attempt_key

RUN = 4  # words of 8 bytes: long enough to be nobody's by chance


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Snapshots(Recorder):
    """Also keeps a node's folder as it is before the node erases."""

    def __init__(self, engine: Engine, federation: Federation) -> None:
        super().__init__(engine)
        self._federation = federation
        self.folders: dict[str, dict[str, bytes]] = {}

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        if step == "erase" and key.round == 1:
            self.folders[party] = files(self._federation.party_folder(party))
        return super().ask(party, step, key, message)


class View:
    """A finished round 1, what passed in it, what lies where, and what should not."""

    def __init__(self, federation: Federation, recorder: Snapshots, chain_folder: Path) -> None:
        self.federation = federation
        self.recorder = recorder
        self.messages = b"".join(
            part for one in recorder.passed for part in (one.message, one.answer)
        )
        self.database = b"".join(
            path.read_bytes() for path in federation.folder.glob("consilium.db*")
        )
        self.chain = b"".join(path.read_bytes() for path in chain_folder.glob(f"{DATABASE}*"))

    def seed(self, name: str) -> bytes:
        stored = self.federation.hospital(name).store.get(f"{attempt_place(attempt_key())}/dealing")
        return bytes(unpack(stored or b"", bytes, bytes)[0])

    def submission(self, name: str) -> Submission:
        stored = self.federation.hospital(name).store.get(f"{attempt_place(attempt_key())}/dealing")
        return Submission.from_bytes(unpack(stored or b"", bytes, bytes)[1])

    def shares(self, name: str) -> dict[str, bytes]:
        dealing = self.federation.hospital(name).dealing(attempt_key())
        return {node: F61.to_bytes(share) for node, share in dealing.shares.items()}

    def update(self, name: str) -> bytes:
        return np.array(self.federation.update(name, attempt_key()), dtype="<i8").tobytes()

    def rows(self, name: str) -> list[bytes]:
        """Raw and standardised rows of patients, of every part."""
        federation = self.federation
        statistics = Statistics.from_json(
            federation.plan.data, federation.result(attempt_key(0)).decode()
        )
        table = federation.tables[name]
        encoded = encode(federation.plan.data, table.features, statistics)
        return [row.tobytes() for array in (table.features, encoded) for row in array]


@pytest.fixture(scope="module")
def view(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("views")
    with connect(folder / "chain") as chain:
        federation = Federation(chain, folder / "federation", blank)
        recorder = Snapshots(federation.engine(), federation)
        assert federation.run(recorder).finished
        yield View(federation, recorder, folder / "chain")
        federation.close()


def words_at(data: bytes, offset: int) -> np.ndarray:
    usable = (len(data) - offset) // 8 * 8
    return np.frombuffer(data[offset : offset + usable], dtype="<u8")


def runs_of(secret: bytes) -> np.ndarray:
    """Every run of `RUN` words without a zero, which many an update holds in a row."""
    runs = np.lib.stride_tricks.sliding_window_view(words_at(secret, 0), RUN)
    runs = runs[(runs != 0).all(axis=1)]
    assert len(runs) > 100
    return runs


def holds_run(haystack: bytes, *secrets: bytes) -> bool:
    """Whether any run of words of a secret occurs, at any offset, in either byte order."""
    runs = np.concatenate([runs_of(secret) for secret in secrets])
    both = {run.tobytes() for run in runs} | {run.byteswap().tobytes() for run in runs}
    first = np.unique(np.concatenate([runs[:, 0], runs[:, 0].byteswap()]))
    for offset in range(8):
        for found in np.flatnonzero(np.isin(words_at(haystack, offset), first)):
            start = offset + 8 * int(found)
            if haystack[start : start + 8 * RUN] in both:
                return True
    return False


def test_the_search_finds_what_is_there(view: View) -> None:
    """Positive controls: sealed shares in the database, roots on the chain, both in messages."""
    for name in HOSPITALS:
        submission = view.submission(name)
        sealed = cbor2.loads(submission.envelopes[0])[3]
        assert holds_run(view.messages, sealed)
        assert holds_run(b"x" + sealed, sealed)
        assert view.federation.hospital(name).dealing(attempt_key()).share_root in view.chain
        assert submission.digests[0] in view.database
        update = view.update(name)
        folder = b"".join(files(view.federation.party_folder(name)).values())
        assert holds_run(folder, update)
        assert holds_run(
            np.frombuffer(folder[: -(len(folder) % 8) or None], ">u8").tobytes(), update
        )


@pytest.mark.parametrize("place", ["messages", "database", "chain"])
def test_no_share_update_seed_or_row_occurs(view: View, place: str) -> None:
    haystack = getattr(view, place)
    shares = [share for name in HOSPITALS for share in view.shares(name).values()]
    assert not holds_run(haystack, *shares)
    assert not holds_run(haystack, *map(view.update, HOSPITALS))
    for name in HOSPITALS:
        dealing = view.federation.hospital(name).dealing(attempt_key())
        for secret in (view.seed(name), *dealing.salts.values()):
            assert secret not in haystack
            assert secret.hex().encode() not in haystack
        for row in view.rows(name):
            assert row not in haystack


@pytest.mark.parametrize("place", ["messages", "database", "chain"])
def test_no_key_occurs(view: View, place: str) -> None:
    haystack = getattr(view, place)
    for name in (*HOSPITALS, *NODES):
        secret = view.federation.secrets_of(name)
        assert secret not in haystack
        assert secret.hex().encode() not in haystack
    for node in NODES:
        seat = view.recorder.folders[node][f"{attempt_place(attempt_key())}/seat"]
        nonce, receiving_key = unpack(seat, bytes, bytes)
        assert receiving_key not in haystack
        # The nonce is revealed, on the chain.
        assert nonce in view.chain


@pytest.mark.parametrize("node", NODES)
def test_a_node_holds_its_own_share_of_each_update_and_no_other(view: View, node: str) -> None:
    folder = view.recorder.folders[node]
    everything = b"".join(folder.values())
    own = {name: view.shares(name).pop(node) for name in HOSPITALS}
    for name, share in own.items():
        place = f"{attempt_place(attempt_key())}/share/{name}"
        assert unpack(folder[place], str, bytes) == ["kept", share]
        assert holds_run(everything, share)
        assert view.seed(name) not in everything
    others = [s for name in HOSPITALS for n, s in view.shares(name).items() if n != node]
    assert not holds_run(everything, *others)
    assert not holds_run(everything, *map(view.update, HOSPITALS))


def test_seats_and_shares_are_gone_afterwards(view: View) -> None:
    for node in NODES:
        before, after = view.recorder.folders[node], files(view.federation.party_folder(node))
        place = attempt_place(attempt_key())
        secret = {path for path in before if path.startswith((f"{place}/seat", f"{place}/share/"))}
        assert len(secret) == 1 + len(HOSPITALS)
        assert set(before) - set(after) == secret
        everything = b"".join(after.values())
        assert not holds_run(everything, *(view.shares(name)[node] for name in HOSPITALS))


def shape(value: Any) -> Any:
    """What is left of a message without its values: types and lengths, keys and their order."""
    if isinstance(value, bytes):
        nested = _nested(value)
        # The length of a signature in DER depends on its random number.
        length = "signature" if 68 <= len(value) <= 72 else len(value)
        return length if nested is None else ("message", shape(nested))
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__ if isinstance(value, int | bool) else value


def _nested(data: bytes) -> Any:
    """The array in the bytes, if they are one: what is random and long is none."""
    if len(data) <= 72 or data[0] >> 5 != 4:
        return None
    try:
        value = cbor2.loads(data)
    except cbor2.CBORDecodeError:
        return None
    return value if cbor2.dumps(value, canonical=True) == data else None


class Chosen(Hospital):
    """Has another update than its rows give, of the same bound."""

    def _vector(self, key: AttemptKey, *arguments: Any) -> Integers:
        honest = super()._vector(key, *arguments)
        return honest if key.round == 0 else np.full_like(honest, -777)


def node_view(passed: list[Passed], node: str) -> list[Any]:
    mine = [one for one in passed if one.party == node]
    parts = [(one.question, part) for one in mine for part in (one.message, one.answer)]
    return [(question, shape(cbor2.loads(part)) if part else None) for question, part in parts]


def without_accounts(value: Any) -> Any:
    """Accounts and transactions are drawn anew for each federation."""
    if isinstance(value, str) and value.startswith("0x"):
        return len(value)
    if isinstance(value, list | tuple):
        return [without_accounts(item) for item in value]
    if isinstance(value, dict):
        return {key: without_accounts(item) for key, item in value.items()}
    return value


@pytest.mark.slow
def test_a_node_s_view_has_the_same_shape_whatever_the_updates(federate: Federate) -> None:
    views, folders, models = [], [], []
    for faulty in ({}, {"Hungary": Chosen, "Cleveland": Chosen}):
        federation = federate(faulty=faulty)
        recorder = Snapshots(federation.engine(), federation)
        assert federation.run(recorder).finished
        views.append([without_accounts(node_view(recorder.passed, node)) for node in NODES])
        held = recorder.folders["Node 1"]
        place = attempt_place(attempt_key())
        folders.append({p: len(d) for p, d in held.items() if p.startswith(f"{place}/s")})
        models.append(federation.result(attempt_key()))
    assert models[0] != models[1]
    assert views[0] == views[1]
    assert len(views[0][0]) > 30
    sizes = [{p: n for p, n in one.items() if "/said/" not in p} for one in folders]
    assert sizes[0] == sizes[1]
    assert len(sizes[0]) == 1 + len(HOSPITALS)
