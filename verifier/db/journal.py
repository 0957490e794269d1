"""The journal of inspections in the terminal's database; implements ``InspectionJournal``."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from verifier.db.base import Database
from verifier.db.schema import upgrade
from verifier.db.tables import HEAD_ID, JOURNAL_HEAD, JOURNAL_RECORDS
from verifier.services.card_pseudonym import PseudonymKey
from verifier.services.journal_chain import (
    JournalError,
    JournalHead,
    JournalLine,
    StoredHolder,
    StoredInspection,
    first_head,
    verify_chain,
)
from verifier.services.terminal_ports import HolderRecord, InspectionRecord

__all__ = ["SqlInspectionJournal"]

_SEQUENCE: Final = JOURNAL_RECORDS.c.sequence
_PAGE_ROWS: Final = 1000


class SqlInspectionJournal:
    """Records in a file; ``terminal`` names whose they are, ``key`` (32 bytes) makes the pseudonyms of cards."""

    def __init__(self, database: Database, *, terminal: str, key: bytes) -> None:
        self._database = database
        self._terminal = terminal
        self._key = PseudonymKey.from_secret(key)
        self._keep_days: int | None = None
        self._known_past: Callable[[], datetime] | None = None
        self._dropped_on: date | None = None

    @classmethod
    def open(cls, path: Path, *, terminal: str, key: bytes) -> Self:
        """The journal in a file, which is made where there is none.

        Raises:
            DatabaseError: the database does not answer.
            JournalError: it is another terminal's (``journal.other-terminal``).
        """
        database = Database(path)
        upgrade(database)
        journal = cls(database, terminal=terminal, key=key)
        with database.writing() as connection:
            head = connection.execute(sa.select(JOURNAL_HEAD)).one_or_none()
            if head is None:
                begin = first_head(terminal)
                connection.execute(
                    sa.insert(JOURNAL_HEAD).values(
                        id=HEAD_ID,
                        terminal=terminal,
                        sequence=begin.sequence,
                        digest=begin.digest,
                        dropped=begin.sequence,
                        dropped_digest=begin.digest,
                    )
                )
            elif head.terminal != terminal:
                raise JournalError(
                    f"the journal is that of terminal {head.terminal}, expected {terminal}",
                    code="journal.other-terminal",
                    hint="one home belongs to one terminal: give another --home",
                )
        return journal

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def keep_for(self, days: int, *, known_past: Callable[[], datetime]) -> None:
        """Let go of older records now, and at the first record of each day from now on.

        ``known_past`` tells the latest time that is surely past: a clock that jumps ahead must not empty the journal.
        """
        self._keep_days = days
        self._known_past = known_past
        self._drop_once_a_day()

    def record(self, record: InspectionRecord | HolderRecord) -> int:
        """See ``InspectionJournal``."""
        stored = self._stored(record)
        self._drop_once_a_day()
        with self._database.writing() as connection:
            row = _head(connection)
            line = JournalLine.after(JournalHead(sequence=row.sequence, digest=row.digest), stored)
            connection.execute(
                sa.insert(JOURNAL_RECORDS).values(
                    sequence=line.sequence,
                    at=int(record.at.timestamp()),
                    body=line.body,
                    digest=line.digest,
                )
            )
            connection.execute(
                sa.update(JOURNAL_HEAD).values(sequence=line.sequence, digest=line.digest)
            )
        return line.sequence

    def lines(self, *, behind: int = 0) -> Iterator[JournalLine]:
        """The records in their order.

        Raises:
            DatabaseError: the database does not answer.
        """
        position = behind
        while True:
            with self._database.writing() as connection:
                statement = sa.select(JOURNAL_RECORDS).where(position < _SEQUENCE)
                rows = connection.execute(statement.order_by(_SEQUENCE).limit(_PAGE_ROWS))
                found = [_line(row) for row in rows]
            yield from found
            if len(found) < _PAGE_ROWS:
                return
            position = found[-1].sequence

    @property
    def begin(self) -> JournalHead:
        """Behind which record the journal begins: what was before was let go of."""
        with self._database.writing() as connection:
            row = _head(connection)
        return JournalHead(sequence=row.dropped, digest=row.dropped_digest)

    @property
    def release(self) -> bytes:
        """What takes this terminal's key off its pseudonyms, for the centre (verifier.services.card_pseudonym)."""
        return self._key.release

    @property
    def terminal(self) -> str:
        """Whose journal it is."""
        return self._terminal

    def newest(self, limit: int) -> tuple[JournalLine, ...]:
        """The last records, the newest first."""
        with self._database.writing() as connection:
            statement = sa.select(JOURNAL_RECORDS).order_by(_SEQUENCE.desc()).limit(limit)
            return tuple(_line(row) for row in connection.execute(statement))

    def verify(self) -> JournalHead:
        """Follow the whole chain; gives its end, to be compared with one that was noted elsewhere.

        Raises:
            JournalError: it is damaged.
        """
        with self._database.writing() as connection:
            row = _head(connection)
            begin = JournalHead(sequence=row.dropped, digest=row.dropped_digest)
            end = JournalHead(sequence=row.sequence, digest=row.digest)
            terminal = row.terminal
            newest = connection.scalar(sa.select(sa.func.max(_SEQUENCE)))
        if begin.sequence == 0 and begin != first_head(terminal):
            raise JournalError("the journal does not begin where that of this terminal does")
        if (begin.sequence if newest is None else newest) != end.sequence:
            raise JournalError(
                f"the newest record is {newest}, expected record {end.sequence}",
                code="journal.end-wrong",
            )
        return verify_chain(
            (line for line in self.lines() if line.sequence <= end.sequence), begin=begin, end=end
        )

    def drop_older_than(self, days: int, *, now: datetime) -> int:
        """Let go of the records from the front that are older; gives how many.

        A record of a time that has not come was written by a wrong clock: it keeps none before it, and goes with the
        next one behind it.

        Raises:
            DatabaseError: the database does not answer.
        """
        today = int(now.timestamp())
        limit = int((now.astimezone(UTC) - timedelta(days=days)).timestamp())
        at = JOURNAL_RECORDS.c.at
        with self._database.writing() as connection:
            row = _head(connection)
            first_kept = connection.scalar(
                sa.select(sa.func.min(_SEQUENCE)).where(at.between(limit, today))
            )
            old = sa.select(sa.func.max(_SEQUENCE)).where(at < limit)
            last = connection.scalar(
                old if first_kept is None else old.where(first_kept > _SEQUENCE)
            )
            if last is None or last <= row.dropped:
                return 0
            digest = connection.scalar(sa.select(JOURNAL_RECORDS.c.digest).where(last == _SEQUENCE))
            connection.execute(sa.update(JOURNAL_HEAD).values(dropped=last, dropped_digest=digest))
            connection.execute(sa.delete(JOURNAL_RECORDS).where(last >= _SEQUENCE))
            count: int = last - row.dropped
        return count

    def _drop_once_a_day(self) -> None:
        if self._keep_days is None or self._known_past is None:
            return
        now = self._known_past()
        if self._dropped_on != now.date():
            self.drop_older_than(self._keep_days, now=now)
            self._dropped_on = now.date()

    def _stored(self, record: InspectionRecord | HolderRecord) -> StoredInspection | StoredHolder:
        if isinstance(record, HolderRecord):
            return StoredHolder(
                at=record.at,
                terminal=self._terminal,
                inspection=record.inspection,
                answer=record.answer,
            )
        return StoredInspection(
            at=record.at,
            terminal=self._terminal,
            purpose=record.purpose,
            verdict=record.verdict,
            assurance=record.assurance,
            codes=record.codes,
            notes=record.notes,
            card=None if record.card is None else self._key.pseudonym(record.card),
            chip=None if record.chip is None else self._key.pseudonym(record.chip),
        )


def _head(connection: Connection) -> sa.Row[Any]:
    row = connection.execute(sa.select(JOURNAL_HEAD)).one_or_none()
    if row is None:
        raise JournalError("the journal has lost its head", code="journal.head-missing")
    return row


def _line(row: sa.Row[Any]) -> JournalLine:
    return JournalLine(sequence=row.sequence, body=row.body, digest=row.digest)
