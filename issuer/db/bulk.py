"""Stores many rows of one table at the speed of the database's own driver.

SQLAlchemy's executemany looks at every row again. Here each column's values are converted once, as its type says,
and go to PostgreSQL's COPY or into statements of SQLite that store many rows each, within the transaction of the session.
While such a statement runs, Python runs on in other threads: SQLite's executemany would stop them for every row.
"""

import contextlib
import itertools
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from issuer.db.base import (
    DATABASE_FAILURES,
    Base,
    UtcDateTime,
    crossed,
    database_error,
    is_crossed,
)
from issuer.errors import ConflictError, IssuerUnavailableError

__all__ = [
    "bulk_insert",
    "bulk_update",
    "driver_columns",
    "held_values",
    "ids_where",
    "insert_columns",
]

_LOOKUP_SIZE = 16_000
"""How many values stand in one IN (...): below the limits of parameters."""

_STATEMENT_ROWS = 2_000
_STATEMENT_VALUES = 32_766
"""How many rows one statement of SQLite stores, and how many values it takes (SQLITE_MAX_VARIABLE_NUMBER)."""

_ARRAY_SIZE = 10_000
"""How many values one array holds: a table that grows faster than its statistics may be walked for each."""


def bulk_insert(session: Session, table: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    """Store plain rows, all of which have the same columns.

    Raises:
        ConflictError: a constraint of the database is broken.
        IssuerUnavailableError: the database does not answer.
    """
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        insert_columns(session, table, driver_columns(session, table, columns))


def driver_columns(
    session: Session, table: type[Base], columns: Mapping[str, Sequence[object]]
) -> dict[str, Sequence[object]]:
    """Values of many rows, column by column, as the driver of this database takes them."""
    plain = table.metadata.tables[table.__tablename__]
    dialect = session.get_bind().dialect
    return {
        name: _converted(plain.columns[name].type, values, dialect)
        for name, values in columns.items()
    }


def insert_columns(
    session: Session, table: type[Base], columns: Mapping[str, Sequence[object]]
) -> None:
    """Store rows whose values are those of ``driver_columns``, as many in each column.

    Raises:
        ConflictError, IssuerUnavailableError: as ``bulk_insert``.
    """
    connection = session.connection()
    dialect = connection.dialect
    name, quoted = _quoted(table, columns, dialect)
    driver: Any = connection.connection.driver_connection
    store = _copy if dialect.name == "postgresql" else _insert
    with _told(dialect):
        store(driver, name, quoted, zip(*columns.values(), strict=True))


def bulk_update(
    session: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, object]],
    *,
    keys: Sequence[str],
) -> None:
    """Change plain rows, all of which name the same columns; ``keys`` are those that tell which row is meant.

    Raises:
        ConflictError, IssuerUnavailableError: as ``bulk_insert``.
    """
    if not rows:
        return
    connection = session.connection()
    dialect = connection.dialect
    changed = [each for each in rows[0] if each not in keys]
    columns = driver_columns(
        session, table, {name: [row[name] for row in rows] for name in (*changed, *keys)}
    )
    name, quoted = _quoted(table, columns, dialect)
    driver: Any = connection.connection.driver_connection
    mark = "%s" if dialect.name == "postgresql" else "?"
    texts = [f"{each} = {mark}" for each in quoted]
    # The names are those of our own tables, quoted.
    statement = (
        f"UPDATE {name} SET {', '.join(texts[: len(changed)])} "  # noqa: S608
        f"WHERE {' AND '.join(texts[len(changed) :])}"
    )
    with _told(dialect), contextlib.closing(driver.cursor()) as cursor:
        cursor.executemany(statement, zip(*columns.values(), strict=True))


def ids_where(
    session: Session, column: InstrumentedAttribute[Any], values: Sequence[str | bytes]
) -> set[uuid.UUID]:
    """The keys of the rows whose column holds one of many values; of an import's rows hardly one is there.

    Raises:
        IssuerUnavailableError: the database does not answer.
    """
    return {
        each if isinstance(each, uuid.UUID) else uuid.UUID(each)
        for each in _selected(session, "id", column, values)
    }


