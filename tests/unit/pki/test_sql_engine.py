"""What all databases of the product rest on: durable files, locks that are let go of, URLs that are read strictly."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import IntegrityError

import issuer.db.migrations
from pki.sql.engine import DatabaseUrlError, beginning_at_once, open_engine, read_database_url
from pki.sql.migrations import Migrations, UnknownRevisionError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "one.sqlite"


@pytest.fixture
def engine(file: Path) -> Engine:
    engine = open_engine(URL.create("sqlite", database=str(file)))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE whole (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE part (id INTEGER REFERENCES whole (id) DEFERRABLE INITIALLY DEFERRED)"
        )
    return engine


def test_a_commit_that_failed_keeps_no_lock(engine: Engine, file: Path) -> None:
    with pytest.raises(IntegrityError), beginning_at_once(engine).begin() as connection:
        connection.exec_driver_sql("INSERT INTO part VALUES (7)")
    with sqlite3.connect(file, timeout=0) as other:
        other.execute("INSERT INTO whole VALUES (1)")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM part")) == 0


def test_what_begins_at_once_holds_the_lock_before_it_writes(engine: Engine, file: Path) -> None:
    other = sqlite3.connect(file, timeout=0)
    with beginning_at_once(engine).begin():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO whole VALUES (2)")
        assert other.execute("SELECT count(*) FROM whole").fetchone() == (0,)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        other.execute("INSERT INTO whole VALUES (2)")
        other.commit()
    other.close()


def test_a_file_is_written_through_and_what_is_deleted_is_overwritten(engine: Engine) -> None:
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas
        }
    assert found == pragmas


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not one"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://somebody:secret@host/name", "names mysql"),
        ("postgresql://somebody:secret@host:port/name", "is not one"),
    ],
)
def test_a_url_of_no_database_of_ours_is_refused_without_being_quoted(
    text: str, reason: str
) -> None:
    with pytest.raises(DatabaseUrlError, match=reason) as caught:
        read_database_url(text)
    assert "secret" not in str(caught.value)


def test_postgresql_comes_with_the_driver_that_is_tested() -> None:
    assert read_database_url("postgresql://host/name").drivername == "postgresql+psycopg"


def test_a_database_of_a_newer_version_is_not_touched(engine: Engine) -> None:
    migrations = Migrations(issuer.db.migrations)
    assert migrations.current(engine) is None
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('9999_later')")
    assert migrations.current(engine) == "9999_later"
    with pytest.raises(UnknownRevisionError):
        migrations.upgrade(engine)
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
    assert sorted(tables) == ["alembic_version", "part", "whole"]
