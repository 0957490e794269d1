"""One row in each table that a database has, made from nothing but the shape of the tables at that step."""

import re
import uuid
from collections.abc import Callable, Container, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

__all__ = ["fill_empty_tables", "row_counts"]

_ID: Final = uuid.UUID(int=1)
_ONE_OF: Final = re.compile(
    r"(?<![\w.])(\w+)(?:\)::text|::text)? (?:IN \(|= ANY \(.*?ARRAY\[)'([^']+)'"
)


def row_counts(engine: sa.Engine) -> dict[str, int]:
    """How many rows each table holds."""
    with engine.connect() as connection:
        return {
            name: connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0
            for name in sa.inspect(connection).get_table_names()
        }


def fill_empty_tables(
    engine: sa.Engine, *, values: Mapping[tuple[str, str], object], left_out: Container[str]
) -> None:
    """Put a row into each table that has none, those that others refer to first.

    Args:
        engine: a database at some step.
        values: what a column holds, by table and name, where its shape does not say it.
        left_out: tables that stay empty at this step.
    """
    empty = [
        name for name, count in row_counts(engine).items() if not count and name not in left_out
    ]
    if not empty:
        return
    metadata = sa.MetaData()
    metadata.reflect(engine, only=empty)
    with engine.begin() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            if table.name not in empty:
                continue
            choices = {
                name: first
                for each in inspector.get_check_constraints(table.name)
                for name, first in _ONE_OF.findall(each["sqltext"])
            }
            row = {
                column.name: values.get((table.name, column.name), choices.get(column.name))
                for column in table.columns
            }
            for column in table.columns:
                is_said = (table.name, column.name) in values
                if not is_said and (column.nullable or column.server_default is not None):
                    # What may be absent is absent: it was not there when older rows were made.
                    del row[column.name]
                elif row[column.name] is None:
                    row[column.name] = _value(connection, column)
            connection.execute(table.insert(), row)


def _value(connection: sa.Connection, column: sa.Column[Any]) -> object:
    for key in column.foreign_keys:
        return connection.scalar(sa.select(key.column).limit(1))
    kind = column.type
    for known, value in _VALUES:
        if isinstance(kind, known):
            return value(kind)
    raise TypeError(f"got a column of type {kind}, expected one that this test can fill")


_VALUES: Final[tuple[tuple[type[Any], Callable[[Any], object]], ...]] = (
    (sa.Boolean, lambda _: False),
    (sa.Integer, lambda _: 1),
    (sa.Numeric, lambda _: 1),
    (sa.DateTime, lambda kind: datetime(2026, 1, 2, tzinfo=UTC if kind.timezone else None)),
    (sa.Date, lambda _: date(2026, 1, 2)),
    (BYTEA, lambda _: bytes(16)),
    (sa.LargeBinary, lambda kind: bytes(kind.length or 16)),
    (sa.Uuid, lambda _: _ID),
    # SQLite's form of an identifier.
    (sa.CHAR, lambda _: _ID.hex),
    (sa.String, lambda _: "x"),
)