def held_values(
    session: Session, column: InstrumentedAttribute[Any], values: Sequence[str]
) -> set[str]:
    """Those of many values that some row's column holds.

    Raises:
        IssuerUnavailableError: the database does not answer.
    """
    return set(_selected(session, column.key, column, values))


def _selected(
    session: Session,
    wanted: str,
    column: InstrumentedAttribute[Any],
    values: Sequence[str | bytes],
) -> Iterator[Any]:
    """What stands in a column of the rows where another one holds one of many values, all of one type."""
    connection = session.connection()
    is_array = connection.dialect.name == "postgresql"
    size = _ARRAY_SIZE if is_array else _LOOKUP_SIZE
    for start in range(0, len(values), size):
        part = values[start : start + size]
        condition, parameters = _among_array(part) if is_array else _among_list(part)
        # The names are those of our own tables; SQLAlchemy's own IN would look at every value.
        query = (
            f"SELECT {wanted} FROM {column.class_.__table__.name} WHERE {column.key} {condition}"  # noqa: S608
        )
        try:
            yield from connection.exec_driver_sql(query, parameters).scalars()
        except DATABASE_FAILURES as error:
            raise database_error(error) from error


def _among_list(values: Sequence[str | bytes]) -> tuple[str, tuple[str | bytes, ...]]:
    return f"IN ({', '.join('?' * len(values))})", tuple(values)


def _among_array(values: Sequence[str | bytes]) -> tuple[str, tuple[str]]:
    """One text for all values: the driver's own arrays take each value through Python."""
    one = "json_array_elements_text(%s::json)"
    texts: Sequence[str | bytes] = values
    if isinstance(values[0], bytes):
        one = f"decode({one}, 'hex')"
        texts = [each.hex() for each in values if isinstance(each, bytes)]
    return f"= ANY(ARRAY(SELECT {one}))", (json.dumps(texts),)


def _quoted(table: type[Base], names: Iterable[str], dialect: sa.Dialect) -> tuple[str, list[str]]:
    """The names of the table and of the columns as statements write them."""
    quote = dialect.identifier_preparer
    plain = table.metadata.tables[table.__tablename__]
    return quote.format_table(plain), [quote.quote(name) for name in names]


@contextlib.contextmanager
def _told(dialect: sa.Dialect) -> Iterator[None]:
    """What the driver raises as our own errors; constraints are named without the values that broke them."""
    errors: Any = dialect.loaded_dbapi
    try:
        yield
    except errors.IntegrityError as error:
        raise ConflictError(
            "the database refused what was to be stored: a constraint is broken"
        ) from error
    except errors.Error as error:
        if is_crossed(error):
            raise crossed() from error
        raise IssuerUnavailableError(
            f"the database does not answer: {type(error).__name__}", code="database.unavailable"
        ) from error


def _converted(
    kind: sa.types.TypeEngine[Any], values: Sequence[object], dialect: sa.Dialect
) -> Sequence[object]:
    if isinstance(kind, sa.LargeBinary):
        # Both drivers take bytes as they are.
        return values
    convert: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return values
    if isinstance(kind, (sa.Date, UtcDateTime)):
        # There are few days in many rows, and each is written once.
        written = {value: convert(value) for value in set(values)}
        return [written[value] for value in values]
    return [convert(value) for value in values]


def _insert(driver: Any, table: str, names: Sequence[str], rows: Iterator[Any]) -> None:
    size = min(_STATEMENT_ROWS, _STATEMENT_VALUES // len(names))
    marks = f"({', '.join('?' * len(names))})"
    while part := list(itertools.islice(rows, size)):
        # The names are those of our own tables, quoted.
        statement = (
            f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([marks] * len(part))}"  # noqa: S608
        )
        driver.execute(statement, tuple(itertools.chain.from_iterable(part)))


def _copy(driver: Any, table: str, names: Sequence[str], values: Iterator[Any]) -> None:
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy,
    ):
        for row in values:
            copy.write_row(row)
