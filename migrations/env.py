"""Runs the migrations on the engine that the application hands over."""

from __future__ import annotations

from alembic import context

from app.models import Base

engine = context.config.attributes["engine"]
on_sqlite = engine.dialect.name == "sqlite"

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter a column in place.
        render_as_batch=on_sqlite,
        # All or nothing, where the database can do that: a kill leaves no half of the tables.
        transactional_ddl=on_sqlite,
    )
    if on_sqlite:
        # The driver begins no transaction before DDL by itself. The connection keeps what is set
        # here, so nobody else is to get it.
        driver = connection.connection.driver_connection
        connection.detach()
        driver.isolation_level = None
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
