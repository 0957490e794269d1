"""Stations over the session of a register transaction: who proposed them, and what they are given."""

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.card_vault import CardVault
from issuer.db.production_rows import record_of
from issuer.db.production_tables import CardRow, ChipRow
from issuer.db.station_claims import claim_chip
from issuer.db.station_presence import standings_of
from issuer.db.station_rejections import newest_rejections
from issuer.db.station_tables import StationClaimRow, StationProposalRow, StationRow
from issuer.db.stock_rows import parts_of
from issuer.domain.batch import BatchId
from issuer.domain.card import CardState
from issuer.domain.chip import ChipState, Serial
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import CHAIN_START, StationName
from issuer.domain.rights import AccountName
from issuer.domain.station_enrolment import StationProposal
from issuer.domain.station_standing import StationStanding
from issuer.domain.stock_account import HELD_AS_STOLEN, SiteCode
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.station_ports import ClaimedChip, JobSeal, RejectedEvent

__all__ = ["SqlStationRepository"]


class SqlStationRepository:
    """Implements ``StationRepository``."""

    def __init__(self, session: Session, vault: Callable[[], CardVault]) -> None:
        """``vault`` opens cards; it is asked when a job is given, and not before."""
        self._session = session
        self._vault = vault

    def require_place_for(self, name: StationName) -> None:
        """See ``StationRepository.require_place_for``."""
        row = self._session.get(StationRow, name, with_for_update=True)
        if row is not None and row.signing_certificate is None:
            raise ConflictError(
                f"a station of this home is called {name}", code="station.name-taken"
            )

    def proposal(self, name: StationName) -> StationProposal | None:
        """See ``StationRepository.proposal``."""
        row = self._session.get(StationProposalRow, name, with_for_update=True)
        return None if row is None else _proposal_of(row)

    def proposals(self) -> tuple[StationProposal, ...]:
        """See ``StationRepository.proposals``."""
        rows = self._session.scalars(
            sa.select(StationProposalRow).order_by(StationProposalRow.name)
        )
        return tuple(_proposal_of(row) for row in rows)

    def store_proposal(self, proposal: StationProposal) -> None:
        """See ``StationRepository.store_proposal``."""
        self._session.merge(
            StationProposalRow(
                name=proposal.name,
                signing_certificate=proposal.certificates.signer,
                sealing_certificate=proposal.certificates.receiver,
                proposed_by=proposal.proposed_by,
                proposed_at=proposal.proposed_at,
            )
        )

    def enrol(self, proposal: StationProposal, *, confirmed_by: AccountName, at: datetime) -> None:
        """See ``StationRepository.enrol``."""
        row = self._session.get(StationRow, proposal.name, with_for_update=True)
        if row is None:
            row = StationRow(
                name=proposal.name, created_at=at, sequence=0, chain=CHAIN_START, last_order=0
            )
            self._session.add(row)
        row.signing_certificate = proposal.certificates.signer
        row.sealing_certificate = proposal.certificates.receiver
        row.proposed_by, row.confirmed_by = proposal.proposed_by, confirmed_by
        row.dismissed_at = None
        self._session.execute(
            sa.delete(StationProposalRow).where(StationProposalRow.name == proposal.name)
        )

    def lock(self, name: StationName) -> None:
        """See ``StationRepository.lock``."""
        row = self._session.get(StationRow, name, with_for_update=True)
        if row is None or row.signing_certificate is None:
            raise IssuerRefusedError(
                f"no station elsewhere is called {name}",
                code="station.unknown",
                hint="membercard-issuer stations propose",
            )
        if row.dismissed_at is not None:
            raise IssuerRefusedError(
                f"station {name} was dismissed at {row.dismissed_at:%Y-%m-%d %H:%M:%S}Z",
                code="station.dismissed",
            )

    def free_blanks(self, site: SiteCode, *, limit: int) -> tuple[Serial, ...]:
        """See ``StationRepository.free_blanks``."""
        query = _free(site).where(ChipRow.state == ChipState.RECEIVED.value)
        return tuple(Serial(each) for each in self._session.scalars(query.limit(limit)))

    def free_signed(
        self, site: SiteCode, *, batch: BatchId | None, limit: int
    ) -> tuple[Serial, ...]:
        """See ``StationRepository.free_signed``."""
        query = (
            _free(site)
            .join(CardRow, CardRow.serial == ChipRow.serial)
            .where(CardRow.state == CardState.SIGNED.value)
        )
        if batch is not None:
            query = query.where(CardRow.batch_id == batch)
        return tuple(Serial(each) for each in self._session.scalars(query.limit(limit)))

    def claim(
        self,
        serial: Serial,
        *,
        station: StationName,
        batch: BatchId | None,
        seal: JobSeal,
        at: datetime,
    ) -> ClaimedChip | None:
        """See ``StationRepository.claim``."""
        return claim_chip(
            self._session,
            serial,
            station=station,
            batch=batch,
            vault=self._vault,
            seal=seal,
            at=at,
        )

    def stopped_in_hands(self, name: StationName) -> tuple[ClaimedChip, ...]:
        """See ``StationRepository.stopped_in_hands``."""
        rows = self._session.execute(
            sa.select(ChipRow, CardRow)
            .join(StationClaimRow, StationClaimRow.serial == ChipRow.serial)
            .outerjoin(CardRow, CardRow.serial == ChipRow.serial)
            .where(
                StationClaimRow.station == name,
                StationClaimRow.released_at.is_(None),
                ChipRow.held == HELD_AS_STOLEN,
            )
            .order_by(ChipRow.serial)
        )
        return tuple(
            ClaimedChip(record=record_of(chip, card), is_claimed=False) for chip, card in rows
        )

    def rejections(self, name: StationName, *, limit: int) -> tuple[RejectedEvent, ...]:
        """See ``StationRepository.rejections``."""
        return newest_rejections(self._session, name, limit=limit)

    def next_order(self, name: StationName) -> int:
        """See ``StationRepository.next_order``."""
        row = self._session.get_one(StationRow, name, with_for_update=True)
        row.last_order += 1
        return row.last_order

    def standings(self, *, now: datetime) -> tuple[StationStanding, ...]:
        """See ``StationRepository.standings``."""
        return standings_of(self._session, now=now)

    def in_hands_of(
        self, name: StationName, *, batch: BatchId | None, limit: int
    ) -> tuple[Serial, ...]:
        """See ``StationRepository.in_hands_of``."""
        query = (
            sa.select(ChipRow.serial)
            .join(StationClaimRow, StationClaimRow.serial == ChipRow.serial)
            .where(
                StationClaimRow.station == name,
                StationClaimRow.released_at.is_(None),
                ChipRow.held.is_(None),
            )
            .order_by(StationClaimRow.claimed_at.desc(), ChipRow.serial)
            .limit(limit)
        )
        if batch is not None:
            query = query.join(CardRow, CardRow.serial == ChipRow.serial).where(
                CardRow.batch_id == batch
            )
        return tuple(Serial(each) for each in self._session.scalars(query))

    def in_hands(self, serials: Sequence[Serial]) -> dict[Serial, StationName]:
        """See ``StationRepository.in_hands``."""
        found: dict[Serial, StationName] = {}
        for part in parts_of(serials):
            rows = self._session.execute(
                sa.select(StationClaimRow.serial, StationClaimRow.station).where(
                    StationClaimRow.serial.in_(part), StationClaimRow.released_at.is_(None)
                )
            )
            found |= {Serial(serial): StationName(station) for serial, station in rows}
        return found


def _free(site: SiteCode) -> sa.Select[bytes]:
    taken = sa.exists().where(
        StationClaimRow.serial == ChipRow.serial, StationClaimRow.released_at.is_(None)
    )
    return (
        sa.select(ChipRow.serial)
        .where(ChipRow.site == site, ChipRow.held.is_(None), ~taken)
        .order_by(ChipRow.serial)
    )


def _proposal_of(row: StationProposalRow) -> StationProposal:
    return StationProposal(
        name=StationName(row.name),
        certificates=ExchangeCertificates(
            signer=row.signing_certificate, receiver=row.sealing_certificate
        ),
        proposed_by=AccountName(row.proposed_by),
        proposed_at=row.proposed_at,
    )
