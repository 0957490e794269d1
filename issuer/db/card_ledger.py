"""The register of cards in the database, as the office works with it."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.application_lock import ApplicationLock
from issuer.db.base import Database
from issuer.db.batch_progress import settle_batch
from issuer.db.card_binding import free_chips, status_list_with_room
from issuer.db.card_seals import document_number_digest, open_secrets, seal_secrets
from issuer.db.card_validity import SqlCardValidity
from issuer.db.card_vault import CardVault
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_queries import below as part_of_tree
from issuer.db.production_rows import card_of, journal, locked_card, locked_chip
from issuer.db.production_tables import IS_NOT_CONDEMNED, CardRow
from issuer.db.request_tables import RequestRow
from issuer.db.signing_rows import cards_to_sign, jobs_of, keep_prepared, keep_signed
from issuer.domain.batch import BatchId
from issuer.domain.card import Card, CardEvent, CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.card_number import CardNumber
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import ChipState, Serial
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_errors import TransitionError
from issuer.domain.requests import RequestId, RequestState
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusListRoom
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.production_ports import (
    CardLine,
    Clock,
    MemberToBind,
    NewCard,
)
from issuer.services.signing_values import CardToSign, JobToKeep
from issuer.services.status_ports import StatusMarkStore

__all__ = ["SqlCardLedger", "SqlCardRegister", "read_job"]

_STANDINGS = sorted(each.value for each in STANDINGS_WITH_CARD)


class SqlCardRegister:
    """Implements ``CardRegister``; needs no key."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def cards(self, *, states: Sequence[CardState] | None = None) -> tuple[Card, ...]:
        """See ``CardLedger.cards``."""
        statement = sa.select(CardRow).order_by(CardRow.bound_at, CardRow.reference)
        if states is not None:
            statement = statement.where(CardRow.state.in_([state.value for state in states]))
        with self._database.reading() as session:
            return tuple(card_of(row) for row in session.scalars(statement))

    def lines(
        self,
        *,
        states: Sequence[CardState] | None = None,
        below: Collection[OrganisationCode] | None = None,
        batch_id: BatchId | None = None,
        with_secrets: bool = False,
    ) -> tuple[CardLine, ...]:
        """See ``CardLedger.lines``."""
        statement = (
            sa.select(CardRow, RequestRow.card_number)
            .join(RequestRow, RequestRow.id == CardRow.request_id)
            .order_by(CardRow.bound_at, CardRow.reference)
        )
        if states is not None:
            statement = statement.where(CardRow.state.in_([state.value for state in states]))
        if batch_id is not None:
            statement = statement.where(CardRow.batch_id == batch_id)
        if with_secrets:
            statement = statement.where(sa.func.length(CardRow.sealed_secrets) > 0)
        if below is not None:
            statement = statement.join(MemberRow, MemberRow.id == RequestRow.member_id).where(
                MemberRow.organisation_id.in_(part_of_tree(below))
            )
        with self._database.reading() as session:
            return tuple(
                CardLine(card=card_of(row), card_number=CardNumber(number))
                for row, number in session.execute(statement)
                # A request with a card has a number: the database sees to it.
                if number is not None
            )

    def hand_over(self, reference: CardReference, *, to: str, account: AccountName) -> None:
        """See ``CardLedger.hand_over``."""
        with self._database.writing() as session:
            SqlCardValidity(session).hand_over(reference, to=to, account=account, at=self._clock())


