"""No private key leaves its keystore: not into the database, the chain, a log, a file or a page."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask

from app.database import Database
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.federation import COORDINATOR, DEPUTY, open_federation
from app.services.keys import SIGNING, Keys
from app.services.passphrase import FILE, KEYSTORE
from app.services.passwords import Passwords
from app.services.requests import TrainingRequest
from app.services.roles import ADMINISTRATOR, DOCTOR, OPERATOR
from app.services.secret_key import make_secret_key
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.web.factory import create
from contracts.chain import LOG, connect
from crypto.envelope import private_key_bytes
from tests.app.installations import settings_of
from tests.app.web.browser import Browser
from tests.app.web.conftest import of

pytestmark = pytest.mark.slow

# Where private keys, and what opens them, may lie.
KEPT = (KEYSTORE, SIGNING, FILE)


def forms(secret: bytes) -> set[bytes]:
    """What the secret looks like in a text or a file: raw, as digits, in base64 at any offset."""
    number = int.from_bytes(secret, "big")
    found = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode()}
    found.add(str(number).encode())
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The first and the last digits depend on what stands around the secret.
            found.add(encode(bytes(offset) + secret)[4:-4])
    return found


def leaked(secrets: list[bytes], content: bytes) -> list[bytes]:
    return [secret for secret in secrets for form in forms(secret) if form in content]


@dataclass(frozen=True)
class Trained:
    folder: Path
    keys: list[Keys]
    secrets: list[bytes]
    said: str
    training: str


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An installation after a training and its verification, and all that was logged meanwhile."""
    folder = tmp_path_factory.mktemp("leaks") / "instance"
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with open_federation(settings_of(folder)) as federation:
            trainings = Trainings(federation)
            plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1, review=False))
            started = trainings.start(plan)
            assert trainings.run(started, lambda event: lines.append(repr(event))).finished
            assert Verification(federation).run().differences == []
            members = (*plan.hospitals, *plan.nodes)
            names = [COORDINATOR, DEPUTY, *(member.name for member in members)]
            keys = [federation.keys(name) for name in names]
            lines.append(repr((federation, keys)))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    secrets = [secret for one in keys for secret in (one.chain, private_key_bytes(one.signing))]
    opener = bytes.fromhex((folder / FILE).read_text())
    return Trained(folder, keys, [*secrets, opener], "\n".join(lines), started)


def test_the_search_finds_what_is_there(trained: Trained) -> None:
    secret = trained.secrets[0]
    for shown in (
        b"x" + secret,
        f"key {secret.hex()}".encode(),
        f"key 0x{secret.hex().upper()}".encode(),
        str(int.from_bytes(secret, "big")).encode(),
        *(base64.b64encode(b"abc"[:before] + secret + b"after") for before in range(3)),
    ):
        assert leaked(trained.secrets, shown)[:1] == [secret]
    # What is public of each key does lie in the database.
    database = (trained.folder / "consilium.db").read_bytes()
    assert [one.name for one in trained.keys[2:] if one.account.encode() not in database] == []


def test_no_file_but_the_keystores_holds_a_private_key(trained: Trained) -> None:
    files = [path for path in trained.folder.rglob("*") if path.is_file()]
    searched = [path for path in files if path.name not in KEPT]
    assert {"consilium.db", "chain.db", LOG} <= {path.name for path in searched}
    assert [path for path in searched if leaked(trained.secrets, path.read_bytes())] == []
    kept = [path for path in files if path.name in (KEYSTORE, SIGNING)]
    assert len(kept) == 2 * len(trained.keys)
    assert [path for path in kept if leaked(trained.secrets, path.read_bytes())] == []


def test_no_private_key_is_said_or_shown_with_an_object(trained: Trained) -> None:
    # The chain's clients do tell all that they send, so a key would be among it.
    assert trained.keys[0].account[2:].lower() in trained.said
    assert leaked(trained.secrets, trained.said.encode()) == []


def test_no_page_shows_a_private_key(trained: Trained) -> None:
    settings = settings_of(trained.folder)
    make_secret_key(trained.folder)
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    # Pages about the ledger ask the chain.
    with connect(trained.folder), closing(Database(settings.database)) as database:
        people = {
            one.role: one for one in Accounts(database, AuditLog(database), cheap).create_demo()
        }
        app = create(settings, cheap)
        admin, operator = (
            of(app).accounts.find_by_email(people[role].email) for role in (ADMINISTRATOR, OPERATOR)
        )
        assert admin is not None
        assert operator is not None
        of(app).staff.assign(admin, operator.id, "Cleveland")
        shown = []
        for role in (ADMINISTRATOR, DOCTOR, OPERATOR):
            browser = Browser(app)
            browser.sign_in(people[role].email, people[role].password)
            shown += walk(app, browser, trained.training)
        of(app).database.close()
    content = b"".join(shown)
    assert trained.training.encode() in content
    assert len(shown) > 15
    assert leaked(trained.secrets, content) == []


def walk(app: Flask, browser: Browser, training: str) -> Iterator[bytes]:
    """Every page that this person may open."""
    values = {
        "task": "heart",
        "training_id": training,
        "number": 1,
        "user_id": 1,
        "job_id": 1,
        "appeal_id": 1,
        "patient_id": "0" * 64,
        "batch_id": "0" * 64,
        "opening_id": "0" * 64,
        "resharing_id": "0" * 64,
        "filename": "css/base.css",
        "value": training,
        "hospital": "Cleveland",
        "name": "accuracy",
        "form": "csv",
        "draft": "0" * 32,
        "step": "purpose",
        "transaction": "0x" + training,
    }
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            with app.test_request_context():
                path = app.url_map.bind("localhost").build(
                    rule.endpoint, {name: values[name] for name in rule.arguments}
                )
            answer = browser.get(path)
            if answer.status_code == HTTPStatus.OK:
                yield answer.data
