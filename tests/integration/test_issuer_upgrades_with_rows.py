"""A register that is in use is upgraded step by step, on both databases: every row, reference and guard stays."""

import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from issuer.db import migrations, schema
from issuer.db.base import Database
from issuer.errors import ConflictError
from tests.contract.rows_at_each_step import fill_empty_tables, row_counts

VALUES: Final = {
    ("member_changes", "version"): 2,
    ("stock_movements", "target"): "store",
    ("account_proposals", "role"): "decider",
    ("card_contents", "security_object_file"): b"a file",
}
NO_MEMBERS_BEFORE: Final = "0014_requests"
"""Members of before could not be sealed (0005), and nobody could tell by which request a card was made (0014)."""

SOME: Final = (
    "0013_operations",
    NO_MEMBERS_BEFORE,
    "0018_bundles",
    "0021_batches",
    "0026_instance_reports",
)
"""Steps behind which tables are made anew that came with them, or before."""

OF_MEMBERS: Final = {
    "members",
    "member_changes",
    "cards",
    "card_contents",
    "disclosures",
    "erasures",
}


def steps() -> list[str]:
    (folder,) = migrations.__path__
    return [each.revision for each in ScriptDirectory(folder).walk_revisions()][::-1]


def guards(engine: sa.Engine) -> set[str]:
    """The triggers that keep what was written."""
    query = (
        "SELECT tbl_name || '.' || name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with engine.connect() as connection:
        return set(connection.exec_driver_sql(query).scalars())


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path / 'x.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    made = Database(url)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("database", "stops"),
    [
        ("sqlite", SOME),
        pytest.param("sqlite", (), marks=pytest.mark.slow),
        pytest.param("postgresql", (), marks=pytest.mark.slow),
    ],
    indirect=["database"],
)
def test_a_register_in_use_is_upgraded_step_by_step(
    database: Database, stops: tuple[str, ...]
) -> None:
    """At each step every table gets a row, as one that was made then; in the normal run at some."""
    engine = database.engine
    known: dict[str, int] = {}
    guarded: set[str] = set()
    every = steps()
    assert set(stops) <= set(every)
    for step in [each for each in every if each in (*stops, every[-1])] if stops else every:
        schema.upgrade(database, to=step)
        counts = row_counts(engine)
        lost = {name: count for name, count in known.items() if counts.get(name, 0) < count}
        assert lost == {}, step
        assert guarded - guards(engine) == set(), step
        fill_empty_tables(
            engine,
            values=VALUES,
            left_out=OF_MEMBERS if step < NO_MEMBERS_BEFORE else (),
        )
        known, guarded = row_counts(engine), guards(engine)
        assert {name for name, count in known.items() if not count} <= OF_MEMBERS, step
    assert 0 not in known.values()
    assert schema.current_revision(database) == schema.latest_revision()
    if database.is_sqlite:
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_row_that_refers_to_nothing_keeps_an_upgrade_from_ending(tmp_path: Path) -> None:
    """References are not checked while tables are made anew, and all of them are at the end."""
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database, to="0031_organisation_keys")
    driver = sqlite3.connect(tmp_path / "x.sqlite")
    with driver:
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute(
            "INSERT INTO organisations (id, code, name, parent_id) VALUES (?, 'P', 'P', ?)",
            (uuid.UUID(int=1).hex, uuid.UUID(int=2).hex),
        )
    driver.close()
    with pytest.raises(ConflictError):
        schema.upgrade(database)
    assert schema.current_revision(database) == "0031_organisation_keys"
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    database.close()
