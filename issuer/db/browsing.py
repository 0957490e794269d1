"""Looking through the register in the database: keyset pages over plain columns (SQLAlchemy)."""

import heapq
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.domain.member import MemberId, Sex, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.vietnamese_text import fold, search_key
from issuer.services.browse_ports import (
    LinePosition,
    MemberLine,
    MemberLines,
    MemberSelection,
    OrganisationLine,
    OrganisationLines,
    Roots,
)

__all__ = ["SqlBrowsing"]

_FEW: Final = 300
"""Up to so many organisations each is walked by its own index; of more, members are met soon enough in the list's."""

_AFTER_ALL_LETTERS: Final = b"\xff"
_LINE: Final = (
    MemberRow.id,
    MemberRow.full_name,
    MemberRow.birth_date,
    MemberRow.sex,
    MemberRow.record_number,
    MemberRow.standing,
    OrganisationRow.code,
    OrganisationRow.name,
)
_Found = Any
"""A row of ``_LINE`` with the key that the list is ordered by."""


class SqlBrowsing:
    """Pages of the register, each read in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def members(
        self, selection: MemberSelection, *, limit: int, behind: LinePosition | None = None
    ) -> MemberLines:
        """Members in Vietnamese order of their names; where a name is looked for, by its folded words."""
        with self._database.reading() as session:
            conditions = self._conditions(session, selection)
            if conditions is None:
                rows: Sequence[_Found] = ()
            elif selection.name is None:
                rows = _walk(session, MemberRow.sort_key, conditions, limit, behind)
            else:
                rows = _look_up(session, selection.name, conditions, limit, behind)
        lines = tuple(_line(row) for row in rows[:limit])
        end = None
        if len(rows) > limit:
            end = LinePosition(rows[limit - 1][-1], lines[-1].member_id)
        return MemberLines(lines=lines, end=end)

    def organisations(
        self,
        *,
        above: OrganisationCode | None,
        roots: Roots,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> OrganisationLines:
        """The organisations directly below one; where none is named, those at which somebody's part begins."""
        query = (
            sa.select(OrganisationRow.id, OrganisationRow.code, OrganisationRow.name)
            .where(OrganisationRow.closed_on.is_(None))
            .order_by(OrganisationRow.code)
            .limit(limit + 1)
        )
        if above is not None:
            parent = sa.select(OrganisationRow.id).where(OrganisationRow.code == above)
            query = query.where(OrganisationRow.parent_id == parent.scalar_subquery())
        elif roots is None:
            query = query.where(OrganisationRow.parent_id.is_(None))
        else:
            query = query.where(OrganisationRow.code.in_(sorted(roots)))
        if behind is not None:
            query = query.where(OrganisationRow.code > behind)
        with self._database.reading() as session:
            rows = session.execute(query).all()
            shown = rows[:limit]
            ids = [row.id for row in shown]
            below = _counts(
                session, OrganisationRow.parent_id, ids, OrganisationRow.closed_on.is_(None)
            )
            members = _counts(
                session, MemberRow.organisation_id, ids, MemberRow.erased_at.is_(None)
            )
        return OrganisationLines(
            lines=tuple(
                OrganisationLine(
                    code=OrganisationCode(row.code),
                    name=row.name,
                    below=below.get(row.id, 0),
                    members=members.get(row.id, 0),
                )
                for row in shown
            ),
            end=OrganisationCode(shown[-1].code) if len(rows) > limit else None,
        )

    def standings(self, roots: Roots) -> Mapping[Standing, int]:
        """How many members are in which standing; without those that nobody is in."""
        query = (
            sa.select(MemberRow.standing, sa.func.count())
            .where(MemberRow.erased_at.is_(None))
            .group_by(MemberRow.standing)
        )
        if roots is not None:
            query = query.where(MemberRow.organisation_id.in_(_at_and_below(roots)))
        with self._database.reading() as session:
            return {Standing(name): count for name, count in session.execute(query)}

    def count_organisations(self, roots: Roots) -> int:
        """How many organisations there are."""
        query = (
            sa.select(sa.func.count())
            .select_from(OrganisationRow)
            .where(OrganisationRow.closed_on.is_(None))
        )
        if roots is not None:
            query = query.where(OrganisationRow.id.in_(_at_and_below(roots)))
        with self._database.reading() as session:
            return session.scalar(query) or 0

    def _conditions(
        self, session: Session, selection: MemberSelection
    ) -> list[sa.ColumnElement[bool]] | None:
        """What a line must fulfil; ``None`` where no line can."""
        # What is left of a member whose data was deleted is nobody any more.
        found: list[sa.ColumnElement[bool]] = [MemberRow.erased_at.is_(None)]
        if selection.standing is not None:
            found.append(MemberRow.standing == selection.standing.value)
        for codes in (
            selection.within,
            None if selection.organisation is None else frozenset({selection.organisation}),
        ):
            if codes is None:
                continue
            few = session.scalars(_at_and_below(codes).limit(_FEW + 1)).all()
            if not few:
                return None
            if len(few) <= _FEW:
                found.append(MemberRow.organisation_id.in_(few))
            else:
                found.append(self._unindexed_organisation().in_(_at_and_below(codes)))
        return found

    def _unindexed_organisation(self) -> sa.ColumnElement[uuid.UUID]:
        """The column as one by which SQLite does not look up, so that it walks the list's own order."""
        if not self._database.is_sqlite:
            return sa.type_coerce(MemberRow.organisation_id, sa.Uuid())
        return sa.literal_column("+members.organisation_id", sa.Uuid())


