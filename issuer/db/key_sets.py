"""Asking for many rows by their keys, which go to the database as one parameter."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

__all__ = ["among", "in_parts"]

_PART_SIZE: Final = 500
"""How many keys one statement asks for."""

_FIRST: Final = sa.literal_column("1", sa.Integer)

_Value = TypeVar("_Value")


def among(column: sa.SQLColumnExpression[Any], keys: Sequence[bytes]) -> sa.ColumnElement[bool]:
    """Whether a column holds one of these keys, all of which have one length; there is at least one.

    SQLAlchemy prepares every value of an IN (...) by itself, which costs more than the rows that are found. Here they
    stand one behind another in one value, and the database cuts them apart.
    """
    size = len(keys[0])
    joined = sa.literal(b"".join(keys), sa.LargeBinary)
    places = sa.select(_FIRST.label("place")).cte("places", recursive=True)
    following = places.c.place + size
    places = places.union_all(sa.select(following).where(following <= sa.func.length(joined)))
    return column.in_(sa.select(sa.func.substr(joined, places.c.place, size)))


def in_parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """As many values at a time as one statement asks for."""
    for start in range(0, len(values), _PART_SIZE):
        yield values[start : start + _PART_SIZE]
