"""Looking through the tree of organisations in the database, and counting what is in it (SQLAlchemy)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.domain.member import Standing
from issuer.domain.organisation import OrganisationCode
from issuer.services.browse_ports import (
    OrganisationLine,
    OrganisationLines,
    Roots,
)

__all__ = ["SqlBrowsing"]


class SqlBrowsing:
    """Pages and counts of the register, each read in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def find_organisations(
        self, words: Sequence[str], *, code: str, roots: Roots, limit: int
    ) -> tuple[OrganisationCode, ...]:
        """The open organisations whose name has words that begin with all of these, or whose code begins with this."""
        by_code = sa.func.lower(OrganisationRow.code).startswith(code.lower(), autoescape=True)
        by_name = sa.and_(
            sa.true(),
            *(OrganisationRow.words.contains(f" {each}", autoescape=True) for each in words),
        )
        query = (
            sa.select(OrganisationRow.code)
            .where(OrganisationRow.closed_on.is_(None), by_code | by_name if words else by_code)
            .order_by(
                sa.case((by_code, 0), else_=1),
                sa.func.length(OrganisationRow.words),
                OrganisationRow.code,
            )
            .limit(limit)
        )
        if roots is not None:
            query = query.where(OrganisationRow.id.in_(_at_and_below(roots)))
        with self._database.reading() as session:
            return tuple(OrganisationCode(each) for each in session.scalars(query))

    def standings(self, roots: Roots) -> Mapping[Standing, int]:
        """How many members are in which standing; without those that nobody is in."""
        # A deleted record has the empty key, which nobody else has: the index of standings alone is read.
        query = (
            sa.select(MemberRow.standing, sa.func.count())
            .where(MemberRow.sort_key > sa.literal(b""))
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
