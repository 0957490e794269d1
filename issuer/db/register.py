"""The register in the database: organisations and members (SQLAlchemy)."""

import contextlib
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from issuer.db.audit import SqlAuditTrail
from issuer.db.base import DATABASE_FAILURES, Base, Database, UtcDateTime, database_error
from issuer.domain.card_number import CardNumber
from issuer.domain.member import (
    Approval,
    IssueKind,
    Member,
    MemberId,
    MemberName,
    MemberState,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.vietnamese_text import sort_key
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.audit_ports import AuditTrail
from issuer.services.register_ports import (
    MemberNumbers,
    MemberPage,
    MemberRepository,
    OrganisationRepository,
    PagePosition,
    RegisterTransaction,
)

__all__ = [
    "MemberRow",
    "OrganisationRow",
    "SqlMemberRepository",
    "SqlOrganisationRepository",
    "SqlRegister",
]

_LOOKUP_SIZE = 500
"""How many numbers stand in one IN (...): far below the parameter limits of both databases."""


class OrganisationRow(Base):
    """One organisation."""

    __tablename__ = "organisations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(320))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("organisations.id"), index=True
    )
    committee_number: Mapped[str | None] = mapped_column(sa.String(2))


class MemberRow(Base):
    """One member; ``sort_key`` orders lists, and is bytes so that no collation of a server meddles."""

    __tablename__ = "members"
    __table_args__ = (
        sa.CheckConstraint("sex IN ('M', 'F')", name="sex"),
        sa.CheckConstraint("kind IN ('first-issue', 'exchange', 're-issue')", name="kind"),
        sa.CheckConstraint("ordinal BETWEEN 1 AND 99", name="ordinal"),
        sa.CheckConstraint(
            "(state = 'recorded' AND approved_at IS NULL AND approved_by IS NULL)"
            " OR (state = 'approved' AND approved_at IS NOT NULL AND approved_by IS NOT NULL)",
            name="state",
        ),
        sa.Index("ix_members_sort_key_id", "sort_key", "id"),
        sa.Index("ix_members_state_sort_key_id", "state", "sort_key", "id"),
        sa.Index("ix_members_organisation_id_sort_key_id", "organisation_id", "sort_key", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    card_number: Mapped[str] = mapped_column(sa.String(8), unique=True)
    record_number: Mapped[str] = mapped_column(sa.String(9), unique=True)
    citizen_number: Mapped[str] = mapped_column(sa.String(12), unique=True)
    full_name: Mapped[str] = mapped_column(sa.String(320))
    primary_name: Mapped[str] = mapped_column(sa.String(160))
    secondary_name: Mapped[str] = mapped_column(sa.String(160))
    sort_key: Mapped[bytes] = mapped_column(sa.LargeBinary(1024))
    birth_date: Mapped[date]
    sex: Mapped[str] = mapped_column(sa.String(1))
    place_of_birth: Mapped[str] = mapped_column(sa.String(320))
    home_town: Mapped[str] = mapped_column(sa.String(320))
    ethnic_group: Mapped[str] = mapped_column(sa.String(64))
    admission_date: Mapped[date]
    recognition_date: Mapped[date]
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    ordinal: Mapped[int] = mapped_column(sa.SmallInteger)
    portrait: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    portrait_source: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    state: Mapped[str] = mapped_column(sa.String(16))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str | None] = mapped_column(sa.String(200))


class SqlOrganisationRepository:
    """The organisations within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tree(self) -> OrganisationTree:
        """All of them."""
        return OrganisationTree(self.all())

    def get(self, code: OrganisationCode) -> Organisation:
        """One organisation.

        Raises:
            IssuerDataError: there is none (``organisation.unknown``).
        """
        parent = aliased(OrganisationRow)
        row = self._session.execute(
            sa.select(OrganisationRow, parent.code)
            .outerjoin(parent, OrganisationRow.parent_id == parent.id)
            .where(OrganisationRow.code == code)
        ).one_or_none()
        if row is None:
            raise IssuerDataError(
                f"organisation {code} is not in the register", code="organisation.unknown"
            )
        return _organisation(row[0], row[1])

    def issuing_committee(self, code: OrganisationCode) -> Organisation:
        """The top-most organisation above this one, or itself.

        Raises:
            IssuerDataError: there is none (``organisation.unknown``).
        """
        organisation = self.get(code)
        while organisation.parent_code is not None:
            organisation = self.get(organisation.parent_code)
        return organisation

    def all(self) -> tuple[Organisation, ...]:
        """All of them, by code."""
        rows = self._session.scalars(sa.select(OrganisationRow)).all()
        codes = {row.id: row.code for row in rows}
        found = [
            _organisation(row, None if row.parent_id is None else codes[row.parent_id])
            for row in rows
        ]
        return tuple(sorted(found, key=lambda organisation: organisation.code))

    def add(self, organisations: Sequence[Organisation]) -> None:
        """Store new organisations, parents before their children.

        Raises:
            ConflictError: a code is already there, or a parent is not.
        """
        ids = dict(self._session.execute(sa.select(OrganisationRow.code, OrganisationRow.id)).all())
        values: list[dict[str, object]] = []
        for organisation in organisations:
            parent_id = None
            if organisation.parent_code is not None:
                parent_id = ids.get(organisation.parent_code)
                if parent_id is None:
                    raise ConflictError(
                        f"parent {organisation.parent_code} of organisation {organisation.code} is not known"
                    )
            if organisation.code in ids:
                raise ConflictError(f"organisation {organisation.code} is already in the register")
            ids[organisation.code] = uuid.uuid4()
            values.append(
                {
                    "id": ids[organisation.code],
                    "code": organisation.code,
                    "name": organisation.name,
                    "parent_id": parent_id,
                    "committee_number": organisation.committee_number,
                }
            )
        if values:
            _execute(self._session, sa.insert(OrganisationRow), values)


class SqlMemberRepository:
    """The members within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, member_id: MemberId) -> Member:
        """One member.

        Raises:
            IssuerRefusedError: there is none (``member.unknown``).
        """
        row = self._session.execute(_SELECT.where(MemberRow.id == member_id)).one_or_none()
        if row is None:
            raise IssuerRefusedError(
                f"member {member_id} is not in the register", code="member.unknown"
            )
        return _member(*row)

    def find_by_card_number(self, card_number: CardNumber) -> Member | None:
        """The member who holds this card number."""
        row = self._session.execute(
            _SELECT.where(MemberRow.card_number == card_number)
        ).one_or_none()
        return None if row is None else _member(*row)

    def holders_of(self, numbers: Collection[MemberNumbers]) -> tuple[Member, ...]:
        """Every member who holds at least one of these numbers."""
        found: dict[uuid.UUID, Member] = {}
        wanted = list(numbers)
        for start in range(0, len(wanted), _LOOKUP_SIZE):
            part = wanted[start : start + _LOOKUP_SIZE]
            # One query a column: each walks its own unique index, where an OR of three may walk the table.
            for condition in (
                MemberRow.card_number.in_([each.card_number for each in part]),
                MemberRow.record_number.in_([each.record_number for each in part]),
                MemberRow.citizen_number.in_([each.citizen_number for each in part]),
            ):
                for row, code in self._session.execute(_SELECT.where(condition)):
                    found[row.id] = _member(row, code)
        return tuple(found.values())

    def add(self, members: Sequence[Member]) -> None:
        """Store new members, recorded and not approved.

        Raises:
            ConflictError: a number is already taken, or an organisation is not there.
        """
        codes = {member.statement.organisation_code for member in members}
        ids = dict(
            self._session.execute(
                sa.select(OrganisationRow.code, OrganisationRow.id).where(
                    OrganisationRow.code.in_(codes)
                )
            ).all()
        )
        for code in codes:
            if code not in ids:
                raise ConflictError(f"organisation {code} is not in the register")
        if members:
            # A Core insert of plain dictionaries is several times faster than building mapped objects.
            _execute(
                self._session,
                sa.insert(MemberRow),
                [_values(member, ids[member.statement.organisation_code]) for member in members],
            )

    def approve(self, member_ids: Collection[MemberId], approval: Approval) -> frozenset[MemberId]:
        """Record a decision for those of these members that are not approved yet; gives back who they were."""
        wanted = list(member_ids)
        approved: set[MemberId] = set()
        for start in range(0, len(wanted), _LOOKUP_SIZE):
            changed = self._session.scalars(
                sa.update(MemberRow)
                .where(
                    MemberRow.id.in_(wanted[start : start + _LOOKUP_SIZE]),
                    MemberRow.state == MemberState.RECORDED.value,
                )
                .values(
                    state=MemberState.APPROVED.value,
                    approved_by=approval.by,
                    approved_at=approval.at,
                )
                .returning(MemberRow.id)
                .execution_options(synchronize_session=False)
            )
            approved.update(MemberId(each) for each in changed)
        return frozenset(approved)

    def page(
        self,
        *,
        limit: int,
        behind: PagePosition | None = None,
        state: MemberState | None = None,
        organisation_code: OrganisationCode | None = None,
    ) -> MemberPage:
        """Members in Vietnamese order of their names (``issuer.domain.vietnamese_text.sort_key``)."""
        query = _SELECT.order_by(MemberRow.sort_key, MemberRow.id).limit(limit + 1)
        if state is not None:
            query = query.where(MemberRow.state == state.value)
        if organisation_code is not None:
            query = query.where(OrganisationRow.code == organisation_code)
        if behind is not None:
            query = query.where(
                sa.tuple_(MemberRow.sort_key, MemberRow.id)
                > sa.tuple_(sa.literal(behind.sort_key), sa.literal(behind.member_id))
            )
        rows = self._session.execute(query).all()
        members = tuple(_member(row, code) for row, code in rows[:limit])
        if len(rows) <= limit:
            return MemberPage(members=members, end=None)
        last = rows[limit - 1][0]
        return MemberPage(members=members, end=PagePosition(last.sort_key, MemberId(last.id)))

    def count(self, *, state: MemberState | None = None) -> int:
        """How many there are."""
        query = sa.select(sa.func.count()).select_from(MemberRow)
        if state is not None:
            query = query.where(MemberRow.state == state.value)
        return self._session.scalar(query) or 0


