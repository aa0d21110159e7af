"""A round's dossier: complete, checked without an installation, and called no more than it is."""

from __future__ import annotations

import base64
import copy
import json
import socket
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cli import main
from app.errors import RequestError
from app.services.dossier import Dossiers
from app.services.dossier_chain import check_chain
from app.services.dossier_check import Findings, check_dossier
from app.services.dossier_format import NotADossier, read_dossier
from app.services.federation import Federation, open_federation
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.setup.commandline import parse
from contracts.chain import ChainEndpoint
from contracts.errors import BadEvidence
from contracts.evidence import check_block
from contracts.members import grouped, read_fingerprint
from contracts.records import DONATION, Role
from tests.app import commandline
from tests.app.installations import settings_of

pytestmark = pytest.mark.slow

Document = dict[str, Any]
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def federation(trained: dict[str, Any], trained_folder: Path) -> Iterator[Federation]:
    with open_federation(settings_of(trained_folder)) as federation:
        yield federation


@pytest.fixture(scope="module")
def dossiers(federation: Federation) -> Dossiers:
    return Dossiers(federation.database, federation.ledger)


@pytest.fixture(scope="module")
def training(trained: dict[str, Any]) -> str:
    return str(trained["training"])


@pytest.fixture(scope="module")
def written(dossiers: Dossiers, training: str) -> bytes:
    return dossiers.write(training, 1)


@pytest.fixture(scope="module")
def fingerprint(federation: Federation) -> bytes:
    return federation.ledger.fingerprint()


@pytest.fixture
def document(written: bytes) -> Document:
    found: Document = json.loads(written)
    return found


