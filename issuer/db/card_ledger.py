"""The register of cards in the database, as the office works with it."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import Database
from issuer.db.card_contents import CardContents
from issuer.db.card_validity import SqlCardValidity
from issuer.db.member_rows import MemberRow
from issuer.db.production_rows import card_of, chip_of, journal, locked_card, locked_chip, move_card
from issuer.db.production_tables import CardContentsRow, CardRow, ChipRow, StatusListRow
from issuer.db.request_tables import RequestRow
from issuer.db.sealing import Sealer
from issuer.domain.card import Card, CardEvent, CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.card_number import CardNumber
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import ChipState, Serial
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.member import MemberId
from issuer.domain.production_errors import TransitionError
from issuer.domain.requests import RequestId, RequestState
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusListRoom
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.production_ports import CardLine, Clock, MemberToBind, NewCard
from issuer.services.status_ports import StatusMarkStore

__all__ = ["SqlCardLedger", "SqlCardRegister", "read_job", "read_secrets"]

_STANDINGS = sorted(each.value for each in STANDINGS_WITH_CARD)
_SECRETS = "card secrets"
_CONTENTS = "card contents"
_DOCUMENT_NUMBER = "document number"


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

    def lines(self, *, states: Sequence[CardState] | None = None) -> tuple[CardLine, ...]:
        """See ``CardLedger.lines``."""
        statement = (
            sa.select(CardRow, RequestRow.card_number)
            .join(RequestRow, RequestRow.id == CardRow.request_id)
            .order_by(CardRow.bound_at, CardRow.reference)
        )
        if states is not None:
            statement = statement.where(CardRow.state.in_([state.value for state in states]))
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

    def __init__(self, database: Database, clock: Clock, sealer: Sealer) -> None:
        super().__init__(database, clock)
        self._sealer = sealer

    def members_to_bind(self) -> tuple[MemberToBind, ...]:
        """See ``CardLedger.members_to_bind``."""
        has_card = sa.exists().where(
            CardRow.request_id == RequestRow.id, CardRow.state != CardState.CONDEMNED.value
        )
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
        has_card = sa.exists().where(CardRow.serial == ChipRow.serial)
        with self._database.reading() as session:
            return tuple(
                Serial(serial)
                for serial in session.scalars(
                    sa.select(ChipRow.serial)
                    .where(
                        ChipRow.state == ChipState.INITIALISED.value,
                        ChipRow.held.is_(None),
                        ~has_card,
                    )
                    .order_by(ChipRow.serial)
                )
            )

    def status_list_to_fill(
        self, *, size: int, draw_list_id: Callable[[], bytes], marks: StatusMarkStore
    ) -> StatusListRoom:
        """See ``CardLedger.status_list_to_fill``."""
        with self._database.writing() as session:
            newest = session.scalars(
                sa.select(StatusListRow)
                .where(StatusListRow.size == size)
                .order_by(StatusListRow.created_at.desc(), StatusListRow.list_id)
                .limit(1)
            ).one_or_none()
            # A list without its mark was begun before the database was restored: nobody knows what was drawn since.
            drawn = None if newest is None else marks.drawn(newest.list_id, size=size)
            if newest is not None and drawn is not None:
                taken = session.scalars(
                    sa.select(CardRow.status_index).where(CardRow.status_list == newest.list_id)
                )
                found = StatusListRoom(list_id=newest.list_id, size=size, taken=drawn.union(taken))
                if found.room:
                    return found
            list_id = draw_list_id()
            now = self._clock()
            marks.begin(list_id, size=size)
            session.add(StatusListRow(list_id=list_id, size=size, created_at=now))
            journal(session, "status-list-begun", at=now, detail=list_id.hex())
            return StatusListRoom(list_id=list_id, size=size)

    def bind(self, card: NewCard) -> None:
        """See ``CardLedger.bind``."""
        now = self._clock()
        digest = self._sealer.digest(card.secrets.document_number, purpose=_DOCUMENT_NUMBER)
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
                    sealed_secrets=self._sealer.seal(
                        card.secrets.to_bytes(), purpose=_SECRETS, row=card.reference
                    ),
                    bound_at=now,
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
            return read_secrets(self._sealer, locked_card(session, reference))

    def prepare_signing(self, job: CardJob) -> None:
        """See ``CardLedger.prepare_signing``."""
        now = self._clock()
        contents = CardContents(mrz_information=job.mrz_information, files=job.contents)
        with self._database.writing() as session:
            card = locked_card(session, job.reference)
            if card.state != CardState.BOUND.value:
                raise TransitionError(f"the card is {card.state}, so it cannot be prepared")
            session.add(
                CardContentsRow(
                    reference=job.reference,
                    sealed=self._sealer.seal(
                        contents.to_bytes(), purpose=_CONTENTS, row=job.reference
                    ),
                    prepared_at=now,
                )
            )
            journal(
                session, "signing-prepared", at=now, serial=card.serial, reference=card.reference
            )

    def prepared(self, reference: CardReference) -> CardJob | None:
        """See ``CardLedger.prepared``."""
        with self._database.reading() as session:
            if session.get(CardContentsRow, reference) is None:
                return None
            return read_job(session, self._sealer, reference)

    def record_signed(self, reference: CardReference, security_object_file: bytes) -> None:
        """See ``CardLedger.record_signed``."""
        with self._database.writing() as session:
            card = locked_card(session, reference)
            contents = session.get(CardContentsRow, reference)
            if contents is None:
                raise TransitionError("the card was not prepared for signing")
            contents.security_object_file = security_object_file
            move_card(session, card, CardEvent.SIGNED, self._clock())

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
                | (
                    (CardRow.request_id == card.request_id)
                    & (CardRow.state != CardState.CONDEMNED.value)
                )
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


def read_secrets(sealer: Sealer, row: CardRow) -> CardSecrets:
    """The secrets of a card's row.

    Raises:
        IssuerRefusedError: ``card.secrets-destroyed``: it was handed over.
    """
    if not row.sealed_secrets:
        raise IssuerRefusedError(
            "the card was handed over, and its secrets were destroyed",
            code="card.secrets-destroyed",
        )
    return CardSecrets.from_bytes(
        sealer.open(row.sealed_secrets, purpose=_SECRETS, row=row.reference)
    )


def read_job(session: Session, sealer: Sealer, reference: CardReference) -> CardJob:
    """Everything about a prepared card; EF.SOD is among the files once it is signed.

    Raises:
        IssuerRefusedError: the card is unknown (``card.unknown``) or not prepared (``card.not-signed``).
    """
    card = session.get(CardRow, reference)
    stored = session.get(CardContentsRow, reference)
    if card is None:
        raise IssuerRefusedError(
            f"card {reference.hex()} is not in the register", code="card.unknown"
        )
    chip_row = session.get(ChipRow, card.serial)
    chip_key = None if chip_row is None else chip_of(chip_row).public_key
    if stored is None or chip_key is None:
        raise IssuerRefusedError("the card is not signed", code="card.not-signed")
    secrets = read_secrets(sealer, card)
    contents = CardContents.from_bytes(sealer.open(stored.sealed, purpose=_CONTENTS, row=reference))
    files = dict(contents.files)
    if stored.security_object_file is not None:
        files["EF.SOD"] = stored.security_object_file
    return CardJob(
        reference=reference,
        serial=Serial(card.serial),
        profile=card.profile,
        secrets=secrets,
        mrz_information=contents.mrz_information,
        contents=files,
        chip_key=chip_key,
    )
