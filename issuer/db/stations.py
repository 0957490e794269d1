"""The stations that the centre knows, in the database."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.chip_holds import hold_chip
from issuer.db.chip_locks import lock_chips_with_cards
from issuer.db.production_rows import Producer, journal, locked_chip
from issuer.db.station_tables import StationClaimRow, StationProposalRow, StationRow
from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.chip import Serial
from issuer.domain.production_events import JournalHead, StationName
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import Clock
from issuer.stations.desk import EnrolledStation
from issuer.stations.exchange_keys import Peer

__all__ = ["SqlStationBook"]

_RELEASED = "station.claim-released"


class SqlStationBook:
    """Implements ``StationBook``, and lets people dismiss stations and take chips from them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def by_signer(self, certificate: bytes) -> EnrolledStation | None:
        """See ``StationBook.by_signer``."""
        with self._database.reading() as session:
            row = session.scalar(
                sa.select(StationRow).where(StationRow.signing_certificate == certificate)
            )
            return None if row is None else _enrolled(row)

    def get(self, name: StationName) -> EnrolledStation:
        """See ``StationBook.get``."""
        with self._database.reading() as session:
            row = session.get(StationRow, name)
        if row is None or row.signing_certificate is None:
            raise IssuerRefusedError(
                f"no station elsewhere is called {name}",
                code="station.unknown",
                hint="membercard-issuer stations propose",
            )
        return _enrolled(row)

    def all(self) -> tuple[tuple[StationName, EnrolledStation | None, int, datetime | None], ...]:
        """Every station by name: what it is known by, where it is elsewhere, its events and when it was heard."""
        with self._database.reading() as session:
            rows = session.scalars(sa.select(StationRow).order_by(StationRow.name))
            return tuple(
                (
                    StationName(row.name),
                    None if row.signing_certificate is None else _enrolled(row),
                    row.sequence,
                    row.heard_at,
                )
                for row in rows
            )

    def dismiss(self, name: StationName, *, account: AccountName) -> tuple[Serial, ...]:
        """Work with a station no more; the chips that it has are held for people to look at.

        Raises:
            IssuerRefusedError: there is none (``station.unknown``).
        """
        now = self._clock()
        with self._database.writing() as session:
            _known(session, name).dismissed_at = now
            # Whoever proposed new keys for it did so before it was lost.
            session.execute(sa.delete(StationProposalRow).where(StationProposalRow.name == name))
            in_hand = sa.and_(
                StationClaimRow.station == name, StationClaimRow.released_at.is_(None)
            )
            lock_chips_with_cards(
                session, session.scalars(sa.select(StationClaimRow.serial).where(in_hand)).all()
            )
            # Read behind the locks: somebody may have taken one of the chips from it before.
            claims = session.scalars(sa.select(StationClaimRow).where(in_hand)).all()
            for claim in claims:
                self._release(session, claim, account, now)
            self._audit(session, "station.dismissed", name, account, {"chips": len(claims)})
        return tuple(Serial(claim.serial) for claim in claims)

    def release(self, serial: Serial, *, account: AccountName) -> None:
        """Take a chip from the station that has it; it is held, because the station may have worked on it.

        Raises:
            IssuerRefusedError: there is no such chip (``chip.not-in-stock``), or no station has it
                (``station.not-claimed``).
        """
        now = self._clock()
        with self._database.writing() as session:
            # Chips are always locked before claims: whoever gives one to a station does so, too.
            locked_chip(session, serial)
            claim = session.get(StationClaimRow, serial, with_for_update=True)
            if claim is None or claim.released_at is not None:
                raise IssuerRefusedError(
                    f"no station has chip {serial.hex().upper()}", code="station.not-claimed"
                )
            self._release(session, claim, account, now)
            self._audit(
                session,
                "station.claim-released",
                StationName(claim.station),
                account,
                {"serial": serial.hex()},
            )

    def _release(
        self, session: Session, claim: StationClaimRow, account: AccountName, now: datetime
    ) -> None:
        # Without a claim nothing more is taken of this chip from the station, which may go on with it unaware.
        session.delete(claim)
        hold_chip(locked_chip(session, Serial(claim.serial)), _RELEASED)
        journal(
            session,
            "held",
            at=now,
            serial=claim.serial,
            code=_RELEASED,
            by=Producer(station=claim.station, account=account),
        )

    def _audit(
        self,
        session: Session,
        action: str,
        name: StationName,
        account: AccountName,
        details: dict[str, AuditDetail],
    ) -> None:
        SqlAuditTrail(session).append(
            AuditRecord(
                at=self._clock(),
                account=account,
                action=action,
                subject=AuditSubject.STATION,
                subject_id=name,
                details=details,
            )
        )


def _known(session: Session, name: StationName) -> StationRow:
    row = session.get(StationRow, name, with_for_update=True)
    if row is None:
        raise IssuerRefusedError(f"no station is called {name}", code="station.unknown")
    return row


def _enrolled(row: StationRow) -> EnrolledStation:
    return EnrolledStation(
        name=StationName(row.name),
        peer=Peer(
            name=row.name,
            signer_certificate=row.signing_certificate or b"",
            certificate=row.sealing_certificate or b"",
        ),
        head=JournalHead(sequence=row.sequence, chain=row.chain),
        created_at=row.created_at,
        heard_at=row.heard_at,
        dismissed_at=row.dismissed_at,
    )
