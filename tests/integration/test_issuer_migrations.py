"""The issuer's database from nothing to the latest revision, and what it keeps to."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.models import Base
from issuer.db.register import SqlRegister
from issuer.errors import IssuerRefusedError, IssuerUnavailableError


def sqlite(path: Path) -> Database:
    return Database(f"sqlite:///{path}")


def test_the_migrations_make_the_tables_in_code() -> None:
    schema.check_migrations()


def test_a_table_that_no_migration_makes_is_found() -> None:
    table = sa.Table("forgotten", Base.metadata, sa.Column("id", sa.Integer, primary_key=True))
    try:
        with pytest.raises(IssuerRefusedError, match="forgotten") as refusal:
            schema.check_migrations()
    finally:
        Base.metadata.remove(table)
    assert refusal.value.code == "database.migrations-differ"


def test_an_upgrade_can_be_repeated(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "a%20b.sqlite")
    assert schema.current_revision(database) is None
    schema.upgrade(database)
    schema.upgrade(database)
    assert schema.current_revision(database) == schema.latest_revision()
    database.close()


def test_every_constraint_has_a_name(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "x.sqlite")
    schema.upgrade(database)
    inspector = sa.inspect(database.engine)
    for table in inspector.get_table_names():
        if table != "alembic_version":
            assert all(each["name"] for each in inspector.get_foreign_keys(table))
            assert all(each["name"] for each in inspector.get_unique_constraints(table))
    database.close()


def test_sqlite_keeps_what_was_acknowledged_and_checks_references(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "x.sqlite")
    with database.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    database.close()


def test_a_database_that_was_never_upgraded_says_so(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "x.sqlite")
    with (
        pytest.raises(IssuerUnavailableError) as refusal,
        SqlRegister(database).reading() as register,
    ):
        register.members.count()
    assert refusal.value.code == "database.not-upgraded"
    assert "database upgrade" in str(refusal.value.hint)
    database.close()


def test_an_older_schema_is_told_from_a_database_that_does_not_answer(
    tmp_path: Path, postgresql_url: str
) -> None:
    for url in (f"sqlite:///{tmp_path / 'x.sqlite'}", postgresql_url):
        database = Database(url)
        with database.writing() as session:
            session.execute(sa.text("CREATE TABLE members (old INTEGER)"))
        for missing in ("SELECT new FROM members", "SELECT 1 FROM organisations"):
            with (
                pytest.raises(IssuerUnavailableError) as refusal,
                database.reading() as session,
            ):
                session.execute(sa.text(missing))
            assert refusal.value.code == "database.not-upgraded"
        database.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "x.sqlite")
    schema.upgrade(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999_future'")
    with pytest.raises(IssuerUnavailableError) as refusal:
        schema.upgrade(database)
    assert refusal.value.code == "database.newer"
    database.close()


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 200]
)
def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    database = sqlite(path)
    for attempt in (schema.upgrade, schema.current_revision):
        with pytest.raises(IssuerUnavailableError) as refusal:
            attempt(database)
        assert refusal.value.code == "database.unavailable"
    database.close()
    assert path.read_bytes() == content


def test_a_server_that_is_not_there_is_unavailable() -> None:
    pytest.importorskip("psycopg")
    database = Database("postgresql://nobody:hunter2@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(IssuerUnavailableError) as refusal:
        schema.current_revision(database)
    assert refusal.value.code == "database.unavailable"
    assert "hunter2" not in str(refusal.value)
    database.close()


def test_members_in_plain_text_are_not_upgraded_because_nothing_could_seal_them(
    tmp_path: Path,
) -> None:
    database = sqlite(tmp_path / "x.sqlite")
    schema.upgrade(database, to="0002_production")
    day = "2020-01-01"
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO organisations (id, code, name) VALUES ('0', 'P', 'P')"
        )
        connection.exec_driver_sql(
            "INSERT INTO members (id, card_number, record_number, citizen_number, full_name,"
            " primary_name, secondary_name, sort_key, birth_date, sex, place_of_birth, home_town,"
            " ethnic_group, admission_date, recognition_date, organisation_id, kind, ordinal,"
            " portrait, portrait_source, state, recorded_at) VALUES ('0', '1', '1', '1', 'x', 'x',"
            " '', x'00', ?, 'M', 'x', 'x', 'x', ?, ?, '0', 'exchange', 1, x'00', x'00', 'recorded', ?)",
            (day, day, day, day),
        )
    with pytest.raises(IssuerRefusedError) as refusal:
        schema.upgrade(database)
    assert refusal.value.code == "database.not-convertible"
    assert schema.current_revision(database) == "0002_production"
    database.close()


def test_a_hold_that_was_written_over_that_of_the_stop_list_goes_below_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    schema.upgrade(database, to="0034_proof_records")
    holds = {1: "station.claim-released", 2: "chip.stolen", 3: None, 4: "chip.held-otherwise"}
    with database.writing() as session:
        for number, held in holds.items():
            values = {"serial": bytes([number]) * 10, "held": held, "at": "2026-11-20 09:00:00"}
            session.execute(
                sa.text(
                    "INSERT INTO chips (serial, state, held, delivery, received_at, site, is_stolen)"
                    " VALUES (:serial, 'received', :held, 'd', :at, 'store', 0)"
                ),
                values,
            )
            if number < 4:
                session.execute(
                    sa.text(
                        "INSERT INTO stock_stops (serial, reason, state, site, reported_by, reported_at)"
                        " VALUES (:serial, 'stolen', 'reported', 'store', 'kho', :at)"
                    ),
                    values,
                )
    schema.upgrade(database)
    with database.reading() as session:
        rows = session.execute(sa.text("SELECT held, held_below FROM chips ORDER BY serial")).all()
    database.close()
    assert [tuple(row) for row in rows] == [
        ("chip.stolen", "station.claim-released"),
        ("chip.stolen", None),
        ("chip.stolen", None),
        ("chip.held-otherwise", None),
    ]
