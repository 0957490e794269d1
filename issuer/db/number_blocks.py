"""Card numbers in the database: the blocks, what was given out, and the row that everybody who allots waits for."""

from collections.abc import Callable, Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error
from issuer.db.bulk import held_values
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals
from issuer.db.organisation_queries import below
from issuer.db.organisations import OrganisationRow
from issuer.db.request_tables import AllottedNumberRow, NumberBlockRow, NumberStateRow
from issuer.db.subjects import SqlSubjectRepository
from issuer.domain.card_number import CardNumber
from issuer.domain.data_subjects import RetiredNumber
from issuer.domain.number_blocks import (
    BlockId,
    BlockSupply,
    NumberBlock,
    Span,
    card_number,
    judge_supply,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerDataError
from issuer.services.number_ports import AllottedNumber, NumberState

__all__ = ["SqlNumberRepository", "block_of_row"]

_STATE_ID = 1


class SqlNumberRepository:
    """Implements ``NumberRepository`` within one session."""

    def __init__(self, session: Session, seals: Callable[[], MemberSeals]) -> None:
        """``seals`` is asked only where somebody's record was deleted and their numbers are known by digests."""
        self._session = session
        self._subjects = SqlSubjectRepository(session, seals)

    def lock(self) -> NumberState | None:
        """See ``NumberRepository.lock``."""
        return self._state(sa.select(NumberStateRow).with_for_update())

    def state(self) -> NumberState | None:
        """See ``NumberRepository.state``."""
        return self._state(sa.select(NumberStateRow))

    def store_state(self, state: NumberState) -> None:
        """See ``NumberRepository.store_state``."""
        row = self._session.get(NumberStateRow, _STATE_ID)
        if row is None:
            row = NumberStateRow(id=_STATE_ID)
            self._session.add(row)
        row.register_id = state.register_id
        row.allotments = state.allotments
        self._flush()

    def blocks(self, committee: OrganisationCode | None = None) -> tuple[NumberBlock, ...]:
        """See ``NumberRepository.blocks``."""
        query = (
            sa.select(NumberBlockRow, OrganisationRow.code)
            .join(OrganisationRow, NumberBlockRow.committee_id == OrganisationRow.id)
            .order_by(NumberBlockRow.granted_at, NumberBlockRow.first)
            .execution_options(populate_existing=True)
        )
        if committee is not None:
            query = query.where(OrganisationRow.code == committee)
        return tuple(block_of_row(row, code) for row, code in self._session.execute(query))

    def page(
        self,
        *,
        roots: Collection[OrganisationCode] | None,
        limit: int,
        behind: CardNumber | None = None,
    ) -> tuple[tuple[NumberBlock, str], ...]:
        """See ``NumberRepository.page``."""
        query = (
            sa.select(NumberBlockRow, OrganisationRow.code, OrganisationRow.name)
            .join(OrganisationRow, NumberBlockRow.committee_id == OrganisationRow.id)
            .order_by(NumberBlockRow.first)
            .limit(limit)
        )
        if roots is not None:
            query = query.where(NumberBlockRow.committee_id.in_(below(roots)))
        if behind is not None:
            query = query.where(NumberBlockRow.first > int(behind))
        return tuple(
            (block_of_row(row, code), name) for row, code, name in self._session.execute(query)
        )

    def supplies(
        self, committees: Collection[OrganisationCode]
    ) -> Mapping[OrganisationCode, BlockSupply]:
        """See ``NumberRepository.supplies``."""
        end = NumberBlockRow.last + 1
        is_ours = NumberBlockRow.held_by.is_(None)
        rows = self._session.execute(
            sa.select(
                OrganisationRow.code,
                sa.func.sum(sa.case((is_ours, end - NumberBlockRow.next), else_=0)),
                sa.func.sum(sa.case((is_ours, end - NumberBlockRow.first), else_=0)),
            )
            .join(OrganisationRow, NumberBlockRow.committee_id == OrganisationRow.id)
            .where(OrganisationRow.code.in_(committees))
            .group_by(OrganisationRow.code)
        )
        return {
            OrganisationCode(code): judge_supply(int(left), int(granted))
            for code, left, granted in rows
        }

    def grant(self, block: NumberBlock) -> None:
        """See ``NumberRepository.grant``."""
        first, last = int(block.first), int(block.last)
        overlapping = self._session.scalar(
            sa.select(NumberBlockRow.first).where(
                NumberBlockRow.first <= last, NumberBlockRow.last >= first
            )
        )
        if overlapping is not None:
            raise ConflictError(
                f"the block overlaps the one from {overlapping:08}", code="numbers.block-overlaps"
            )
        committee_id = self._session.scalar(
            sa.select(OrganisationRow.id).where(OrganisationRow.code == block.committee)
        )
        if committee_id is None:
            raise IssuerDataError(
                f"organisation {block.committee} is not in the register",
                code="organisation.unknown",
            )
        self._session.add(
            NumberBlockRow(
                id=block.block_id,
                committee_id=committee_id,
                first=first,
                last=last,
                next=block.next,
                granted_at=block.granted_at,
                granted_by=block.granted_by,
                held_by=block.held_by,
                is_told=False,
            )
        )
        self._flush()

    def taken_within(self, span: Span) -> frozenset[int]:
        """See ``NumberRepository.taken_within``."""
        # Numbers are eight digits everywhere, so their order as text is their order as numbers.
        low, high = card_number(span.first), card_number(span.end - 1)
        taken: set[int] = set()
        for column in (AllottedNumberRow.number, MemberRow.earlier_card_number):
            taken.update(
                int(number)
                for number in self._session.scalars(
                    sa.select(column).where(column.between(low, high))
                )
                if number is not None
            )
        free = [card_number(each) for each in range(span.first, span.end) if each not in taken]
        retired = self._subjects.retired(
            [RetiredNumber(kind="card-number", number=each) for each in free]
        )
        return frozenset(taken | {int(each.number) for each in retired})

    def advance(self, block_id: BlockId, following: int) -> None:
        """See ``NumberRepository.advance``."""
        self._session.execute(
            sa.update(NumberBlockRow)
            .where(NumberBlockRow.id == block_id, NumberBlockRow.next <= following)
            .values(next=following)
            .execution_options(synchronize_session=False)
        )

    def keep(self, numbers: Sequence[AllottedNumber]) -> None:
        """See ``NumberRepository.keep``."""
        if not numbers:
            return
        try:
            self._session.execute(
                sa.insert(AllottedNumberRow),
                [
                    {
                        "number": each.number,
                        "block_id": each.block_id,
                        "request_id": each.request_id,
                        "member_id": each.member_id,
                        "at": each.at,
                    }
                    for each in numbers
                ],
            )
        except DATABASE_FAILURES as error:
            translated = database_error(error)
            if isinstance(translated, ConflictError):
                raise ConflictError(
                    "a card number was given out before", code="numbers.given-out-already"
                ) from error
            raise translated from error

    def given_out(self, numbers: Collection[CardNumber]) -> frozenset[CardNumber]:
        """See ``NumberRepository.given_out``."""
        # Behind this lock no allotment goes on, so what is not given out now is not while members take it.
        self._session.execute(sa.select(NumberStateRow.id).with_for_update(read=True))
        held = held_values(self._session, AllottedNumberRow.number, list(numbers))
        return frozenset(map(CardNumber, held))

    def count_given_out(self) -> int:
        """See ``NumberRepository.count_given_out``."""
        return self._session.scalar(sa.select(sa.func.count()).select_from(AllottedNumberRow)) or 0

    def _state(self, query: sa.Select[NumberStateRow]) -> NumberState | None:
        row = self._session.scalars(query.execution_options(populate_existing=True)).one_or_none()
        if row is None:
            return None
        return NumberState(register_id=row.register_id, allotments=row.allotments)

    def _flush(self) -> None:
        try:
            self._session.flush()
        except DATABASE_FAILURES as error:
            raise database_error(error) from error


def block_of_row(row: NumberBlockRow, committee: str) -> NumberBlock:
    """The row as a value."""
    return NumberBlock(
        block_id=BlockId(row.id),
        committee=OrganisationCode(committee),
        first=card_number(row.first),
        last=card_number(row.last),
        next=row.next,
        granted_at=row.granted_at,
        granted_by=AccountName(row.granted_by),
        held_by=row.held_by,
    )
