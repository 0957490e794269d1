"""The terminals that the centre knows; implements ``TerminalRegister``."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from verifier.centre.errors import CentreError
from verifier.centre.terminals import EnrolledTerminal, HealthReport
from verifier.centre_db.base import CentreDatabase
from verifier.centre_db.tables import TERMINALS

__all__ = ["SqlTerminalRegister", "moment", "seconds"]


class SqlTerminalRegister:
    """Rows of ``terminals``."""

    def __init__(self, database: CentreDatabase) -> None:
        self._database = database

    def find(self, holder: str) -> EnrolledTerminal | None:
        """See ``TerminalRegister``."""
        with self._database.reading() as connection:
            row = connection.execute(
                sa.select(TERMINALS).where(TERMINALS.c.holder == holder)
            ).one_or_none()
        return None if row is None else _terminal(row)

    def all(self, *, after: str = "", limit: int) -> list[EnrolledTerminal]:
        """See ``TerminalRegister``."""
        statement = sa.select(TERMINALS).where(TERMINALS.c.holder > after)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(TERMINALS.c.holder).limit(limit))
            return [_terminal(row) for row in rows]

    def enrol(self, holder: str, *, organisation: str, now: datetime) -> None:
        """See ``TerminalRegister``."""
        with self._database.writing() as connection:
            if connection.scalar(sa.select(TERMINALS.c.holder).where(TERMINALS.c.holder == holder)):
                raise CentreError(
                    f"terminal {holder} is enrolled already", code="centre.terminal-exists"
                )
            connection.execute(
                sa.insert(TERMINALS).values(
                    holder=holder, organisation=organisation, enrolled_at=seconds(now)
                )
            )

    def block(self, holder: str, *, reason: str, now: datetime) -> None:
        """See ``TerminalRegister``."""
        with self._database.writing() as connection:
            row = connection.execute(
                sa.select(TERMINALS).where(TERMINALS.c.holder == holder).with_for_update()
            ).one_or_none()
            if row is None:
                raise CentreError(
                    f"terminal {holder} is not enrolled", code="centre.terminal-unknown"
                )
            if row.blocked_at is not None:
                raise CentreError(
                    f"terminal {holder} is blocked already", code="centre.terminal-blocked"
                )
            connection.execute(
                sa.update(TERMINALS)
                .where(TERMINALS.c.holder == holder)
                .values(blocked_at=seconds(now), blocked_because=reason)
            )

    def heard(self, holder: str, report: HealthReport, *, said_at: datetime, now: datetime) -> None:
        """See ``TerminalRegister``."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(TERMINALS)
                .where(
                    TERMINALS.c.holder == holder,
                    sa.or_(TERMINALS.c.said_at.is_(None), TERMINALS.c.said_at < seconds(said_at)),
                )
                .values(
                    seen_at=seconds(now),
                    said_at=seconds(said_at),
                    version=report.version,
                    bundle_number=report.bundle_number,
                    journal_sequence=report.journal_sequence,
                )
            )


def seconds(time: datetime) -> int:
    """As times are stored."""
    return int(time.timestamp())


def moment(stored: int | None) -> datetime | None:
    """As times are told."""
    return None if stored is None else datetime.fromtimestamp(stored, UTC)


def _terminal(row: sa.Row[Any]) -> EnrolledTerminal:
    return EnrolledTerminal(
        holder=row.holder,
        organisation=row.organisation,
        enrolled_at=datetime.fromtimestamp(row.enrolled_at, UTC),
        blocked_at=moment(row.blocked_at),
        blocked_because=row.blocked_because,
        seen_at=moment(row.seen_at),
        clock_offset_seconds=None if row.seen_at is None else row.said_at - row.seen_at,
        health=None
        if row.version is None
        else HealthReport(
            version=row.version,
            bundle_number=row.bundle_number,
            journal_sequence=row.journal_sequence,
        ),
    )