class SqlCardLedger(SqlCardRegister):
    """Implements ``CardLedger``."""

    def __init__(self, database: Database, clock: Clock, vault: CardVault) -> None:
        super().__init__(database, clock)
        self._vault = vault

    def members_to_bind(self) -> tuple[MemberToBind, ...]:
        """See ``CardLedger.members_to_bind``."""
        has_card = sa.exists().where(CardRow.request_id == RequestRow.id, IS_NOT_CONDEMNED)
        with self._database.reading() as session:
            rows = session.execute(
                sa.select(MemberRow.id, RequestRow.id, RequestRow.ordinal)
                .join(RequestRow, RequestRow.member_id == MemberRow.id)
                .where(
                    RequestRow.state == RequestState.DECIDED.value,
                    # Another instance has it made where it was handed over.
                    RequestRow.held_by.is_(None),
                    MemberRow.standing.in_(_STANDINGS),
                    MemberRow.erased_at.is_(None),
                    ~has_card,
                )
                .order_by(MemberRow.sort_key, MemberRow.id)
            )
            return tuple(
                MemberToBind(
                    member_id=MemberId(member_id), request_id=RequestId(request_id), ordinal=ordinal
                )
                for member_id, request_id, ordinal in rows
            )

    def chips_to_bind(self) -> tuple[Serial, ...]:
        """See ``CardLedger.chips_to_bind``."""
        with self._database.reading() as session:
            return free_chips(session, None)

    def status_list_to_fill(
        self, *, size: int, draw_list_id: Callable[[], bytes], marks: StatusMarkStore
    ) -> StatusListRoom:
        """See ``CardLedger.status_list_to_fill``."""
        with self._database.writing() as session:
            return status_list_with_room(
                session, size=size, draw_list_id=draw_list_id, marks=marks, at=self._clock()
            )

    def bind(self, card: NewCard) -> None:
        """See ``CardLedger.bind``."""
        now = self._clock()
        digest = document_number_digest(self._vault.sealer, card.secrets)
        with self._database.writing() as session:
            self._require_free(session, card)
            self._require_new(session, card, digest)
            session.add(
                CardRow(
                    reference=card.reference,
                    member_id=card.member_id,
                    request_id=card.request_id,
                    serial=card.serial,
                    state=CardState.BOUND.value,
                    ordinal=card.ordinal,
                    profile=card.profile,
                    status_list=card.status.list_id,
                    status_index=card.status.index,
                    document_number_digest=digest,
                    sealed_secrets=seal_secrets(self._vault.sealer, card.secrets, card.reference),
                    bound_at=now,
                    batch_id=card.batch_id,
                )
            )
            journal(
                session,
                CardEvent.BOUND.value,
                at=now,
                serial=card.serial,
                reference=card.reference,
            )

    def secrets(self, reference: CardReference) -> CardSecrets:
        """See ``CardLedger.secrets``."""
        with self._database.reading() as session:
            row = locked_card(session, reference)
            return open_secrets(self._vault.sealer, row.sealed_secrets, row.reference)

    def prepare_signing(self, job: CardJob, *, valid_until: date) -> None:
        """See ``CardLedger.prepare_signing``."""
        if not self.prepare_several([JobToKeep(job=job, valid_until=valid_until)]):
            self._refuse(job.reference, "prepared")

    def prepared(self, reference: CardReference) -> CardJob | None:
        """See ``CardLedger.prepared``."""
        return self.prepared_several([reference]).get(reference)

    def job(self, reference: CardReference) -> CardJob:
        """See ``CardLedger.job``."""
        with self._database.reading() as session:
            return read_job(session, self._vault, reference)

    def record_signed(self, reference: CardReference, security_object_file: bytes) -> None:
        """See ``CardLedger.record_signed``."""
        if not self.record_signed_several({reference: security_object_file}):
            self._refuse(reference, "signed")

    def bound(
        self, *, batch_id: BatchId | None = None, limit: int | None = None
    ) -> tuple[CardReference, ...]:
        """See ``CardLedger.bound``."""
        statement = (
            sa.select(CardRow.reference)
            .where(CardRow.state == CardState.BOUND.value)
            .order_by(CardRow.bound_at, CardRow.reference)
            .limit(limit)
        )
        if batch_id is not None:
            statement = statement.where(CardRow.batch_id == batch_id)
        with self._database.reading() as session:
            return tuple(map(CardReference, session.scalars(statement)))

    def to_sign(self, references: Sequence[CardReference]) -> tuple[CardToSign, ...]:
        """See ``CardLedger.to_sign``."""
        with self._database.reading() as session:
            return cards_to_sign(session, self._vault.sealer, references)

    def prepared_several(
        self, references: Sequence[CardReference]
    ) -> Mapping[CardReference, CardJob]:
        """See ``CardLedger.prepared_several``."""
        with self._database.reading() as session:
            return jobs_of(session, self._vault, references)

    def prepare_several(
        self, jobs: Sequence[JobToKeep], *, account: AccountName | None = None
    ) -> frozenset[CardReference]:
        """See ``CardLedger.prepare_several``."""
        # Before the database is locked: others write meanwhile.
        sealed = [(each, self._vault.seal_contents(each.job, each.picture)) for each in jobs]
        with self._database.writing_in_turn() as session:
            return keep_prepared(session, self._vault, sealed, account=account, at=self._clock())

    def record_signed_several(
        self,
        files: Mapping[CardReference, bytes],
        *,
        account: AccountName | None = None,
        authorisation: bytes | None = None,
    ) -> frozenset[CardReference]:
        """See ``CardLedger.record_signed_several``."""
        with self._database.writing_in_turn() as session:
            return keep_signed(
                session, files, account=account, authorisation=authorisation, at=self._clock()
            )

    def signing(self, batch_id: BatchId) -> AbstractContextManager[None]:
        """See ``CardLedger.signing``."""
        number = hashlib.sha256(b"signing of batch " + batch_id.bytes).digest()[:8]
        lock = ApplicationLock(
            name="signing",
            number=int.from_bytes(number, "big", signed=True),
            unavailable="signing.lock-unavailable",
        )
        busy = IssuerRefusedError(
            "the batch is being signed elsewhere at this moment",
            code="batch.being-signed",
            hint="wait until that has ended; what is left then can be signed",
        )
        return lock.held(self._database, busy=busy)

    def settle(self, batch_id: BatchId, *, account: AccountName) -> None:
        """See ``CardLedger.settle``."""
        with self._database.writing() as session:
            settle_batch(session, batch_id, account=account, at=self._clock())

    def _refuse(self, reference: CardReference, wish: str) -> NoReturn:
        with self._database.reading() as session:
            state = locked_card(session, reference).state
        raise TransitionError(f"the card is {state}, so it cannot be {wish}")

    @staticmethod
    def _require_free(session: Session, card: NewCard) -> None:
        request = session.get(RequestRow, card.request_id, with_for_update=True)
        member = session.get(MemberRow, card.member_id)
        if (
            request is None
            or member is None
            or request.member_id != card.member_id
            or request.state != RequestState.DECIDED.value
            or request.held_by is not None
            or member.standing not in _STANDINGS
            or member.erased_at is not None
        ):
            raise ConflictError(
                "the request is not decided, or its member gets no card any more",
                code="card.already-bound",
            )
        chip = locked_chip(session, card.serial)
        if chip.state != ChipState.INITIALISED.value or chip.held is not None:
            raise ConflictError(
                f"chip {card.serial.hex().upper()} is {chip.state} or held, expected initialised",
                code="card.already-bound",
            )
        taken = session.scalar(
            sa.select(CardRow.reference).where(
                (CardRow.serial == card.serial)
                | ((CardRow.request_id == card.request_id) & IS_NOT_CONDEMNED)
            )
        )
        if taken is not None:
            raise ConflictError(
                f"the request or chip {card.serial.hex().upper()} has a card already",
                code="card.already-bound",
            )

    @staticmethod
    def _require_new(session: Session, card: NewCard, digest: bytes) -> None:
        repeated = session.scalar(
            sa.select(CardRow.reference).where(
                (CardRow.reference == card.reference)
                | (CardRow.document_number_digest == digest)
                | (
                    (CardRow.status_list == card.status.list_id)
                    & (CardRow.status_index == card.status.index)
                )
            )
        )
        if repeated is not None:
            raise ConflictError("a number that was drawn is taken", code="card.draw-repeated")


def read_job(session: Session, vault: CardVault, reference: CardReference) -> CardJob:
    """Everything about a prepared card; EF.SOD is among the files once it is signed.

    Raises:
        IssuerRefusedError: the card is unknown (``card.unknown``) or not prepared (``card.not-signed``); its picture is
            gone (``portrait.lost``) or another one (``portrait.altered``).
    """
    found = jobs_of(session, vault, [reference])
    if reference not in found:
        locked_card(session, reference)
        raise IssuerRefusedError("the card is not signed", code="card.not-signed")
    return found[reference]
