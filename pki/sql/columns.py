"""What the tables of our databases have in common: names of constraints, and times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

__all__ = ["NAMING_CONVENTION", "UtcDateTime"]

NAMING_CONVENTION: Final[Mapping[str, str]] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have the same names everywhere, so that migrations can name them."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time in UTC; SQLite, which knows no time zones, stores it without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware times only: a naive one is a mistake of the program."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("got a time without a time zone, expected an aware one")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC on the way out, whatever zone the server's session has."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
