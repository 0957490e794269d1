"""The stock of chips in the database."""

import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.production_rows import record_of
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.domain.card import CardReference
from issuer.domain.chip import Serial
from issuer.services.production_ports import ChipRecord, JournalEvent

__all__ = ["SqlStockLedger"]


class SqlStockLedger:
    """Implements ``StockLedger``."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
