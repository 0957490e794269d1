"""Reports from the centre's database; implements ``Reports``."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from verifier.centre.reports import AlarmLine, CountedBy, InspectionCount
from verifier.centre_db.base import CentreDatabase
from verifier.centre_db.tables import ALARMS, INSPECTION_CODES, INSPECTIONS
from verifier.centre_db.terminals import seconds

__all__ = ["SqlReports"]

_C: Final = INSPECTIONS.c
_DAY_SECONDS: Final = 86400


class SqlReports:
    """Counts over ``inspections``."""

    def __init__(self, database: CentreDatabase) -> None:
        self._database = database

    def counts(
        self, by: CountedBy, *, begin: datetime | None, end: datetime | None
    ) -> list[InspectionCount]:
        """See ``Reports``."""
        key: sa.ColumnElement[Any] = {
            CountedBy.ORGANISATION: _C.organisation,
            CountedBy.TERMINAL: _C.holder,
            CountedBy.CODE: INSPECTION_CODES.c.code,
            CountedBy.DAY: _C.at - _C.at % _DAY_SECONDS,
        }[by]
        source = INSPECTIONS.join(INSPECTION_CODES) if by is CountedBy.CODE else INSPECTIONS
        verdicts = [
            sa.func.sum(sa.case((_C.verdict == verdict, 1), else_=0))
            for verdict in ("accepted", "refused", "unreadable")
        ]
        statement = (
            sa.select(key, sa.func.count(), *verdicts)
            .select_from(source)
            .where(_C.kind == "inspection")
            .group_by(key)
            .order_by(key)
        )
        if begin is not None:
            statement = statement.where(_C.at >= seconds(begin))
        if end is not None:
            statement = statement.where(_C.at < seconds(end))
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            InspectionCount(
                key=f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d}"
                if by is CountedBy.DAY
                else str(found),
                inspections=int(count),
                accepted=int(accepted),
                refused=int(refused),
                unreadable=int(unreadable),
            )
            for found, count, accepted, refused, unreadable in rows
        ]

    def alarms(self, *, behind: int, limit: int) -> list[AlarmLine]:
        """See ``Reports``."""
        statement = sa.select(ALARMS).where(ALARMS.c.number > behind)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(ALARMS.c.number).limit(limit))
            return [
                AlarmLine(
                    number=row.number,
                    code=row.code,
                    at=datetime.fromtimestamp(row.at, UTC),
                    holder=row.holder,
                    organisation=row.organisation,
                    details=json.loads(row.details),
                )
                for row in rows
            ]
