"""The station's journal: what it has in hand and what happened, on disk before the next command to a chip.

Plain SQLite in one file. Events are written through (`synchronous=FULL`), so that what was acknowledged outlives a power
cut; what the centre would tell again is written behind them. One process works with a journal at a
time. It refuses to go on when the clock runs behind what it has written.
"""

import contextlib
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from card_layout.curves import EcPublicKey
from issuer.domain.batch import BatchId
from issuer.domain.card import CardReference, CardState
from issuer.domain.chip import Chip, Serial
from issuer.domain.production_events import (
    MAX_DETAIL_CHARACTERS,
    JournalHead,
    ProductionEvent,
    ProductionEventKind,
    StationName,
    follow,
    next_head,
)
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.production_ports import ChipRecord, Clock
from issuer.services.station_ports import ClaimedChip, HandInReceipt, RejectedEvent
from issuer.stations.journal_clock import JournalClock
from issuer.stations.journal_file import (
    connect_journal,
    lock_journal,
    prepare_journal,
    translated,
)
from issuer.stations.journal_rows import (
    PENDING,
    SELECT_CHIPS,
    claimed_of,
    count_unfinished,
    keep_rejections,
)
from issuer.stations.record_text import card_to_text, chip_to_text

__all__ = ["StationJournal"]

_OVER: Final = (
    ProductionEventKind.INITIALISED,
    ProductionEventKind.ISSUED,
    ProductionEventKind.TERMINATED,
    ProductionEventKind.HELD,
)
"""After these the chip is in hand no more; one that is held is asked for again once a person has released it."""

Connect = Callable[[Path], sqlite3.Connection]


