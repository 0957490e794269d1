"""The validity of cards in the database: the one way in which it moves."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.batch_progress import settle_batch, settle_ended
from issuer.db.card_change_tables import CardChangeRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_rows import (
    Producer,
    card_of,
    destroy_secrets,
    locked_card,
    move_card,
)
from issuer.db.production_tables import CardContentsRow, CardRow, ChipRow
from issuer.db.request_tables import RequestRow
from issuer.db.requests import fulfil_request
from issuer.db.validity_rows import take_step, validity_of
from issuer.domain.card import CardEvent, CardReference, CardState, next_card_state
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import (
    EndReason,
    ValidityEvent,
    ValidityStep,
)
from issuer.domain.chip import Serial
from issuer.domain.chip_hold import require_not_held
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.member import MemberId, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.card_validity_ports import CardChange, CardRecord
from pki.signed.card_states import CardState as ListedState

__all__ = ["SqlCardValidity"]

_MEMBERS_AT_ONCE: Final = 500
"""How many members' cards one statement reads."""


class SqlCardValidity:
    """Implements ``CardValidityRepository`` within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, reference: CardReference) -> CardRecord:
        """See ``CardValidityRepository.get``."""
        return self._one(CardRow.reference == reference, f"card {reference.hex()}")

    def on_chip(self, serial: Serial) -> CardRecord:
        """See ``CardValidityRepository.on_chip``."""
        return self._one(CardRow.serial == serial, f"a card on chip {serial.hex().upper()}")

    def with_number(self, number: CardNumber) -> CardRecord:
        """See ``CardValidityRepository.with_number``."""
        is_held = CardRow.state == CardState.HANDED_OVER.value
        found = self._session.execute(
            _RECORDS.join(RequestRow, RequestRow.id == CardRow.request_id)
            # By the member, of whom cards have an index: all cards would be looked through for the request.
            .where(RequestRow.card_number == number, CardRow.member_id == RequestRow.member_id)
            .order_by(is_held.desc(), CardRow.bound_at.desc(), CardRow.reference)
            .limit(1)
        ).one_or_none()
        if found is None:
            raise IssuerRefusedError("no card bears this number", code="card.unknown")
        return _record(found)

    def of_member(self, member_id: MemberId, *, lock: bool = False) -> Sequence[CardRecord]:
        """See ``CardValidityRepository.of_member``."""
        if lock:
            self._lock(member_id)
        rows = self._session.execute(
            _RECORDS.where(CardRow.member_id == member_id).order_by(
                CardRow.bound_at, CardRow.reference
            )
        )
        return tuple(_record(each) for each in rows)

    def take(
        self, reference: CardReference, step: ValidityStep, *, at: datetime, remark: str = ""
    ) -> CardRecord:
        """See ``CardValidityRepository.take``."""
        card = locked_card(self._session, reference)
        take_step(self._session, card, step, at=at, remark=remark)
        if card.ended_for is not None and card.state == CardState.ISSUED.value:
            if card.sealed_secrets:
                # A finished card that ends before its member has it is handed over to nobody.
                destroy_secrets(self._session, card, at=at, by=Producer(account=step.account))
            if card.batch_id is not None:
                # It may have been the last one that its batch waited for.
                settle_ended(self._session, card.batch_id, account=step.account, at=at)
        self._session.flush()
        return self.get(reference)

    def data_changed(
        self, member_ids: Sequence[MemberId], *, account: AccountName, at: datetime
    ) -> int:
        """See ``CardValidityRepository.data_changed``."""
        step = ValidityStep(event=ValidityEvent.DATA_CHANGED, account=account)
        trail = SqlAuditTrail(self._session)
        count = 0
        if len(member_ids) > _MEMBERS_AT_ONCE:
            self._lock_in_order(member_ids)
        for first in range(0, len(member_ids), _MEMBERS_AT_ONCE):
            chunk = member_ids[first : first + _MEMBERS_AT_ONCE]
            rows = {each.reference: each for each in self._lock(*chunk)}
            # Read behind the lock, not with it: a card's files may have been made while we waited for it.
            found = self._session.execute(
                sa.select(CardRow.reference, OrganisationRow.code)
                .join(MemberRow, MemberRow.id == CardRow.member_id)
                .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
                .join(CardContentsRow, CardContentsRow.reference == CardRow.reference)
                .where(CardRow.member_id.in_(chunk), CardRow.ended_for.is_(None))
                .order_by(CardRow.reference)
            ).all()
            for reference, code in found:
                take_step(
                    self._session,
                    rows[reference],
                    step,
                    at=at,
                    organisation=OrganisationCode(code),
                    trail=trail,
                )
            count += len(found)
            self._session.flush()
        return count

    def count_bearing(self, code: OrganisationCode) -> int:
        """See ``CardValidityRepository.count_bearing``."""
        return (
            self._session.scalar(
                sa.select(sa.func.count())
                .select_from(CardRow)
                .join(MemberRow, MemberRow.id == CardRow.member_id)
                .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
                .join(CardContentsRow, CardContentsRow.reference == CardRow.reference)
                .where(
                    OrganisationRow.code == code,
                    MemberRow.erased_at.is_(None),
                    CardRow.ended_for.is_(None),
                )
            )
            or 0
        )

    def hand_over(
        self, reference: CardReference, *, to: str, account: AccountName, at: datetime
    ) -> CardRecord:
        """See ``CardValidityRepository.hand_over``."""
        member_id = self.get(reference).card.member_id
        cards = self._lock(member_id)
        [card] = [each for each in cards if each.reference == reference]
        self._require_entitled(card)
        if card.valid_until is not None and card.valid_until < at.date():
            raise IssuerRefusedError(
                f"the card was valid until {card.valid_until}", code="card.expired"
            )
        if card.batch_id is not None and card.passed_by is None:
            raise IssuerRefusedError(
                f"card {reference.hex()} was not passed by quality control", code="card.not-passed"
            )
        older = [
            each
            for each in cards
            if each.state == CardState.HANDED_OVER.value and each.reference != reference
        ]
        if any((each.bound_at, each.reference) > (card.bound_at, reference) for each in older):
            raise IssuerRefusedError(
                "a later card of the member was handed over", code="card.superseded"
            )
        # Not locked: whoever puts it on the stop list at this moment finds a card in its member's hand, and reports it.
        held = self._session.scalar(sa.select(ChipRow.held).where(ChipRow.serial == card.serial))
        require_not_held(held, Serial(card.serial))
        # Judged before anything moves: what the record says of the card is a part of what validity is judged by.
        next_card_state(CardState(card.state), CardEvent.HANDED_OVER)
        validity = ValidityStep(event=ValidityEvent.HANDED_OVER, account=account)
        take_step(self._session, card, validity, at=at)
        move_card(self._session, card, CardEvent.HANDED_OVER, at, by=Producer(account=account))
        card.handed_over_at = at
        card.handed_over_to = to
        # From now on the card itself says them to whoever holds it, and nobody else has a use for them.
        destroy_secrets(self._session, card, at=at, by=Producer(account=account))
        fulfil_request(self._session, RequestId(card.request_id), account=account, at=at)
        end = ValidityStep(event=ValidityEvent.ENDED, account=account, reason=EndReason.REPLACED)
        for each in older:
            if each.ended_for is None:
                take_step(self._session, each, end, at=at)
        self._session.flush()
        if card.batch_id is not None:
            settle_batch(self._session, card.batch_id, account=account, at=at)
        return self.get(reference)

    def expired(self, *, on: date) -> Sequence[CardReference]:
        """See ``CardValidityRepository.expired``."""
        found = self._session.scalars(
            sa.select(CardRow.reference)
            .where(
                CardRow.state == CardState.HANDED_OVER.value,
                CardRow.valid_until < on,
                CardRow.ended_for.is_(None),
            )
            .order_by(CardRow.reference)
        )
        return [CardReference(each) for each in found]

    def changes(self, reference: CardReference) -> Sequence[CardChange]:
        """See ``CardValidityRepository.changes``."""
        rows = self._session.scalars(
            sa.select(CardChangeRow)
            .where(CardChangeRow.reference == reference)
            .order_by(CardChangeRow.sequence)
        )
        return tuple(
            CardChange(
                at=row.at,
                account=AccountName(row.account),
                event=ValidityEvent(row.event),
                reason=None if row.reason is None else EndReason(row.reason),
                before=ListedState(row.before),
                after=ListedState(row.after),
                remark=row.remark,
            )
            for row in rows
        )

    def _lock(self, *member_ids: MemberId) -> Sequence[CardRow]:
        """All of these members' cards, in one order of locking for everybody: nobody waits in a circle."""
        return self._session.scalars(
            sa.select(CardRow)
            .where(CardRow.member_id.in_(member_ids))
            .order_by(CardRow.reference)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()

    def _lock_in_order(self, member_ids: Sequence[MemberId]) -> None:
        """The cards of more members than one statement takes, by reference over all of them, as whoever packs locks them."""
        references = sorted(
            reference
            for first in range(0, len(member_ids), _MEMBERS_AT_ONCE)
            for reference in self._session.scalars(
                sa.select(CardRow.reference).where(
                    CardRow.member_id.in_(member_ids[first : first + _MEMBERS_AT_ONCE])
                )
            )
        )
        for first in range(0, len(references), _MEMBERS_AT_ONCE):
            self._session.execute(
                sa.select(CardRow.reference)
                .where(CardRow.reference.in_(references[first : first + _MEMBERS_AT_ONCE]))
                .order_by(CardRow.reference)
                .with_for_update()
            ).all()

    def _require_entitled(self, card: CardRow) -> None:
        """A card may have been bound while its member's standing changed, so the standing itself is looked at."""
        standing = self._session.scalars(
            sa.select(MemberRow.standing).where(MemberRow.id == card.member_id)
        ).one()
        if Standing(standing) not in STANDINGS_WITH_CARD:
            raise IssuerRefusedError(
                f"the member is {standing}, and gets no card", code="card.member-not-entitled"
            )

    def _one(self, condition: sa.ColumnElement[bool], what: str) -> CardRecord:
        found = self._session.execute(_RECORDS.where(condition)).one_or_none()
        if found is None:
            raise IssuerRefusedError(f"{what} is not in the register", code="card.unknown")
        return _record(found)


_RECORDS = (
    sa.select(
        CardRow,
        OrganisationRow.code,
        sa.exists()
        .where(CardContentsRow.reference == CardRow.reference)
        .correlate(CardRow)
        .label("bears_data"),
    )
    .join(MemberRow, MemberRow.id == CardRow.member_id)
    .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
)


def _record(found: sa.Row[CardRow, str, bool]) -> CardRecord:
    row, code, bears_data = found
    return CardRecord(
        card=card_of(row),
        organisation=OrganisationCode(code),
        validity=validity_of(row),
        bears_data=bears_data,
        valid_until=row.valid_until,
    )
