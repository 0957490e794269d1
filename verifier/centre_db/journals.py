"""Uploaded journals in the centre's database; implements ``JournalStore``."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from verifier.centre.alarms import Alarm, AlarmRules, Sighting
from verifier.centre.errors import CentreError
from verifier.centre.records import CentreRecord
from verifier.centre.terminals import EnrolledTerminal
from verifier.centre_db.base import CentreDatabase
from verifier.centre_db.tables import ALARMS, GAPS, INSPECTION_CODES, INSPECTIONS, JOURNALS
from verifier.centre_db.terminals import moment, seconds
from verifier.services.journal_chain import JournalHead, StoredHolder

__all__ = ["SqlJournalStore"]

_MAX_SIGHTINGS: Final = 20
_C: Final = INSPECTIONS.c


class SqlJournalStore:
    """Rows of ``journals``, ``inspections`` and ``alarms``."""

    def __init__(self, database: CentreDatabase) -> None:
        self._database = database

    @contextmanager
    def writing(self, name: str) -> Iterator["SqlJournalTransaction"]:
        """See ``JournalStore``."""
        with self._database.writing() as connection:
            yield SqlJournalTransaction(connection, name)

    def drop_older_than(self, limit: datetime) -> int:
        """See ``JournalStore``."""
        old = seconds(limit)
        with self._database.writing() as connection:
            # SQLite and PostgreSQL delete the codes with their inspections.
            dropped = connection.execute(sa.delete(INSPECTIONS).where(_C.at < old)).rowcount
            connection.execute(sa.delete(ALARMS).where(ALARMS.c.at < old))
        return dropped


class SqlJournalTransaction:
    """One journal; its row is locked from ``head`` on."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def head(self) -> tuple[str, JournalHead] | None:
        """See ``JournalTransaction``."""
        row = self._connection.execute(
            sa.select(JOURNALS).where(JOURNALS.c.name == self._name).with_for_update()
        ).one_or_none()
        if row is None:
            return None
        return row.holder, JournalHead(sequence=row.sequence, digest=row.digest)

    def digests(self, first: int, last: int) -> dict[int, bytes]:
        """See ``JournalTransaction``."""
        rows = self._connection.execute(
            sa.select(_C.sequence, _C.digest).where(
                _C.journal == self._name, _C.sequence >= first, _C.sequence <= last
            )
        )
        return {row.sequence: row.digest for row in rows}

    def keep(
        self, terminal: EnrolledTerminal, records: Sequence[CentreRecord], *, head: JournalHead
    ) -> None:
        """See ``JournalTransaction``."""
        values = {"sequence": head.sequence, "digest": head.digest}
        changed = self._connection.execute(
            sa.update(JOURNALS).where(JOURNALS.c.name == self._name).values(values)
        ).rowcount
        if not changed:
            self._connection.execute(
                sa.insert(JOURNALS).values(name=self._name, holder=terminal.holder, **values)
            )
        if not records:
            return
        self._connection.execute(
            sa.insert(INSPECTIONS), [self._row(terminal, item) for item in records]
        )
        codes = [
            {"journal": self._name, "sequence": item.line.sequence, "code": code}
            for item in records
            if not isinstance(item.record, StoredHolder)
            for code in dict.fromkeys((*item.record.codes, *item.record.notes))
        ]
        if codes:
            self._connection.execute(sa.insert(INSPECTION_CODES), codes)

    def keep_gap(self, first: int, last: int, *, now: datetime) -> None:
        """See ``JournalTransaction``."""
        self._connection.execute(
            sa.insert(GAPS).values(
                journal=self._name, first=first, last=last, noticed_at=seconds(now)
            )
        )

    def raise_alarms(self, alarms: Iterable[Alarm], *, now: datetime) -> None:
        """See ``JournalTransaction``."""
        for alarm in alarms:
            known = self._connection.scalar(
                sa.select(ALARMS.c.number).where(
                    ALARMS.c.code == alarm.code, ALARMS.c.subject == alarm.subject
                )
            )
            if known is None:
                self._connection.execute(
                    sa.insert(ALARMS).values(
                        code=alarm.code,
                        subject=alarm.subject,
                        at=seconds(alarm.at),
                        holder=alarm.holder,
                        organisation=alarm.organisation,
                        details=json.dumps(alarm.details, sort_keys=True),
                        noticed_at=seconds(now),
                    )
                )

    def alarm_rules(self) -> AlarmRules:
        """See ``JournalTransaction``."""
        return AlarmRules(_SqlSightings(self._connection))

    def _row(self, terminal: EnrolledTerminal, item: CentreRecord) -> dict[str, object]:
        record = item.record
        common: dict[str, object] = {
            "journal": self._name,
            "sequence": item.line.sequence,
            "digest": item.line.digest,
            "holder": terminal.holder,
            "organisation": terminal.organisation,
            "at": seconds(item.at),
            "period": item.period,
            "card": item.card,
            "chip": item.chip,
        }
        if isinstance(record, StoredHolder):
            return common | {
                "kind": "holder",
                "purpose": None,
                "verdict": None,
                "assurance": None,
                "about": record.inspection,
                "answer": record.answer.value,
            }
        return common | {
            "kind": "inspection",
            "purpose": record.purpose,
            "verdict": record.verdict.value,
            "assurance": record.assurance.value,
            "about": None,
            "answer": None,
        }


class _SqlSightings:
    """Implements ``Sightings``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_card(self, card: bytes, *, begin: datetime, end: datetime) -> list[Sighting]:
        """See ``Sightings``."""
        return self._found(
            sa.select(INSPECTIONS)
            .where(_C.card == card, _C.at >= seconds(begin), _C.at <= seconds(end))
            .order_by(_C.at.desc())
        )

    def of_chip(self, chip: bytes) -> list[Sighting]:
        """See ``Sightings``."""
        return self._first_of_each(_C.chip == chip, _C.card)

    def chips_of(self, card: bytes) -> list[Sighting]:
        """See ``Sightings``."""
        return self._first_of_each(sa.and_(_C.card == card, _C.chip.is_not(None)), _C.chip)

    def count(self, holder: str, code: str, *, begin: datetime, end: datetime) -> int:
        """See ``Sightings``."""
        statement = (
            sa.select(sa.func.count())
            .select_from(INSPECTIONS.join(INSPECTION_CODES))
            .where(
                _C.holder == holder,
                INSPECTION_CODES.c.code == code,
                _C.at >= seconds(begin),
                _C.at <= seconds(end),
            )
        )
        return self._connection.scalar(statement) or 0

    def _first_of_each(
        self, condition: sa.ColumnElement[bool], column: sa.Column[Any]
    ) -> list[Sighting]:
        first = (
            sa.select(column, sa.func.min(_C.at).label("first_at"))
            .where(condition)
            .group_by(column)
            .limit(_MAX_SIGHTINGS)
            .subquery()
        )
        return self._found(
            sa.select(INSPECTIONS)
            .join(
                first,
                sa.and_(column == first.c[column.name], _C.at == first.c.first_at),
            )
            .where(condition)
        )

    def _found(self, statement: sa.Select[Any]) -> list[Sighting]:
        rows = self._connection.execute(statement.limit(_MAX_SIGHTINGS))
        return [_sighting(row) for row in rows]


def _sighting(row: sa.Row[Any]) -> Sighting:
    at = moment(row.at)
    if at is None:
        raise CentreError("an inspection has no time", code="centre.database")
    return Sighting(
        journal=row.journal,
        sequence=row.sequence,
        holder=row.holder,
        organisation=row.organisation,
        at=at,
        card=row.card,
        chip=row.chip,
    )
