"""Runs the migrations on the connection that `verifier.centre_db.schema` hands over."""

from alembic import context
from sqlalchemy.engine import Connection

from verifier.centre_db.tables import METADATA

__all__: list[str] = []


def _run() -> None:
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        raise TypeError(f"got {type(connection).__name__} to migrate, expected a connection")
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        # SQLite alters a table by making it anew; one transaction holds the whole upgrade.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