@pytest.fixture(scope="module")
def forged(chain: ChainEndpoint, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dossier of a whole round by other parties, on another chain."""
    folder = tmp_path_factory.mktemp("forger") / "instance"
    with open_federation(settings_of(folder, chain)) as federation:
        trainings = Trainings(federation)
        plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1, review=False))
        started = trainings.start(plan)
        assert trainings.run(started, lambda _: None).finished
        return Dossiers(federation.database, federation.ledger).write(started, 1)


def check(document: Document, fingerprint: bytes | None = None) -> Findings:
    return check_dossier(json.dumps(document).encode(), fingerprint)


def told(findings: Findings) -> str:
    return "\n".join(map(str, findings.differences))


def found(document: Document) -> bool:
    """Whether a check says that something is wrong with the file."""
    try:
        return bool(check(document).differences)
    except NotADossier:
        return True


@pytest.mark.parametrize("number", [0, DONATION, 1])
def test_every_kind_of_round_is_genuine_by_the_federation_s_fingerprint(
    dossiers: Dossiers, training: str, fingerprint: bytes, number: int
) -> None:
    findings = check_dossier(dossiers.write(training, number), fingerprint)
    assert findings.differences == []
    assert findings.genuine


def test_without_a_fingerprint_it_is_consistent_and_says_who_signed(written: bytes) -> None:
    findings = check_dossier(written)
    assert findings.differences == []
    assert not findings.genuine
    names = [name for _, name in findings.signers]
    assert sorted(names) == [
        "Cleveland", "Hungary", "Node 1", "Node 2", "Node 3", "Node 4", "Switzerland",
        "VA Long Beach", "coordinator",
    ]  # fmt: skip


def test_another_fingerprint_is_a_difference(written: bytes, fingerprint: bytes) -> None:
    other = fingerprint[:-1] + bytes([fingerprint[-1] ^ 1])
    findings = check_dossier(written, other)
    assert not findings.genuine
    assert "federation: expected" in told(findings)


def test_a_forged_round_is_consistent_but_not_genuine(forged: bytes, fingerprint: bytes) -> None:
    assert check_dossier(forged).differences == []
    findings = check_dossier(forged, fingerprint)
    assert not findings.genuine
    assert findings.differences


def test_what_is_shown_is_what_the_training_said(written: bytes, trained: dict[str, Any]) -> None:
    summary = json.loads(written)["summary"]
    said = trained["rounds"][0]
    assert summary["result_sha256"] == said["model_sha256"]
    verdicts = {one["hospital"]: one["verdict"] for one in summary["hospitals"]}
    assert verdicts == {one["name"]: one["verdict"] for one in said["hospitals"]}
    assert len(summary["voted"]) >= 3


def leaves(value: Any, path: Place = ()) -> Iterator[Place]:
    """The paths of all values that hold no others."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*path, name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from leaves(one, (*path, place))
    else:
        yield path


def value_at(document: Document, path: Place) -> Any:
    found: Any = document
    for step in path:
        found = found[step]
    return found


def with_value(document: Document, path: Place, value: Any) -> Document:
    altered = copy.copy(document)
    if len(path) > 1:
        at: Any = altered
        for step in path[:-1]:
            at[step] = copy.copy(at[step])
            at = at[step]
        at[path[-1]] = value
    else:
        altered[path[0]] = value  # type: ignore[index]
    return altered


def alphabet(text: str) -> str:
    """The digits of which a text is made, as far as can be told."""
    if text and set(text) <= set("0123456789abcdef"):
        return "0123456789abcdef"
    with_base64 = string.ascii_letters + string.digits + "+/="
    return with_base64 if set(text) <= set(with_base64) else string.printable


def altered(document: Document, path: Place, draw: Callable[[int], int]) -> Document:
    """The document with one character, number or truth value changed."""
    value = value_at(document, path)
    if isinstance(value, bool):
        return with_value(document, path, not value)
    if isinstance(value, int):
        return with_value(document, path, value + 1 + draw(1000))
    if not value:
        return with_value(document, path, "00")
    place = draw(len(value))
    others = [one for one in alphabet(value) if one != value[place]]
    other = others[draw(len(others))]
    return with_value(document, path, value[:place] + other + value[place + 1 :])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_altered_character_is_found(document: Document, data: st.DataObject) -> None:
    paths = list(leaves(document))
    path = data.draw(st.sampled_from(paths))
    changed = altered(document, path, lambda n: data.draw(st.integers(0, n - 1)))
    assert changed != document
    assert found(changed), path


def test_an_altered_end_of_every_value_is_found(document: Document) -> None:
    unseen = [
        path
        for path in leaves(document)
        if not found(altered(document, path, lambda count: count - 1))
    ]
    assert unseen == []


def test_a_proof_is_refused_whatever_its_altered_bytes_decode_to(written: bytes) -> None:
    block = read_dossier(written).blocks[-1].evidence()
    (entry,) = block.entries
    (leaf,) = entry.transaction
    for place in range(12):
        for value in {*range(256)} - {leaf[place]}:
            wrong = leaf[:place] + bytes([value]) + leaf[place + 1 :]
            with pytest.raises(BadEvidence):
                check_block(replace(block, entries=(replace(entry, transaction=(wrong,)),)), 1337)


def test_a_missing_transaction_is_found_wherever_it_was(document: Document) -> None:
    for place, block in enumerate(document["blocks"]):
        assert len(block["transactions"]) == 1
        fewer = document["blocks"][:place] + document["blocks"][place + 1 :]
        assert found(document | {"blocks": fewer}), place
        counted = document | {"blocks": fewer, "transactions": document["transactions"] - 1}
        # A vote beyond the quorum, too: the summary names who voted.
        assert found(counted), place


def test_reordered_and_repeated_blocks_are_found(document: Document) -> None:
    blocks = document["blocks"]
    for place in range(len(blocks) - 1):
        swapped = [*blocks[:place], blocks[place + 1], blocks[place], *blocks[place + 2 :]]
        assert found(document | {"blocks": swapped}), place
        twice = [*blocks[: place + 1], *blocks[place:]]
        assert found(document | {"blocks": twice}), place


def test_a_missing_or_repeated_message_is_found(document: Document) -> None:
    messages = document["messages"]
    assert len(messages) == 7  # of four nodes, and of the three of the committee
    for place in range(len(messages)):
        fewer = messages[:place] + messages[place + 1 :]
        assert found(document | {"messages": fewer}), place
    assert found(document | {"messages": [*messages, messages[0]]})


def test_another_round_s_parts_are_found(dossiers: Dossiers, document: Document) -> None:
    other = json.loads(dossiers.write(document["training"], 0))
    for name in ("result", "messages", "summary", "blocks", "round"):
        assert found(document | {name: other[name]}), name


def test_a_member_that_no_dossier_has_is_found(document: Document) -> None:
    assert "note: expected a value of a dossier, found a member that is none" in told(
        check(document | {"note": "genuine"})
    )


def test_the_same_bytes_in_another_base64_or_in_capitals_are_found(document: Document) -> None:
    message = document["messages"][0]
    spaced = message["body"][:4] + "\n" + message["body"][4:]
    assert found(document | {"messages": [message | {"body": spaced}, *document["messages"][1:]]})
    assert found(document | {"training": document["training"].upper()})
    body = base64.b64decode(message["body"]) + b"\0"
    longer = base64.b64encode(body).decode()
    assert found(document | {"messages": [message | {"body": longer}, *document["messages"][1:]]})


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"format": "consilium/dossier/v2"}', b"[" * 200_000, b"\xff\xfe"],
)
def test_what_is_no_dossier_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(NotADossier):
        check_dossier(content)


def test_a_member_that_stands_there_twice_is_refused(written: bytes) -> None:
    with pytest.raises(NotADossier, match="twice"):
        check_dossier(written.replace(b'"format"', b'"round": 1,\n "format"', 1))


def test_it_is_genuine_by_the_chain_that_holds_it(written: bytes, federation: Federation) -> None:
    findings = check_dossier(written)
    check_chain(findings, federation.endpoint.url)
    assert findings.differences == []
    assert findings.on_chain


def test_a_chain_that_does_not_hold_it_is_a_difference(
    written: bytes, chain: ChainEndpoint
) -> None:
    findings = check_dossier(written)
    check_chain(findings, chain.url)
    assert not findings.on_chain
    assert "on the chain: expected" in told(findings)


