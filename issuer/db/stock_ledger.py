"""The stock of chips in the database."""

from collections.abc import Sequence

import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.production_rows import condemn_rows, journal, locked_chip, record_of
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.domain.card import CardReference
from issuer.domain.chip import ChipState, Serial
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import ChipRecord, Clock, JournalEvent

__all__ = ["SqlStockLedger"]

_LOOKUP_SIZE = 500
"""How many serials stand in one IN (...): far below the parameter limits of both databases."""


class SqlStockLedger:
    """Implements ``StockLedger``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def receive(self, serials: Sequence[Serial], *, delivery: str) -> int:
        """See ``StockLedger.receive``."""
        now = self._clock()
        with self._database.writing() as session:
            known: set[bytes] = set()
            for start in range(0, len(serials), _LOOKUP_SIZE):
                part = serials[start : start + _LOOKUP_SIZE]
                known.update(
                    session.scalars(sa.select(ChipRow.serial).where(ChipRow.serial.in_(part)))
                )
            new = [serial for serial in dict.fromkeys(serials) if serial not in known]
            for serial in new:
                session.add(
                    ChipRow(
                        serial=serial,
                        state=ChipState.RECEIVED.value,
                        delivery=delivery,
                        received_at=now,
                    )
                )
                journal(session, "chip-received", at=now, serial=serial, detail=delivery)
        return len(new)

    def chips(self) -> tuple[ChipRecord, ...]:
        """See ``StockLedger.chips``."""
        with self._database.reading() as session:
            rows = session.execute(
                sa.select(ChipRow, CardRow)
                .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
                .order_by(ChipRow.serial)
            )
            return tuple(record_of(chip, card) for chip, card in rows)

    def journal(self, *, serial: Serial | None = None) -> tuple[JournalEvent, ...]:
        """See ``StockLedger.journal``."""
        statement = sa.select(CardEventRow).order_by(CardEventRow.sequence)
        if serial is not None:
            statement = statement.where(CardEventRow.serial == serial)
        with self._database.reading() as session:
            return tuple(
                JournalEvent(
                    sequence=row.sequence,
                    at=row.at,
                    kind=row.kind,
                    serial=None if row.serial is None else Serial(row.serial),
                    reference=None if row.reference is None else CardReference(row.reference),
                    code=row.code,
                    detail=row.detail,
                )
                for row in session.scalars(statement)
            )

    def release(self, serial: Serial) -> None:
        """See ``StockLedger.release``."""
        with self._database.writing() as session:
            row = locked_chip(session, serial)
            if row.held is None:
                raise IssuerRefusedError(
                    f"chip {serial.hex().upper()} is not held", code="chip.not-held"
                )
            journal(session, "released", at=self._clock(), serial=serial, code=row.held)
            row.held = None

    def condemn(
        self, serial: Serial, *, code: str, detail: str = "", is_destroyed: bool = False
    ) -> None:
        """See ``StockLedger.condemn``."""
        with self._database.writing() as session:
            condemn_rows(
                session,
                serial,
                code=code,
                detail=detail,
                at=self._clock(),
                is_chip_safe=is_destroyed,
            )
