"""The centre's records on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from simulators.testing import TEST_TIME
from verifier.centre.errors import CentreError
from verifier.centre.terminals import HealthReport
from verifier.centre_db.base import CentreDatabase
from verifier.centre_db.schema import check_migrations, require_current, upgrade
from verifier.centre_db.tables import METADATA
from verifier.centre_db.terminals import SqlTerminalRegister

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CentreDatabase]:
    url = (
        f"sqlite:///{tmp_path / 'centre.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    with closing(CentreDatabase(url)) as opened:
        upgrade(opened)
        yield opened


def test_terminals_are_kept_as_they_were_told(database: CentreDatabase) -> None:
    register = SqlTerminalRegister(database)
    for holder in ("VNB", "VNA"):
        register.enrol(holder, organisation="01", now=TEST_TIME)
    report = HealthReport(version="0.1.0", bundle_number=2**40, journal_sequence=None)
    later = TEST_TIME + timedelta(seconds=30)
    register.heard("VNA", report, said_at=later, now=TEST_TIME)
    register.heard("VNA", HealthReport(version="0", bundle_number=None, journal_sequence=1), said_at=TEST_TIME, now=later)  # fmt: skip
    register.block("VNB", reason="stolen", now=later)
    first, second = register.all(limit=10)
    assert (first.holder, first.health, first.clock_offset_seconds) == ("VNA", report, 30)
    assert (second.blocked_at, second.blocked_because) == (later, "stolen")
    assert register.all(after="VNA", limit=10) == [second]
    assert register.find("VNC") is None
    with pytest.raises(CentreError) as caught:
        register.block("VNB", reason="again", now=later)
    assert caught.value.code == "centre.terminal-blocked"


def test_the_migrations_make_the_tables(database: CentreDatabase) -> None:
    require_current(database)
    found = set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}
    assert found == set(METADATA.tables)
    upgrade(database)


def test_the_migrations_are_those_of_the_tables_in_code() -> None:
    check_migrations()


def test_a_database_that_was_not_upgraded_or_is_newer_is_refused(tmp_path: Path) -> None:
    with closing(CentreDatabase(f"sqlite:///{tmp_path / 'new.sqlite'}")) as database:
        with pytest.raises(CentreError) as caught:
            require_current(database)
        assert caught.value.code == "centre.database"
        with pytest.raises(CentreError) as caught:
            SqlTerminalRegister(database).find("VNA")
        assert caught.value.code == "centre.database"
        upgrade(database)
        with database.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999_future'"))
        with pytest.raises(CentreError) as caught:
            upgrade(database)
        assert caught.value.code == "centre.database-newer"


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://a/b"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(CentreError) as caught:
        CentreDatabase(url)
    assert caught.value.code == "centre.database-url"