class SqlRegisterTransaction:
    """The repositories over one session."""

    def __init__(self, session: Session, *, is_writing: bool) -> None:
        self.members: MemberRepository = SqlMemberRepository(session)
        self.organisations: OrganisationRepository = SqlOrganisationRepository(session)
        self.audit: AuditTrail = SqlAuditTrail(session, is_writing=is_writing)


class SqlRegister:
    """The register in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def writing(self) -> Iterator[RegisterTransaction]:
        """One transaction: committed when the block ends, dropped when it raises."""
        with self._database.writing() as session:
            yield SqlRegisterTransaction(session, is_writing=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[RegisterTransaction]:
        """One transaction that only reads."""
        with self._database.reading() as session:
            yield SqlRegisterTransaction(session, is_writing=False)


_SELECT = sa.select(MemberRow, OrganisationRow.code).join(
    OrganisationRow, MemberRow.organisation_id == OrganisationRow.id
)


def _execute(session: Session, statement: sa.Insert, values: list[dict[str, object]]) -> None:
    try:
        session.execute(statement, values)
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def _organisation(row: OrganisationRow, parent_code: str | None) -> Organisation:
    return Organisation(
        code=OrganisationCode(row.code),
        name=row.name,
        parent_code=None if parent_code is None else OrganisationCode(parent_code),
        committee_number=row.committee_number,
    )


def _member(row: MemberRow, organisation_code: str) -> Member:
    approval = None
    if row.approved_at is not None and row.approved_by is not None:
        approval = Approval(by=row.approved_by, at=row.approved_at)
    return Member(
        member_id=MemberId(row.id),
        statement=MemberStatement(
            card_number=CardNumber(row.card_number),
            record_number=RecordNumber(row.record_number),
            citizen_number=CitizenNumber(row.citizen_number),
            name=MemberName(
                full=row.full_name, primary=row.primary_name, secondary=row.secondary_name
            ),
            birth_date=row.birth_date,
            sex=Sex(row.sex),
            place_of_birth=row.place_of_birth,
            home_town=row.home_town,
            ethnic_group=row.ethnic_group,
            admission_date=row.admission_date,
            recognition_date=row.recognition_date,
            organisation_code=OrganisationCode(organisation_code),
            kind=IssueKind(row.kind),
            ordinal=row.ordinal,
        ),
        portrait=PortraitDigest(row.portrait),
        portrait_source=PortraitDigest(row.portrait_source),
        recorded_at=row.recorded_at,
        approval=approval,
    )


def _values(member: Member, organisation_id: uuid.UUID) -> dict[str, object]:
    statement = member.statement
    return {
        "id": member.member_id,
        "card_number": statement.card_number,
        "record_number": statement.record_number,
        "citizen_number": statement.citizen_number,
        "full_name": statement.name.full,
        "primary_name": statement.name.primary,
        "secondary_name": statement.name.secondary,
        "sort_key": sort_key(statement.name.full),
        "birth_date": statement.birth_date,
        "sex": statement.sex.value,
        "place_of_birth": statement.place_of_birth,
        "home_town": statement.home_town,
        "ethnic_group": statement.ethnic_group,
        "admission_date": statement.admission_date,
        "recognition_date": statement.recognition_date,
        "organisation_id": organisation_id,
        "kind": statement.kind.value,
        "ordinal": statement.ordinal,
        "portrait": member.portrait,
        "portrait_source": member.portrait_source,
        "state": MemberState.RECORDED.value,
        "recorded_at": member.recorded_at,
        "approved_at": None,
        "approved_by": None,
    }