def test_the_fingerprint_changes_with_a_hospital_and_not_with_a_doctor(
    chain: ChainEndpoint, tmp_path: Path
) -> None:
    with open_federation(settings_of(tmp_path / "instance", chain)) as federation:
        registry = federation.ledger.registry
        before = federation.ledger.fingerprint()
        for role, changes in ((Role.DOCTOR, False), (Role.HOSPITAL, True)):
            keys = federation.keys(f"Somebody {role}")
            registry.register(keys.account, role, keys.public_key)
            after = federation.ledger.fingerprint()
            assert (after != before) is changes
            before = after


def test_a_fingerprint_reads_back_however_it_is_spaced(fingerprint: bytes) -> None:
    assert read_fingerprint(grouped(fingerprint)) == fingerprint
    assert read_fingerprint("0x" + fingerprint.hex().upper()) == fingerprint
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        read_fingerprint(fingerprint.hex()[:-1])


def test_a_round_is_found_by_its_model_and_by_its_training(
    dossiers: Dossiers, training: str, trained: dict[str, Any]
) -> None:
    assert dossiers.round_of(trained["model_sha256"]) == (training, 1)
    assert dossiers.training(training[:8]) == training
    assert dossiers.last_round(training) == 1
    with pytest.raises(RequestError, match="hash of a model"):
        dossiers.round_of("00" * 32)
    with pytest.raises(RequestError, match="not finished"):
        dossiers.write(training, 7)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(parse(arguments))
    return status, capsys.readouterr().out


def test_the_commands_write_and_check_it(
    dossiers: Dossiers,
    trained_folder: Path,
    tmp_path: Path,
    fingerprint: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, nowhere = tmp_path / "round.json", tmp_path / "none"
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(trained_folder))
    status, out = run(capsys, "dossier", "--round", "1", str(file))
    assert status == 0
    assert grouped(fingerprint) in out

    monkeypatch.setenv("CONSILIUM_INSTANCE", str(nowhere))
    ours = ("--federation", grouped(fingerprint))
    for arguments, answer in (((), "consistent, signed by"), (ours, "genuine: made by")):
        status, out = run(capsys, "verify", str(file), *arguments)
        assert status == 0
        assert answer in out
        assert ("genuine" in out) == bool(arguments)
    status, out = run(capsys, "verify", str(file), "--federation", "00" * 32)
    assert status == 1
    assert "one of this federation's keys was changed" in out
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url, problem in (
        (f"http://127.0.0.1:{port}", "nothing answers there"),
        ("nonsense", "begins with http://"),
    ):
        assert main(parse(["verify", str(file), "--chain", url])) == 2
        complaint = capsys.readouterr().err
        assert problem in complaint
        assert "Errno" not in complaint
    file.write_text(file.read_text().replace('"samples": ', '"samples": 1', 1))
    status, out = run(capsys, "verify", str(file), *ours)
    assert status == 1
    assert "DIFFERS  summary, Cleveland, samples: expected 210, found 1210\n" in out
    assert "genuine" not in out
    file.write_text("{}")
    assert run(capsys, "verify", str(file))[0] == 2
    assert run(capsys, "verify", str(tmp_path / "missing"))[0] == 2
    assert not nowhere.exists()


CODE = """\
import sys
from app.cli import main
from app.setup.commandline import parse
status = main(parse(sys.argv[1:]))
loaded = {name for name in ("sqlalchemy", "flask", "alembic") if name in sys.modules}
sys.exit(", ".join(loaded) or status)
"""


def test_checking_a_file_loads_no_database_and_no_web(
    repository: Path, written: bytes, tmp_path: Path
) -> None:
    (tmp_path / "round.json").write_bytes(written)
    done = subprocess.run(
        [sys.executable, "-c", CODE, "verify", str(tmp_path / "round.json")],
        cwd=repository,
        env=commandline.environment(tmp_path / "none"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "consistent" in done.stdout


def test_a_later_round_shows_whence_its_model_and_its_bound_came(
    chain: ChainEndpoint, tmp_path: Path
) -> None:
    with open_federation(settings_of(tmp_path / "instance", chain)) as federation:
        trainings = Trainings(federation)
        started = trainings.start(trainings.plan(TrainingRequest(rounds=2, local_epochs=1)))
        assert trainings.run(started, lambda _: None).finished
        dossiers = Dossiers(federation.database, federation.ledger)
        first, second = (json.loads(dossiers.write(started, number)) for number in (1, 2))
    assert check(second).differences == []
    assert second["summary"]["model_in"] == first["summary"]["result_sha256"]
    assert second["summary"]["norm_bound"] != first["summary"]["norm_bound"]
    of_first = {block["hash"] for block in first["blocks"]}
    shared = [block for block in second["blocks"] if block["hash"] in of_first]
    unneeded = 0
    for block in shared:
        fewer = [one for one in second["blocks"] if one != block]
        count = second["transactions"] - 1
        unneeded += check(second | {"blocks": fewer, "transactions": count}).differences == []
    # Of the round before, one of four signatures and one of four votes is beyond the quorum.
    assert len(shared) > 9
    assert unneeded <= 8
