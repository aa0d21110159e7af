"""The audit log on the ledger: anchored without gaps, and every altered byte is found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.services.anchoring import Anchoring, last_entry
from app.services.audit import AuditLog
from app.services.federation import Federation, open_federation
from app.services.verification import Verification
from contracts.chain import ChainEndpoint
from contracts.errors import Refused
from tests.app.installations import settings_of

COLUMNS = ("at", "actor", "action", "subject", "details", "previous_sha256", "sha256")


@pytest.fixture(scope="module")
def federation(
    tmp_path_factory: pytest.TempPathFactory, chain: ChainEndpoint
) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path_factory.mktemp("anchors"), chain)) as opened:
        # Whoever owns the database is not held by its triggers.
        with opened.database.transaction() as session:
            for action in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER audit_no_{action}"))
        yield opened


@pytest.fixture
def anchoring(federation: Federation) -> Anchoring:
    return Anchoring(federation.database, federation.ledger.anchors)


def write(federation: Federation, count: int) -> None:
    log = AuditLog(federation.database)
    for number in range(count):
        log.add("ada", "model.looked_at", f"model {number}", {"number": number})


def differences(federation: Federation) -> list[str]:
    return [str(one) for one in Verification(federation).run().differences]


def test_entries_are_anchored_once_and_without_a_gap(
    federation: Federation, anchoring: Anchoring
) -> None:
    before = anchoring.anchored()
    for count in (1, 2, 7):
        write(federation, count)
        newest = last_entry(federation.database)
        assert anchoring.bring_up() == newest == anchoring.anchored()
        assert anchoring.bring_up() == newest
    anchors = federation.ledger.anchors
    ends = [anchors.find(index) for index in range(anchors.count())][-3:]
    assert [one.last - one.first + 1 for one in ends] == [1, 2, 7]
    assert ends[0].first == before + 1
    assert differences(federation) == []


def test_a_second_client_that_comes_late_anchors_nothing_twice(
    federation: Federation, anchoring: Anchoring
) -> None:
    write(federation, 2)
    newest = anchoring.bring_up()
    count = federation.ledger.anchors.count()
    with pytest.raises(Refused, match="Gap"):
        federation.ledger.anchors.anchor(newest, newest, b"x" * 32)
    stranger = federation.reader()
    assert stranger.anchors.count() == count
    stranger.close()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_altered_column_of_an_anchored_entry_is_found(
    federation: Federation, anchoring: Anchoring, data: st.DataObject
) -> None:
    if last_entry(federation.database) < 5:
        write(federation, 5)
    newest = anchoring.bring_up()
    entry = data.draw(st.integers(1, newest))
    column = data.draw(st.sampled_from(COLUMNS))
    with federation.database.transaction() as session:
        row = session.execute(text("SELECT * FROM audit WHERE id = :id"), {"id": entry})
        was = str(row.mappings().one()[column])
    at = data.draw(st.integers(0, max(len(was) - 1, 0)))
    other = "7" if was[at : at + 1] != "7" else "3"
    now = (was[:at] + other + was[at + 1 :]) if column != "at" else was[:-1] + other
    statement = text(f"UPDATE audit SET {column} = :value WHERE id = :id")
    with federation.database.transaction() as session:
        session.execute(statement, {"value": now, "id": entry})
    try:
        found = differences(federation)
    finally:
        with federation.database.transaction() as session:
            session.execute(statement, {"value": was, "id": entry})
    assert now == was or any(one.startswith("audit log") for one in found)
    assert differences(federation) == []


def test_a_log_that_was_written_anew_from_an_entry_on_is_found(
    federation: Federation, anchoring: Anchoring
) -> None:
    """Whoever can write the database can make a chain of hashes that fits; not the anchors."""
    write(federation, 3)
    newest = anchoring.bring_up()
    log = AuditLog(federation.database)
    with federation.database.transaction() as session:
        kept = session.execute(text("SELECT * FROM audit WHERE id = :id"), {"id": newest})
        row = dict(kept.mappings().one())
        head = {"id": newest - 1, "sha256": row["previous_sha256"]}
        session.execute(text("DELETE FROM audit WHERE id = :id"), {"id": newest})
        session.execute(text("UPDATE audit_head SET entry_id = :id, sha256 = :sha256"), head)
    log.add("ada", "model.looked_at", "another model")
    assert log.verify() == []
    (only,) = differences(federation)
    assert only.startswith("audit log, entries")
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    with federation.database.transaction() as session:
        session.execute(text("DELETE FROM audit WHERE id = :id"), {"id": newest})
        session.execute(text(f"INSERT INTO audit ({names}) VALUES ({values})"), row)
        head = {"id": newest, "sha256": row["sha256"]}
        session.execute(text("UPDATE audit_head SET entry_id = :id, sha256 = :sha256"), head)
    assert differences(federation) == []


def test_a_log_whose_end_was_cut_off_is_found(federation: Federation, anchoring: Anchoring) -> None:
    write(federation, 2)
    newest = anchoring.bring_up()
    with federation.database.transaction() as session:
        session.execute(text("DELETE FROM audit WHERE id = :id"), {"id": newest})
        before = session.execute(
            text("SELECT sha256 FROM audit WHERE id = :id"), {"id": newest - 1}
        ).scalar_one()
        session.execute(
            text("UPDATE audit_head SET entry_id = :id, sha256 = :sha256"),
            {"id": newest - 1, "sha256": before},
        )
    assert AuditLog(federation.database).verify() == []
    (only,) = differences(federation)
    assert "an entry is missing" in only
