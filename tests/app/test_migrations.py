"""Migrations on both databases: the newest tables are the models', and data survive."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select

from app.database import MIGRATIONS, Database, migration_config
from app.models import Base, DeploymentRow, PartyRow

REVISIONS = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"alembic_version"}


def revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def fill(database: Database) -> None:
    """A row in the tables that every revision has."""
    with database.transaction() as session:
        session.add(
            DeploymentRow(
                chain_id=1337,
                chain_kind="embedded",
                genesis_hash="a" * 64,
                contract="0x" + "b" * 40,
            )
        )
        session.add(
            PartyRow(
                name="VA Long Beach", role="hospital", account="0x" + "c" * 40, public_key="04"
            )
        )


def test_the_newest_tables_are_the_models(database: Database) -> None:
    assert revision(database) == REVISIONS[0]
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    assert differences == []


def test_the_comparison_finds_a_difference(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE parties ADD COLUMN surplus INTEGER")
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert [one[0] for one in differences] == ["remove_column"]


def test_migrating_again_changes_nothing(database: Database) -> None:
    fill(database)
    database.migrate()
    with database.transaction() as session:
        assert session.scalars(select(PartyRow.name)).all() == ["VA Long Beach"]


def test_down_to_nothing_and_up_again_with_data(database: Database) -> None:
    fill(database)
    config = migration_config(database.engine)
    command.downgrade(config, "base")
    assert tables(database) == set()
    assert revision(database) is None
    database.migrate()
    assert tables(database) == set(Base.metadata.tables)
    fill(database)


def test_one_revision_down_and_up_keeps_what_stays(database: Database) -> None:
    fill(database)
    config = migration_config(database.engine)
    for _ in REVISIONS[:-1]:
        command.downgrade(config, "-1")
        command.upgrade(config, "head")
        with database.transaction() as session:
            assert session.scalars(select(PartyRow.name)).all() == ["VA Long Beach"]
    assert revision(database) == REVISIONS[0]


def test_revisions_form_one_line() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [REVISIONS[0]]
    assert len(set(REVISIONS)) == len(REVISIONS)
