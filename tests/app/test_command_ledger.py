"""`run.py ledger`, and the worker after a training: the local copy is there without a page."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from app.cli import main
from app.database import Database
from app.models import LedgerCopyRow, LedgerEventRow, LedgerMentionRow
from app.services.federation import HOSPITAL, open_federation
from app.services.jobs import Jobs
from app.services.ledger_index import LedgerIndex
from app.services.requests import TrainingRequest
from app.services.work import Worker
from app.setup.commandline import parse
from config import Settings
from contracts.chain import ChainEndpoint
from contracts.errors import ChainUnreachable
from tests.app.installations import settings_of

NAMES = ["Cleveland", "Hungary", "VA Long Beach"]


# Three roles with the registry, the bindings of models and appeals, then each hospital and its
# three permissions.
EVENTS = 3 + 2 + 4 * len(NAMES)
HELD = f"{EVENTS} events of {3 + len(NAMES)} transactions"


@pytest.fixture
def settings(tmp_path: Path, chain: ChainEndpoint, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation on whose contract three hospitals are registered."""
    made = settings_of(tmp_path / "one", chain)
    with open_federation(made) as federation:
        federation.enrol(NAMES, HOSPITAL)
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(made.instance_dir))
    monkeypatch.setenv("CHAIN_RPC_URL", chain.url)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return made


def copied(settings: Settings) -> tuple[int, int]:
    """How many events the copy holds, and the first block that it has not read."""
    database = Database(settings.database)
    with database.transaction() as session:
        events = session.scalar(select(func.count()).select_from(LedgerEventRow))
        reached = session.scalar(select(LedgerCopyRow.next_block))
    database.close()
    return events or 0, reached or 0


def test_the_command_reads_the_chain_and_says_how_much_it_holds(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(parse(["ledger"])) == 0
    assert f"{HELD} in blocks 0 to" in capsys.readouterr().out
    assert copied(settings)[0] == EVENTS


def test_the_command_makes_an_altered_copy_anew(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    main(parse(["ledger"]))
    database = Database(settings.database)
    with database.transaction() as session:
        session.execute(delete(LedgerMentionRow))
        session.execute(delete(LedgerEventRow))
    database.close()
    main(parse(["ledger"]))
    assert copied(settings)[0] == 0
    assert main(parse(["ledger", "--rebuild"])) == 0
    assert copied(settings)[0] == EVENTS
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(HELD)


def work_off_a_refused_job(settings: Settings) -> str:
    """Let a worker do a job that it must refuse; how the job ended."""
    database = Database(settings.database)
    jobs = Jobs(database)
    number = jobs.submit(TrainingRequest(task="lung"), None).id
    Worker(settings, "only", Event()).look(jobs)
    job = jobs.find(number)
    database.close()
    assert job is not None
    return job.state


def test_the_worker_reads_the_chain_when_a_job_ends(settings: Settings) -> None:
    assert copied(settings) == (0, 0)
    assert work_off_a_refused_job(settings) == "failed"
    events, reached = copied(settings)
    assert events == EVENTS + 1  # The anchor of the log that told of the job.
    with open_federation(settings) as federation:
        assert reached == federation.ledger.head().number + 1


def test_a_job_ends_as_it_did_when_the_chain_cannot_be_read_after_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> None:
        raise ChainUnreachable("http://127.0.0.1:1", "nothing listens there")

    monkeypatch.setattr(LedgerIndex, "catch_up", gone)
    assert work_off_a_refused_job(settings) == "failed"
    assert copied(settings) == (0, 0)