class StationJournal:
    """One open journal; safe to call from any thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock_file: int,
        *,
        account: AccountName,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._lock_file = lock_file
        self._account = account
        self._lock = threading.RLock()
        self._head, latest = self._read_head()
        self.time = JournalClock(clock, latest)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        station: StationName,
        account: AccountName,
        clock: Clock,
        connect: Connect | None = None,
    ) -> Self:
        """Open a station's journal, or begin it.

        Args:
            path: the file; it is made, for its owner only, where there is none.
            station: whose journal it is.
            account: who works at the station now.
            clock: tells the time.
            connect: opens the file, where that is done in another way than SQLite's.

        Raises:
            IssuerRefusedError: it is another station's (``station.other-journal``), or in use by another process
                (``station.journal-in-use``).
            IssuerUnavailableError: it cannot be read or written (``station.journal-unavailable``).
        """
        lock_file = lock_journal(path)
        try:
            with translated():
                connection = (connect or connect_journal)(path)
                try:
                    prepare_journal(connection, station)
                    return cls(connection, lock_file, account=account, clock=clock)
                except BaseException:
                    connection.close()
                    raise
        except BaseException:
            os.close(lock_file)
            raise

    @property
    def head(self) -> JournalHead:
        """Where it stands."""
        return self._head

    def chip(self, serial: Serial) -> ClaimedChip | None:
        """What is in hand of this serial.

        Raises:
            IssuerUnavailableError: the journal cannot be read.
        """
        with self._lock, translated():
            row = self._connection.execute(f"{SELECT_CHIPS} WHERE serial = ?", (serial,)).fetchone()
        return None if row is None else claimed_of(row)

    def records_in(self, state: CardState) -> tuple[ChipRecord, ...]:
        """The chips with a card in this state whose job lies here: not those of which the centre rejected something."""
        return self._records("card_state = ? AND sealed_job IS NOT NULL", state.value)

    def record_of(self, reference: CardReference) -> ChipRecord | None:
        """The chip of a card that is in hand."""
        with self._lock, translated():
            row = self._connection.execute(
                f"{SELECT_CHIPS} WHERE reference = ?", (reference,)
            ).fetchone()
        return None if row is None else claimed_of(row).record

    def job_of(self, reference: CardReference) -> bytes | None:
        """The sealed job of a card."""
        with self._lock, translated():
            row = self._connection.execute(
                "SELECT sealed_job FROM chips WHERE reference = ?", (reference,)
            ).fetchone()
        return None if row is None else row[0]

    def take(self, claimed: Sequence[ClaimedChip]) -> None:
        """Keep what the centre gave, instead of what was known of these chips; the centre gives the same again."""
        with self._writing(is_through=False):
            for each in claimed:
                self._store(each)

    def append(
        self,
        kind: ProductionEventKind,
        record: ChipRecord | None,
        *,
        code: str | None = None,
        detail: str | None = None,
        public_key: EcPublicKey | None = None,
        at: datetime | None = None,
    ) -> ProductionEvent:
        """Write an event, and what it makes of the chip in hand, in one transaction.

        It is not written before the last one, unless ``at`` says when it was: whoever gives it has looked at a watch.

        Raises:
            TransitionError: it cannot happen now.
            ConflictError: another chip in hand made the key (``chip.key-not-unique``).
            IssuerUnavailableError: the journal cannot be written: nothing more may be sent to the chip.
        """
        with self._lock:
            now = self.time.next if at is None else at
            card = None if record is None else record.card
            event = ProductionEvent(
                sequence=self._head.sequence + 1,
                at=now,
                kind=kind,
                account=self._account,
                serial=None if record is None else record.chip.serial,
                reference=None if card is None else card.reference,
                code=code,
                detail=detail[:MAX_DETAIL_CHARACTERS] if detail else None,
                public_key=public_key,
            )
            head = next_head(self._head, event)
            with self._writing():
                if record is not None:
                    self._move(record, event)
                self._connection.execute(
                    "INSERT INTO events (sequence, line, chain) VALUES (?, ?, ?)",
                    (event.sequence, event.to_line(), head.chain),
                )
            self._head, self.time.latest = head, now
            return event

    def pending(
        self, *, limit: int, most_bytes: int | None = None
    ) -> tuple[tuple[ProductionEvent, ...], JournalHead]:
        """The next events that were not handed in, and where the journal stands after them; at least one, if any."""
        with self._lock, translated():
            through = int(self._fact("handed-in") or 0)
            rows = self._connection.execute(
                PENDING, {"after": through, "limit": limit, "most_bytes": most_bytes}
            ).fetchall()
            if not rows:
                return (), self._head_at(through)
        events = tuple(ProductionEvent.from_line(line) for line, _ in rows)
        return events, JournalHead(sequence=events[-1].sequence, chain=rows[-1][1])

    def pending_serials(self) -> frozenset[Serial]:
        """The chips of which the centre does not know everything."""
        events, _ = self.pending(limit=-1)
        return frozenset(event.serial for event in events if event.serial is not None)

    def record_handed_in(self, receipt: HandInReceipt) -> tuple[RejectedEvent, ...]:
        """Note how far the centre has the journal; what it rejected is not this station's to go on with.

        What of that was not known here comes back. A rejection that is told again takes no chip: it may have been given anew.
        """
        if receipt.through > self._head.sequence:
            raise IssuerRefusedError(
                f"the centre has {receipt.through} events of this journal, which has {self._head.sequence}",
                code="station.journal-back",
            )
        # Where a power cut takes this back, the events are handed in again, and the receipt is the same.
        with self._writing(is_through=False):
            self._remember("handed-in", str(receipt.through))
            return keep_rejections(self._connection, receipt.rejected)

    def rejections(self) -> tuple[RejectedEvent, ...]:
        """What the centre rejected."""
        with self._lock, translated():
            rows = self._connection.execute(
                "SELECT sequence, serial, code FROM rejections ORDER BY sequence"
            ).fetchall()
        return tuple(
            RejectedEvent(
                sequence=sequence, serial=None if serial is None else Serial(serial), code=code
            )
            for sequence, serial, code in rows
        )

    @property
    def handed_in(self) -> int:
        """The number of the last event that the centre has."""
        with self._lock, translated():
            return int(self._fact("handed-in") or 0)

    @property
    def known(self) -> JournalHead:
        """How far the centre has the journal: the last event that it took, and the chain there."""
        with self._lock, translated():
            return self._head_at(int(self._fact("handed-in") or 0))

    def events(self, *, after: int = 0, limit: int = 10_000) -> tuple[ProductionEvent, ...]:
        """Events by number, their chain verified from the beginning of the page on.

        Raises:
            IssuerUnavailableError: an event was altered or is missing (``station.journal-damaged``).
        """
        with self._lock, translated():
            head = self._head_at(after)
            rows = self._connection.execute(
                "SELECT line, chain FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
        found = []
        for line, chain in rows:
            event = ProductionEvent.from_line(line)
            head = next_head(head, event)
            if head.chain != chain:
                raise IssuerUnavailableError(
                    f"event {event.sequence} of the station's journal was altered",
                    code="station.journal-damaged",
                )
            found.append(event)
        return tuple(found)

    def jobs_held(self) -> tuple[CardReference, ...]:
        """The cards whose sealed jobs lie here."""
        with self._lock, translated():
            rows = self._connection.execute(
                "SELECT reference FROM chips WHERE sealed_job IS NOT NULL ORDER BY reference"
            ).fetchall()
        return tuple(CardReference(row[0]) for row in rows)

    def in_hand(self) -> tuple[ChipRecord, ...]:
        """The chips that the station is at work with, begun or not."""
        return self._records("is_in_hand = 1")

    def cards_left(self, batch: BatchId) -> int:
        """How many cards of a batch the station was given and has not finished."""
        with self._lock, translated():
            return count_unfinished(self._connection, batch)

    def destroy_jobs(self) -> tuple[CardReference, ...]:
        """Destroy every sealed job and all that is known of chips, in the file too; give back whose jobs they were."""
        held = self.jobs_held()
        with self._writing():
            self._connection.execute("DELETE FROM chips")
        with self._lock, translated():
            # secure_delete has overwritten the rows; the log that still holds them is emptied, too.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return held

    def fact(self, name: str) -> str | None:
        """A fact of the journal."""
        with self._lock, translated():
            return self._fact(name)

    def remember(self, name: str, value: str) -> None:
        """Keep a fact."""
        with self._writing():
            self._remember(name, value)

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        with self._lock:
            self._connection.close()
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1

    @contextlib.contextmanager
    def _writing(self, *, is_through: bool = True) -> Iterator[None]:
        """One transaction; what is not written through goes with the next one that is. No crash takes it back."""
        with self._lock, translated():
            self._connection.execute(f"PRAGMA synchronous={'FULL' if is_through else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _move(self, record: ChipRecord, event: ProductionEvent) -> None:
        chip, card = follow(record.chip, record.card, event)
        row = self._connection.execute(
            "SELECT batch, sealed_job, is_in_hand FROM chips WHERE serial = ?", (chip.serial,)
        ).fetchone()
        if row is None or event.kind is ProductionEventKind.NOTED:
            return
        self._require_own_key(chip)
        # A condemned chip is in hand again: what is left to do is to end it.
        is_in_hand = bool(row[2]) or event.kind is ProductionEventKind.CONDEMNED
        self._store(
            ClaimedChip(
                record=ChipRecord(chip=chip, card=card),
                is_claimed=is_in_hand and event.kind not in _OVER,
                batch=None if row[0] is None else BatchId(uuid.UUID(bytes=row[0])),
                sealed_job=row[1],
            )
        )

    def _require_own_key(self, chip: Chip) -> None:
        if chip.public_key is None:
            return
        other = self._connection.execute(
            "SELECT serial FROM chips WHERE key_point = ? AND serial <> ?",
            (chip.public_key.point, chip.serial),
        ).fetchone()
        if other is not None:
            raise ConflictError(
                f"chip {chip.serial.hex().upper()} made the key of chip {other[0].hex().upper()}",
                code="chip.key-not-unique",
            )

    def _records(self, condition: str, *values: str) -> tuple[ChipRecord, ...]:
        with self._lock, translated():
            rows = self._connection.execute(
                f"{SELECT_CHIPS} WHERE {condition} ORDER BY serial", values
            ).fetchall()
        return tuple(claimed_of(row).record for row in rows)

    def _store(self, claimed: ClaimedChip) -> None:
        chip, card = claimed.record.chip, claimed.record.card
        self._connection.execute(
            "INSERT OR REPLACE INTO chips (serial, chip, card, card_state, reference, key_point, batch,"
            " sealed_job, is_in_hand) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                chip.serial,
                chip_to_text(chip),
                None if card is None else card_to_text(card),
                None if card is None else card.state.value,
                None if card is None else card.reference,
                None if chip.public_key is None else chip.public_key.point,
                None if claimed.batch is None else claimed.batch.bytes,
                claimed.sealed_job,
                int(claimed.is_claimed),
            ),
        )

    def _fact(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _remember(self, name: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO facts (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def _head_at(self, sequence: int) -> JournalHead:
        if sequence == 0:
            return JournalHead()
        row = self._connection.execute(
            "SELECT chain FROM events WHERE sequence = ?", (sequence,)
        ).fetchone()
        if row is None:
            raise IssuerUnavailableError(
                f"event {sequence} of the station's journal is missing",
                code="station.journal-damaged",
            )
        return JournalHead(sequence=sequence, chain=row[0])

    def _read_head(self) -> tuple[JournalHead, datetime | None]:
        row = self._connection.execute(
            "SELECT line, chain FROM events ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return JournalHead(), None
        event = ProductionEvent.from_line(row[0])
        return JournalHead(sequence=event.sequence, chain=row[1]), event.at