def _at_and_below(codes: frozenset[OrganisationCode]) -> sa.Select[tuple[uuid.UUID]]:
    tree = (
        sa.select(OrganisationRow.id)
        .where(OrganisationRow.code.in_(sorted(codes)))
        .cte("part", recursive=True)
    )
    lower = aliased(OrganisationRow, name="lower")
    # UNION, not UNION ALL: an organisation that was put above itself ends no walk otherwise.
    tree = tree.union(sa.select(lower.id).join(tree, lower.parent_id == tree.c.id))
    return sa.select(tree.c.id)


def _walk(
    session: Session,
    key: sa.orm.InstrumentedAttribute[bytes],
    conditions: Sequence[sa.ColumnElement[bool]],
    limit: int,
    behind: LinePosition | None,
) -> Sequence[_Found]:
    query = (
        sa.select(*_LINE, key)
        .join(OrganisationRow, MemberRow.organisation_id == OrganisationRow.id)
        .where(*conditions)
        .order_by(key, MemberRow.id)
        .limit(limit + 1)
    )
    if behind is not None:
        query = query.where(
            sa.tuple_(key, MemberRow.id)
            > sa.tuple_(sa.literal(behind.key), sa.literal(behind.member_id))
        )
    found: Sequence[Any] = session.execute(query).all()
    return found


def _look_up(
    session: Session,
    name: str,
    conditions: Sequence[sa.ColumnElement[bool]],
    limit: int,
    behind: LinePosition | None,
) -> Sequence[_Found]:
    """Each way of reading what was typed is one stretch of the index; two stretches are merged."""
    beginnings = sorted({search_key(name).encode(), fold(name).encode()} - {b""})
    if not beginnings:
        return ()
    if len(beginnings) == 2 and beginnings[1].startswith(beginnings[0]):
        del beginnings[1]
    stretches = [
        _walk(
            session,
            MemberRow.search_key,
            [
                *conditions,
                MemberRow.search_key >= each,
                MemberRow.search_key < each + _AFTER_ALL_LETTERS,
            ],
            limit,
            behind,
        )
        for each in beginnings
    ]
    merged = heapq.merge(*stretches, key=lambda row: (bytes(row[-1]), row[0].bytes))
    return list(merged)[: limit + 1]


def _counts(
    session: Session,
    column: Any,
    ids: Sequence[uuid.UUID],
    *conditions: sa.ColumnElement[bool],
) -> dict[uuid.UUID, int]:
    rows = session.execute(
        sa.select(column, sa.func.count()).where(column.in_(ids), *conditions).group_by(column)
    )
    return {row[0]: row[1] for row in rows}


def _line(row: _Found) -> MemberLine:
    return MemberLine(
        member_id=MemberId(row[0]),
        full_name=row[1],
        birth_date=row[2],
        sex=Sex(row[3]),
        record_number=row[4],
        standing=Standing(row[5]),
        organisation_code=OrganisationCode(row[6]),
        organisation_name=row[7],
    )
