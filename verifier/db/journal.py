"""The journal of inspections in the terminal's database; implements ``InspectionJournal``."""

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from verifier.db.base import Database
from verifier.db.schema import upgrade
from verifier.db.tables import JournalHeadRow, JournalRecordRow
from verifier.services.journal_chain import (
    PSEUDONYM_BYTES,
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

_HEAD_ID: Final = 1
_PAGE_ROWS: Final = 1000


class SqlInspectionJournal:
    """Records in a file; ``terminal`` names whose they are, ``key`` (32 bytes) makes the pseudonyms of cards."""

    def __init__(self, database: Database, *, terminal: str, key: bytes) -> None:
        self._database = database
        self._terminal = terminal
        self._key = key

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
        with database.writing() as session:
            head = session.get(JournalHeadRow, _HEAD_ID)
            if head is None:
                begin = first_head(terminal)
                session.add(
                    JournalHeadRow(
                        id=_HEAD_ID,
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

    def record(self, record: InspectionRecord | HolderRecord) -> int:
        """See ``InspectionJournal``."""
        stored = self._stored(record)
        with self._database.writing() as session:
            row = _head(session)
            line = JournalLine.after(JournalHead(sequence=row.sequence, digest=row.digest), stored)
            session.execute(
                sa.insert(JournalRecordRow).values(
                    sequence=line.sequence,
                    at=int(record.at.timestamp()),
                    body=line.body,
                    digest=line.digest,
                )
            )
            row.sequence, row.digest = line.sequence, line.digest
        return line.sequence

    def lines(self, *, behind: int = 0) -> Iterator[JournalLine]:
        """The records in their order.

        Raises:
            DatabaseError: the database does not answer.
        """
        position = behind
        while True:
            with self._database.writing() as session:
                rows = session.scalars(
                    sa.select(JournalRecordRow)
                    .where(JournalRecordRow.sequence > position)
                    .order_by(JournalRecordRow.sequence)
                    .limit(_PAGE_ROWS)
                ).all()
                found = [_line(row) for row in rows]
            yield from found
            if len(found) < _PAGE_ROWS:
                return
            position = found[-1].sequence

    def newest(self, limit: int) -> tuple[JournalLine, ...]:
        """The last records, the newest first."""
        with self._database.writing() as session:
            rows = session.scalars(
                sa.select(JournalRecordRow).order_by(JournalRecordRow.sequence.desc()).limit(limit)
            ).all()
            return tuple(_line(row) for row in rows)

    def verify(self) -> JournalHead:
        """Follow the whole chain; gives its end, to be compared with one that was noted elsewhere.

        Raises:
            JournalError: it is damaged.
        """
        with self._database.writing() as session:
            row = _head(session)
            begin = JournalHead(sequence=row.dropped, digest=row.dropped_digest)
            end = JournalHead(sequence=row.sequence, digest=row.digest)
            terminal = row.terminal
        if begin.sequence == 0 and begin != first_head(terminal):
            raise JournalError("the journal does not begin where that of this terminal does")
        return verify_chain(
            (line for line in self.lines() if line.sequence <= end.sequence), begin=begin, end=end
        )

    def drop_older_than(self, days: int, *, now: datetime) -> int:
        """Let go of the records from the front that are older; gives how many.

        Raises:
            DatabaseError: the database does not answer.
        """
        limit = int((now.astimezone(UTC) - timedelta(days=days)).timestamp())
        with self._database.writing() as session:
            row = _head(session)
            first_kept = session.scalar(
                sa.select(sa.func.min(JournalRecordRow.sequence)).where(
                    JournalRecordRow.at >= limit
                )
            )
            last = row.sequence if first_kept is None else first_kept - 1
            if last <= row.dropped:
                return 0
            dropped = session.get_one(JournalRecordRow, last)
            count = last - row.dropped
            row.dropped, row.dropped_digest = dropped.sequence, dropped.digest
            session.flush()
            session.execute(sa.delete(JournalRecordRow).where(JournalRecordRow.sequence <= last))
        return count

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
            card=None if record.card is None else self._pseudonym(record.card),
        )

    def _pseudonym(self, card: bytes) -> bytes:
        return hmac.digest(self._key, card, sha256)[:PSEUDONYM_BYTES]


def _head(session: Session) -> JournalHeadRow:
    row = session.get(JournalHeadRow, _HEAD_ID)
    if row is None:
        raise JournalError("the journal has lost its head", code="journal.head-missing")
    return row


def _line(row: JournalRecordRow) -> JournalLine:
    return JournalLine(sequence=row.sequence, body=row.body, digest=row.digest)
