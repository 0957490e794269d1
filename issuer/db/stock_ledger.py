"""The stock of chips in the database."""

from collections.abc import Collection

import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.production_rows import record_of
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.domain.card import CardReference
from issuer.domain.chip import Serial
from issuer.domain.stock_account import SiteCode
from issuer.services.production_ports import ChipRecord, JournalEvent

__all__ = ["SqlStockLedger"]


class SqlStockLedger:
    """Implements ``StockLedger``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def chips(self, *, sites: Collection[SiteCode] | None = None) -> tuple[ChipRecord, ...]:
        """See ``StockLedger.chips``."""
        statement = (
            sa.select(ChipRow, CardRow)
            .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
            .order_by(ChipRow.serial)
        )
        if sites is not None:
            statement = statement.where(ChipRow.site.in_(sorted(sites)))
        with self._database.reading() as session:
            return tuple(record_of(chip, card) for chip, card in session.execute(statement))

    def journal(
        self, *, serial: Serial | None = None, sites: Collection[SiteCode] | None = None
    ) -> tuple[JournalEvent, ...]:
        """See ``StockLedger.journal``."""
        statement = sa.select(CardEventRow).order_by(CardEventRow.sequence)
        if serial is not None:
            statement = statement.where(CardEventRow.serial == serial)
        if sites is not None:
            of_sites = sa.select(ChipRow.serial).where(ChipRow.site.in_(sorted(sites)))
            statement = statement.where(CardEventRow.serial.in_(of_sites))
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
