"""A station's ledger straight over the database, without a journal: what tests work with that are about chips."""

import sqlalchemy as sa

from card_layout.curves import EcPublicKey
from issuer.db.base import Database
from issuer.db.card_ledger import read_job
from issuer.db.card_vault import CardVault
from issuer.db.production_rows import (
    NOBODY,
    Producer,
    card_of,
    condemn_rows,
    journal,
    locked_card,
    locked_chip,
    move_card,
    move_chip,
    record_of,
)
from issuer.db.production_tables import CardRow, ChipRow
from issuer.domain.card import Card, CardEvent, CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.chip import ChipEvent, KeyOrigin, Serial
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.production_ports import ChipRecord, Clock

__all__ = ["SqlStationLedger"]


class SqlStationLedger:
    """Implements ``StationLedger``; safe to share among the workers of a station."""

    def __init__(
        self, database: Database, clock: Clock, vault: CardVault, *, by: Producer = NOBODY
    ) -> None:
        """``by`` is who works at the station: what it does is recorded under that account."""
        self._by = by
        self._database = database
        self._clock = clock
        self._vault = vault

    def find(self, serial: Serial) -> ChipRecord | None:
        """See ``StationLedger.find``."""
        with self._database.reading() as session:
            found = session.execute(
                sa.select(ChipRow, CardRow)
                .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
                .where(ChipRow.serial == serial)
            ).one_or_none()
            return None if found is None else record_of(found[0], found[1])

    def locking_cards(self) -> tuple[Card, ...]:
        """See ``StationLedger.locking_cards``."""
        with self._database.reading() as session:
            rows = session.scalars(
                sa.select(CardRow)
                .where(CardRow.state == CardState.LOCKING.value)
                .order_by(CardRow.bound_at, CardRow.reference)
            )
            return tuple(card_of(row) for row in rows)

    def load_job(self, reference: CardReference) -> CardJob:
        """See ``StationLedger.load_job``."""
        with self._database.reading() as session:
            job = read_job(session, self._vault, reference)
        if "EF.SOD" not in job.contents:
            raise IssuerRefusedError("the card is not signed", code="card.not-signed")
        return job

    def begin_initialisation(self, serial: Serial) -> None:
        """See ``StationLedger.begin_initialisation``."""
        with self._database.writing() as session:
            row = locked_chip(session, serial)
            # The chip is going to make a new key, so what an attempt before left here is of no key that exists.
            row.key_curve = None
            row.key_point = None
            move_chip(session, row, ChipEvent.INITIALISATION_BEGUN, self._clock(), by=self._by)

    def record_chip_key(
        self, serial: Serial, public_key: EcPublicKey, *, origin: KeyOrigin = KeyOrigin.MADE_ON_CHIP
    ) -> None:
        """See ``StationLedger.record_chip_key``."""
        with self._database.writing() as session:
            row = locked_chip(session, serial)
            other = session.scalar(
                sa.select(ChipRow.serial).where(
                    ChipRow.key_point == public_key.point, ChipRow.serial != serial
                )
            )
            if other is not None:
                raise ConflictError(
                    f"chip {serial.hex().upper()} made the key of chip {other.hex().upper()}",
                    code="chip.key-not-unique",
                )
            move_chip(
                session, row, ChipEvent.KEY_RECORDED, self._clock(), code=origin.value, by=self._by
            )
            row.key_curve = public_key.curve.oid
            row.key_point = public_key.point

    def finish_initialisation(self, serial: Serial) -> None:
        """See ``StationLedger.finish_initialisation``."""
        with self._database.writing() as session:
            move_chip(
                session,
                locked_chip(session, serial),
                ChipEvent.INITIALISED,
                self._clock(),
                by=self._by,
            )

    def begin_personalisation(self, reference: CardReference) -> None:
        """See ``StationLedger.begin_personalisation``."""
        self._move(reference, CardEvent.PERSONALISATION_BEGUN)

    def record_personalised(self, reference: CardReference) -> None:
        """See ``StationLedger.record_personalised``."""
        self._move(reference, CardEvent.PERSONALISED)

    def intend_lock(self, reference: CardReference) -> None:
        """See ``StationLedger.intend_lock``."""
        self._move(reference, CardEvent.LOCK_INTENDED)

    def record_issued(self, reference: CardReference) -> None:
        """See ``StationLedger.record_issued``."""
        now = self._clock()
        with self._database.writing() as session:
            row = locked_card(session, reference)
            move_card(session, row, CardEvent.ISSUED, now, by=self._by)
            row.issued_at = now

    def condemn(self, serial: Serial, *, code: str, detail: str = "") -> None:
        """See ``StationLedger.condemn``."""
        with self._database.writing() as session:
            condemn_rows(
                session,
                serial,
                code=code,
                detail=detail,
                at=self._clock(),
                is_chip_safe=True,
                by=self._by,
            )

    def record_terminated(self, serial: Serial) -> None:
        """See ``StationLedger.record_terminated``."""
        self.note("terminated", serial=serial, code="chip.terminated")

    def hold(self, serial: Serial, *, code: str, detail: str = "") -> None:
        """See ``StationLedger.hold``."""
        with self._database.writing() as session:
            locked_chip(session, serial).held = code
            journal(
                session,
                "held",
                at=self._clock(),
                serial=serial,
                code=code,
                detail=detail,
                by=self._by,
            )

    def note(self, kind: str, *, serial: Serial | None, code: str, detail: str = "") -> None:
        """See ``StationLedger.note``."""
        with self._database.writing() as session:
            journal(
                session,
                kind,
                at=self._clock(),
                serial=serial,
                code=code,
                detail=detail,
                by=self._by,
            )

    def _move(self, reference: CardReference, event: CardEvent) -> None:
        with self._database.writing() as session:
            move_card(session, locked_card(session, reference), event, self._clock(), by=self._by)
