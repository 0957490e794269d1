"""A card's dossier, put together from all that the database holds of it."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.orm import Session

from card_layout.errors import CardDataError
from card_layout.files.security_object_file import SecurityObjectFile
from issuer.db.batch_tables import AcknowledgementRow, BatchEventRow, BatchRow
from issuer.db.card_validity import SqlCardValidity
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow, SecurityObjectRow
from issuer.db.request_tables import DecisionRequestRow
from issuer.db.requests import SqlRequestRepository
from issuer.db.stock_tables import DestructionChipRow, DestructionRow, StockStopRow
from issuer.domain.batch import BatchEventKind
from issuer.domain.card import CardReference
from issuer.domain.card_dossier import (
    CardDossier,
    ChipFacts,
    DossierEvent,
    DossierRoom,
    SignatureFacts,
)
from issuer.domain.chip import ChipEvent
from issuer.domain.decisions import DecisionId
from issuer.domain.requests import RequestId
from issuer.domain.stock_acts import DestructionState
from pki.errors import PkiError
from pki.signed.card_states import CardState as ListedState
from pki.signed.security_object import SecurityObject

__all__ = ["SqlCardDossiers"]


class SqlCardDossiers:
    """Implements ``CardDossiers`` within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def gather(self, reference: CardReference, *, at: datetime) -> CardDossier:
        """See ``CardDossiers.gather``."""
        record = SqlCardValidity(self._session).get(reference)
        row = self._session.get_one(CardRow, reference)
        requests = SqlRequestRepository(self._session)
        request = requests.get(RequestId(row.request_id))
        events = sorted(
            (
                *self._request_events(requests, request.request_id),
                *self._production_events(row),
                *self._batch_events(row),
                *self._acknowledgements(reference),
                *self._stops(row.serial),
                *self._destructions(row.serial),
                *self._validity_events(reference),
            ),
            # What happened at one time stays in the order of the records that it stands in.
            key=lambda event: event.at,
        )
        return CardDossier(
            card=record.card,
            card_number=request.card_number,
            organisation=record.organisation,
            request=request,
            decisions=tuple(
                DecisionId(each)
                for each in self._session.scalars(
                    sa.select(DecisionRequestRow.decision_id)
                    .where(DecisionRequestRow.request_id == row.request_id)
                    .order_by(DecisionRequestRow.decision_id)
                )
            ),
            validity=record.validity,
            published_as=ListedState(row.published_as),
            valid_until=row.valid_until,
            chip=self._chip(row.serial),
            signature=self._signature(reference),
            events=tuple(events),
            taken_at=at,
        )

    def _chip(self, serial: bytes) -> ChipFacts:
        chip = self._session.get_one(ChipRow, serial)
        # A chip that was begun again has made more than one key: the last one is its own.
        made = self._session.scalars(
            sa.select(CardEventRow)
            .where(
                CardEventRow.serial == serial,
                CardEventRow.kind == ChipEvent.KEY_RECORDED.value,
            )
            .order_by(CardEventRow.sequence.desc())
            .limit(1)
        ).one_or_none()
        return ChipFacts(
            delivery=chip.delivery,
            received_at=chip.received_at,
            key_curve=chip.key_curve,
            key_digest=None if chip.key_point is None else sha256(chip.key_point).digest(),
            key_origin=None if made is None else made.code,
            key_recorded_at=None if made is None else made.at,
            key_station=None if made is None else made.station,
        )

    def _signature(self, reference: CardReference) -> SignatureFacts | None:
        stored = self._session.get(SecurityObjectRow, reference)
        if stored is None:
            return None
        digest = sha256(stored.file).digest()
        try:
            file = SecurityObjectFile.from_bytes(stored.file)
            found = SecurityObject.from_bytes(file.content_info)
        except (CardDataError, PkiError):
            # Who looks for what became of a card wants the rest of it all the more.
            return SignatureFacts(file_digest=digest)
        return SignatureFacts(
            file_digest=digest,
            signed_at=found.signing_time,
            signer_serial=found.signer_serial_number,
            signer_digest=sha256(found.signer_certificate).digest(),
        )

    def _request_events(
        self, requests: SqlRequestRepository, request_id: RequestId
    ) -> Iterator[DossierEvent]:
        for event in requests.time_lines([request_id])[request_id]:
            yield DossierEvent(
                at=event.at,
                room=DossierRoom.REQUEST,
                what=event.kind.value,
                account=event.account,
                detail=event.remark or None,
            )

    def _production_events(self, row: CardRow) -> Iterator[DossierEvent]:
        """Of the chip from its delivery on, which no other card ever had."""
        events = self._session.scalars(
            sa.select(CardEventRow)
            .where(
                sa.or_(CardEventRow.serial == row.serial, CardEventRow.reference == row.reference)
            )
            .order_by(CardEventRow.sequence)
        )
        for event in events:
            yield DossierEvent(
                at=event.at,
                room=DossierRoom.PRODUCTION,
                what=event.kind,
                account=event.account,
                station=event.station,
                code=event.code,
                detail=event.detail,
            )

    def _batch_events(self, row: CardRow) -> Iterator[DossierEvent]:
        """Of the batch that the card came in, from its opening on."""
        found = self._session.execute(
            sa.select(BatchEventRow, BatchRow.carrier)
            .join(BatchRow, BatchRow.id == BatchEventRow.batch_id)
            .where(BatchEventRow.batch_id == row.batch_id)
            .order_by(BatchEventRow.sequence)
        )
        for event, carrier in found:
            yield DossierEvent(
                at=event.at,
                room=DossierRoom.BATCH,
                what=event.kind,
                account=event.account,
                detail=carrier if event.kind == BatchEventKind.DISPATCHED.value else None,
            )

    def _acknowledgements(self, reference: CardReference) -> Iterator[DossierEvent]:
        row = self._session.get(AcknowledgementRow, reference)
        if row is not None:
            yield DossierEvent(
                at=row.at,
                room=DossierRoom.BATCH,
                what="acknowledged",
                account=row.account,
                code=row.kind,
                detail=None if row.minutes is None else f"SHA-256 {row.minutes.hex()}",
            )

    def _stops(self, serial: bytes) -> Iterator[DossierEvent]:
        for row in self._session.scalars(
            sa.select(StockStopRow)
            .where(StockStopRow.serial == serial)
            .order_by(StockStopRow.sequence)
        ):
            yield DossierEvent(
                at=row.reported_at,
                room=DossierRoom.STOCK,
                what="stop-reported",
                account=row.reported_by,
                code=row.reason,
            )
            if row.concluded_at is not None:
                yield DossierEvent(
                    at=row.concluded_at,
                    room=DossierRoom.STOCK,
                    what=f"stop-{row.state}",
                    account=row.concluded_by,
                )

    def _destructions(self, serial: bytes) -> Iterator[DossierEvent]:
        for row in self._session.scalars(
            sa.select(DestructionRow)
            .join(DestructionChipRow, DestructionChipRow.destruction_id == DestructionRow.id)
            .where(
                DestructionChipRow.serial == serial,
                DestructionRow.state != DestructionState.WITHDRAWN.value,
            )
        ):
            yield DossierEvent(
                at=row.first_at,
                room=DossierRoom.STOCK,
                what="destruction-proposed",
                account=row.first_witness,
                detail=row.manner,
            )
            if row.second_at is not None:
                yield DossierEvent(
                    at=row.second_at,
                    room=DossierRoom.STOCK,
                    what="destruction-confirmed",
                    account=row.second_witness,
                )

    def _validity_events(self, reference: CardReference) -> Iterator[DossierEvent]:
        for change in SqlCardValidity(self._session).changes(reference):
            yield DossierEvent(
                at=change.at,
                room=DossierRoom.VALIDITY,
                what=f"{change.event} ({change.before.label} -> {change.after.label})",
                account=change.account,
                code=None if change.reason is None else change.reason.value,
                detail=change.remark or None,
            )
