"""The members of the register in the database."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from issuer.db.base import DATABASE_FAILURES, database_error, insert_rows
from issuer.db.bulk import driver_columns, ids_where, insert_columns
from issuer.db.member_changes import MemberChangeRow, change_of, change_values
from issuer.db.member_rows import MemberRow, member_columns, member_of, statement_columns
from issuer.db.member_seals import MemberSeals
from issuer.db.organisations import OrganisationRow
from issuer.db.request_tables import RequestRow
from issuer.db.subjects import SqlSubjectRepository
from issuer.domain.card_number import CardNumber
from issuer.domain.data_subjects import numbers_to_retire
from issuer.domain.member import Member, MemberId
from issuer.domain.member_change import ChangeKind, EvidenceDigest, FieldChange, MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.domain.organisation_history import OrganisationAct
from issuer.domain.requests import NUMBERED_STATES
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.import_ports import Likeness
from issuer.services.register_ports import (
    HistoryPage,
    HistoryPosition,
    MemberNumbers,
    MemberPage,
    PagePosition,
    SealedMembers,
)

__all__ = ["SqlMemberRepository"]

_Value = TypeVar("_Value")
_LOOKUP_SIZE = 500
"""How many numbers stand in one IN (...): far below the parameter limits of both databases."""

_ORGANISATION = MemberColumn.ORGANISATION_CODE
_SERVED_IN = MemberColumn.SERVED_IN
_SERVING = aliased(OrganisationRow, name="serving")
_SELECT = (
    sa.select(MemberRow, OrganisationRow.code, _SERVING.code)
    .join(OrganisationRow, MemberRow.organisation_id == OrganisationRow.id)
    .outerjoin(_SERVING, MemberRow.served_in_id == _SERVING.id)
    # A deleted record keeps its row for what hangs on it, and is no member's any more.
    .where(MemberRow.erased_at.is_(None))
)


class SqlMemberRepository:
    """The members within one session."""

    def __init__(self, session: Session, seals: Callable[[], MemberSeals]) -> None:
        """``seals`` is asked when the first sealed column is read or written, and not before."""
        self._session = session
        self._seals = seals

    def get(self, member_id: MemberId) -> Member:
        """One member.

        Raises:
            IssuerRefusedError: there is none (``member.unknown``).
        """
        found = self._one(MemberRow.id == member_id)
        if found is None:
            raise IssuerRefusedError(
                f"member {member_id} is not in the register", code="member.unknown"
            )
        return found

    def several(self, member_ids: Collection[MemberId]) -> tuple[Member, ...]:
        """Those of these members who are in the register."""
        return tuple(
            member for part in _in_parts(member_ids) for member in self._all(MemberRow.id.in_(part))
        )

    def find_by_card_number(self, card_number: CardNumber) -> Member | None:
        """The member who holds this card number: from elsewhere, or by a decision here."""
        numbered = sa.select(RequestRow.member_id).where(
            RequestRow.card_number == card_number,
            RequestRow.state.in_([state.value for state in NUMBERED_STATES]),
        )
        return self._one(
            (MemberRow.earlier_card_number == card_number) | MemberRow.id.in_(numbered)
        )

    def holders_of(self, numbers: Collection[MemberNumbers]) -> tuple[Member, ...]:
        """Every member who holds at least one of these numbers."""
        seals = self._seals()
        # One query a column: each walks its own unique index, where an OR of them may walk the table.
        found: set[uuid.UUID] = set()
        for column, values in (
            (
                MemberRow.earlier_card_number,
                [each.earlier_card_number for each in numbers if each.earlier_card_number],
            ),
            (MemberRow.record_number, [each.record_number for each in numbers]),
            (
                MemberRow.citizen_number_digest,
                [seals.citizen_number_digest(each.citizen_number) for each in numbers],
            ),
        ):
            found |= ids_where(self._session, column, values)
        return self._with_ids(found)

    def alike(self, likenesses: Collection[Likeness]) -> tuple[Member, ...]:
        """Every member who may be one of these people: the same folded name and date of birth."""
        seals = self._seals()
        digests = [seals.likeness_digest(each.full_name, each.birth_date) for each in likenesses]
        return self._with_ids(ids_where(self._session, MemberRow.likeness_digest, digests))

    def sealed(self, members: Sequence[Member]) -> SealedMembers:
        """See ``MemberRepository.sealed``."""
        statements = [member.statement for member in members]
        ids = self._organisation_ids(
            code
            for each in statements
            for code in (each.organisation_code, each.served_in)
            if code is not None
        )
        columns: dict[str, Sequence[object]] = {
            **member_columns(members, self._seals()),
            "organisation_id": [ids[each.organisation_code] for each in statements],
            "served_in_id": [
                None if each.served_in is None else ids[each.served_in] for each in statements
            ],
        }
        return SealedMembers(
            members=members, columns=driver_columns(self._session, MemberRow, columns)
        )

    def add(self, members: Sequence[Member] | SealedMembers) -> None:
        """Store new members.

        Raises:
            ConflictError: a number is already taken, or an organisation is not there.
            IssuerRefusedError: a number was a deleted member's (``number.retired``).
        """
        sealed = members if isinstance(members, SealedMembers) else self.sealed(members)
        if not sealed.members:
            return
        # Whoever writes first marks the register with its keys, wherever the members were sealed.
        self._seals()
        retired = SqlSubjectRepository(self._session, self._seals).retired(
            number for member in sealed.members for number in numbers_to_retire(member.statement)
        )
        if retired:
            raise IssuerRefusedError(
                f"a {retired[0].kind.replace('-', ' ')} was that of somebody whose record was deleted, "
                "and is given to nobody else",
                code="number.retired",
            )
        insert_columns(self._session, MemberRow, sealed.columns)

    def page(
        self,
        *,
        limit: int,
        behind: PagePosition | None = None,
        organisation_code: OrganisationCode | None = None,
    ) -> MemberPage:
        """Members in Vietnamese order of their names (``issuer.domain.vietnamese_text.sort_key``)."""
        query = _SELECT.order_by(MemberRow.sort_key, MemberRow.id).limit(limit + 1)
        if organisation_code is not None:
            organisation_id = sa.select(OrganisationRow.id).where(
                OrganisationRow.code == organisation_code
            )
            query = query.where(MemberRow.organisation_id == organisation_id.scalar_subquery())
        if behind is not None:
            query = query.where(
                sa.tuple_(MemberRow.sort_key, MemberRow.id)
                > sa.tuple_(sa.literal(behind.sort_key), sa.literal(behind.member_id))
            )
        rows = self._session.execute(query).all()
        members = tuple(self._member(row) for row in rows[:limit])
        if len(rows) <= limit:
            return MemberPage(members=members, end=None)
        last = rows[limit - 1][0]
        return MemberPage(members=members, end=PagePosition(last.sort_key, MemberId(last.id)))

    def count(self) -> int:
        """How many there are."""
        query = (
            sa.select(sa.func.count()).select_from(MemberRow).where(MemberRow.erased_at.is_(None))
        )
        return self._session.scalar(query) or 0

    def change(self, member: Member, changes: Sequence[MemberChange]) -> None:
        """Store what a member is now, with what changed; ``member.version`` is one more than what is stored.

        Raises:
            ConflictError: somebody else changed the member first (``member.changed``), a number is taken, or
                an organisation is not there.
        """
        statement = member.statement
        seals = self._seals()
        ids = self._organisation_ids(
            code for code in (statement.organisation_code, statement.served_in) if code is not None
        )
        columns = statement_columns([member.member_id], [statement], seals)
        values = {
            **{column: value for column, (value,) in columns.items()},
            "organisation_id": ids[statement.organisation_code],
            "served_in_id": None if statement.served_in is None else ids[statement.served_in],
        }
        try:
            found = self._session.scalar(
                sa.update(MemberRow)
                .where(MemberRow.id == member.member_id, MemberRow.version == member.version - 1)
                .values(
                    **values,
                    portrait=member.portrait,
                    portrait_source=member.portrait_source,
                    version=member.version,
                )
                .returning(MemberRow.id)
                .execution_options(synchronize_session=False)
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        if found is None:
            raise ConflictError(
                f"member {member.member_id} was changed by somebody else since version {member.version - 1}",
                code="member.changed",
                hint="look at the member again, then decide",
            )
        insert_rows(
            self._session, MemberChangeRow, [change_values(each, seals) for each in changes]
        )

    def count_in(self, code: OrganisationCode) -> int:
        """How many members are recorded in this organisation, or served there."""
        organisation_id = self._organisation_ids([code])[code]
        return sum(
            self._session.scalar(
                sa.select(sa.func.count())
                .select_from(MemberRow)
                .where(column == organisation_id, MemberRow.erased_at.is_(None))
            )
            or 0
            for column in (MemberRow.organisation_id, MemberRow.served_in_id)
        )

    def recorded_in(self, code: OrganisationCode) -> Sequence[MemberId]:
        """See ``MemberRepository.recorded_in``."""
        found = self._session.scalars(
            sa.select(MemberRow.id)
            .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
            .where(OrganisationRow.code == code, MemberRow.erased_at.is_(None))
            .order_by(MemberRow.id)
        )
        return [MemberId(each) for each in found]

    def move_all(
        self, code: OrganisationCode, to: OrganisationCode, *, on: date, act: OrganisationAct
    ) -> int:
        """Let all members of an organisation be recorded, or served, in another one; gives back how many.

        Each gets the next version, and its line of history.
        """
        ids = self._organisation_ids([code, to])
        old, new = ids[code], ids[to]
        is_new = MemberRow.organisation_id == new
        recorded = self._moved(MemberRow.organisation_id == old, {MemberRow.organisation_id: new})
        lines = [
            *((each, FieldChange(column=_ORGANISATION, old=code, new=to)) for each in recorded),
            # Who is recorded now where they are served is served at home.
            *(
                (each, FieldChange(column=_SERVED_IN, old=to, new=None))
                for each in self._moved(
                    sa.and_(is_new, MemberRow.served_in_id == new),
                    {MemberRow.served_in_id: None},
                    is_same_act=True,
                )
            ),
            *(
                (each, FieldChange(column=_SERVED_IN, old=code, new=None))
                for each in self._moved(
                    sa.and_(is_new, MemberRow.served_in_id == old), {MemberRow.served_in_id: None}
                )
            ),
            *(
                (each, FieldChange(column=_SERVED_IN, old=code, new=to))
                for each in self._moved(
                    MemberRow.served_in_id == old, {MemberRow.served_in_id: new}
                )
            ),
        ]
        seals = self._seals()
        changes = [
            MemberChange(
                member_id=MemberId(member_id),
                version=version,
                at=act.at,
                account=act.account,
                kind=ChangeKind.EVENT,
                effective=on,
                reason=act.reason,
                evidence=act.evidence,
                change=change,
            )
            for (member_id, version), change in lines
        ]
        insert_rows(
            self._session, MemberChangeRow, [change_values(each, seals) for each in changes]
        )
        return len({each.member_id for each in changes})

    def _moved(
        self,
        condition: sa.ColumnElement[bool],
        values: Mapping[InstrumentedAttribute[Any], object],
        *,
        is_same_act: bool = False,
    ) -> list[tuple[uuid.UUID, int]]:
        """Change some members; gives back who they are, with the version that each has now."""
        version = MemberRow.version if is_same_act else MemberRow.version + 1
        rows = self._session.execute(
            sa.update(MemberRow)
            .where(condition, MemberRow.erased_at.is_(None))
            .values({**values, MemberRow.version: version})
            .returning(MemberRow.id, MemberRow.version)
            .execution_options(synchronize_session=False)
        )
        return [(member_id, number) for member_id, number in rows]

    def history(
        self, member_id: MemberId, *, limit: int, behind: HistoryPosition | None = None
    ) -> HistoryPage:
        """What changed, the newest first."""
        query = (
            sa.select(MemberChangeRow)
            .where(MemberChangeRow.member_id == member_id)
            .order_by(MemberChangeRow.version.desc(), MemberChangeRow.column.desc())
            .limit(limit + 1)
        )
        if behind is not None:
            query = query.where(
                sa.tuple_(MemberChangeRow.version, MemberChangeRow.column)
                < sa.tuple_(sa.literal(behind.version), sa.literal(behind.column.value))
            )
        rows = self._session.scalars(query).all()
        changes = tuple(change_of(row, self._seals()) for row in rows[:limit])
        if len(rows) <= limit:
            return HistoryPage(changes=changes, end=None)
        last = changes[-1]
        return HistoryPage(changes=changes, end=HistoryPosition(last.version, last.change.column))

    def rests_on(self, member_id: MemberId, evidence: EvidenceDigest) -> bool:
        """See ``MemberRepository.rests_on``."""
        found = self._session.scalar(
            sa.select(MemberChangeRow.version)
            .where(MemberChangeRow.member_id == member_id, MemberChangeRow.evidence == evidence)
            .limit(1)
        )
        return found is not None

    def _one(self, condition: sa.ColumnElement[bool]) -> Member | None:
        row = self._session.execute(_SELECT.where(condition)).one_or_none()
        return None if row is None else self._member(row)

    def _all(self, condition: sa.ColumnElement[bool]) -> Iterable[Member]:
        return map(self._member, self._session.execute(_SELECT.where(condition)))

    def _with_ids(self, ids: Collection[uuid.UUID]) -> tuple[Member, ...]:
        return tuple(
            member for part in _in_parts(ids) for member in self._all(MemberRow.id.in_(part))
        )

    def _member(self, row: sa.Row[MemberRow, str, str]) -> Member:
        # An outer join gives nothing where nobody serves the member, which its type does not say.
        member, code, serving = row
        return member_of(member, self._seals(), organisation_code=code, served_in=serving)

    def _organisation_ids(self, codes: Iterable[OrganisationCode]) -> dict[str, uuid.UUID]:
        wanted = set(codes)
        ids: dict[str, uuid.UUID] = {}
        for part in _in_parts(wanted):
            ids.update(
                self._session.execute(
                    sa.select(OrganisationRow.code, OrganisationRow.id).where(
                        OrganisationRow.code.in_(part)
                    )
                ).all()
            )
        for code in wanted:
            if code not in ids:
                raise ConflictError(f"organisation {code} is not in the register")
        return ids


def _in_parts(values: Collection[_Value]) -> Iterable[list[_Value]]:
    listed = list(values)
    for start in range(0, len(listed), _LOOKUP_SIZE):
        yield listed[start : start + _LOOKUP_SIZE]
