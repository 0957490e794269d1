"""The directory of members in the database: every page walks an index, whatever it is narrowed by."""

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import unindexed
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals
from issuer.db.organisation_queries import below
from issuer.db.organisation_rows import OrganisationRow
from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId, Standing
from issuer.domain.member_search import NameQuestion, SearchQuestion
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import RecordNumber
from issuer.services.directory_ports import (
    DirectoryPage,
    DirectoryPosition,
    MemberLine,
    MemberSelection,
)

__all__ = ["SqlMemberDirectory"]

_FEW_ORGANISATIONS: Final = 64
"""Up to so many organisations are walked side by side."""

_SMALL_PART: Final = 20_000
"""Members of a part of the tree, up to which its list is read whole and sorted; of a larger one enough stand in any stretch
of the country's list, of which every 280th of 5.6 million is then one of the part's."""

_SMALL_JUDGED_PART: Final = 5_000
"""The same where each row has to be looked up in the table, because of a name or a standing."""

_LOOKUP_SIZE: Final = 500
"""How many identifiers stand in one IN (...): far below the parameter limits of both databases."""

_BEHIND_EVERY_KEY: Final = b"\xff"
"""No UTF-8 text holds this byte, so a prefix with it behind is greater than whatever begins with the prefix."""

_BY_BEGINNING: Final = _BEHIND_EVERY_KEY
"""Stands before the key of a member whose whole name begins as was asked: behind all who are found by the given name."""

_Row = sa.Row[UUID, str, date, str, str | None, str, str, int]
_LINES = sa.select(
    MemberRow.id,
    MemberRow.full_name,
    MemberRow.birth_date,
    MemberRow.record_number,
    MemberRow.earlier_card_number,
    OrganisationRow.code,
    MemberRow.standing,
    MemberRow.version,
).join(OrganisationRow, MemberRow.organisation_id == OrganisationRow.id)


class SqlMemberDirectory:
    """Implements ``MemberDirectory``."""

    def __init__(self, session: Session, seals: Callable[[], MemberSeals]) -> None:
        """``seals`` is asked only where a citizen number is looked for."""
        self._session = session
        self._seals = seals

    def page(
        self, selection: MemberSelection, *, limit: int, behind: DirectoryPosition | None = None
    ) -> DirectoryPage:
        """Members behind a position."""
        # The page is found in its index first; only its own rows are then looked up in the table.
        found: list[DirectoryPosition] = []
        for lead, walks in self.stretches(selection, limit=limit + 1, behind=behind):
            rows = [self._session.execute(query).all() for query in walks]
            found += [
                DirectoryPosition(lead + key, MemberId(member_id))
                for key, member_id in heapq.merge(*rows)
            ]
            if len(found) > limit:
                break
        shown = found[:limit]
        lines = {each.member_id: each for each in self._lines([each.member_id for each in shown])}
        return DirectoryPage(
            lines=tuple(lines[each.member_id] for each in shown),
            end=shown[-1] if len(found) > limit else None,
        )

    def several(self, member_ids: Collection[MemberId]) -> Mapping[MemberId, MemberLine]:
        """These members; those whose record was deleted are left out."""
        wanted, found = sorted(set(member_ids)), dict[MemberId, MemberLine]()
        for start in range(0, len(wanted), _LOOKUP_SIZE):
            query = _LINES.where(
                MemberRow.id.in_(wanted[start : start + _LOOKUP_SIZE]),
                MemberRow.erased_at.is_(None),
            )
            lines = map(_line, self._session.execute(query))
            found.update((each.member_id, each) for each in lines)
        return found

    def numbered(self, question: SearchQuestion) -> tuple[MemberLine, ...]:
        """Who has the number that is asked for; nobody where a name is."""
        if question.card_number is not None:
            condition = MemberRow.earlier_card_number == question.card_number
        elif question.record_number is not None:
            condition = MemberRow.record_number == question.record_number
        elif question.citizen_number is not None:
            digest = self._seals().citizen_number_digest(question.citizen_number)
            condition = MemberRow.citizen_number_digest == digest
        else:
            return ()
        return tuple(map(_line, self._session.execute(_LINES.where(condition))))

    def stretches(
        self, selection: MemberSelection, *, limit: int, behind: DirectoryPosition | None
    ) -> Iterator[tuple[bytes, list[sa.Select[bytes, UUID]]]]:
        """What a page is read from, one stretch after another, until it is full.

        Each is queries for keys and identifiers whose outcomes are merged, and the byte that leads these keys in a
        position. Who is asked for by name is found by the given name first, then by the beginning of the whole name.
        """
        part = self._part(selection)
        if selection.name is None:
            order = _Order(key=MemberRow.sort_key.expression)
            yield b"", self._walks(selection, part, order, limit=limit, behind=behind)
            return
        search_key, name_key = MemberRow.search_key.expression, MemberRow.name_key.expression
        if part.is_small:
            # Everybody of that name in the country is not walked for them.
            search_key, name_key = unindexed(search_key), unindexed(name_key)
        by_given_name = self._by_given_name(selection.name, search_key)
        if behind is None or not behind.key.startswith(_BY_BEGINNING):
            order = _Order(key=search_key, conditions=by_given_name)
            yield b"", self._walks(selection, part, order, limit=limit, behind=behind)
            behind = None
        else:
            behind = DirectoryPosition(behind.key.removeprefix(_BY_BEGINNING), behind.member_id)
        is_new = sa.not_(sa.and_(*by_given_name))
        order = _Order(
            key=name_key, conditions=(*_begins(name_key, selection.name.beginning), is_new)
        )
        yield _BY_BEGINNING, self._walks(selection, part, order, limit=limit, behind=behind)

    def _walks(
        self,
        selection: MemberSelection,
        part: "_Part",
        order: "_Order",
        *,
        limit: int,
        behind: DirectoryPosition | None,
    ) -> list[sa.Select[bytes, UUID]]:
        key, conditions = order.key, list(order.conditions)
        if selection.standing is not None:
            is_whole = part.walked is None and not part.is_small
            standing = MemberRow.standing.expression
            conditions.append(
                (standing if is_whole else unindexed(standing)) == selection.standing.value
            )
        if behind is None:
            # A deleted record has the empty key, which nobody else has: it is left out within the index.
            conditions.append(key > sa.literal(b""))
        else:
            conditions.append(
                sa.tuple_(key, MemberRow.id)
                > sa.tuple_(sa.literal(behind.key), sa.literal(behind.member_id))
            )
        query = sa.select(key, MemberRow.id).where(*conditions)
        query = query.order_by(key, MemberRow.id).limit(limit)
        if selection.roots is None:
            return [query]
        if part.walked is not None:
            return [query.where(MemberRow.organisation_id == each) for each in part.walked]
        if part.is_small:
            return [self._of_part(selection.roots, key, conditions, limit)]
        # No index of organisations is taken, so that the order is that of the key.
        organisation_id = unindexed(MemberRow.organisation_id.expression)
        # Behind IS TRUE it is no join: PostgreSQL hashes the part once, and would walk it for each row otherwise.
        return [query.where(organisation_id.in_(below(selection.roots)).is_(sa.true()))]

    def _part(self, selection: MemberSelection) -> "_Part":
        """How the members of the organisations that are asked for are best read."""
        if selection.roots is None:
            return _Part(walked=None, is_small=False)
        query = below(selection.roots).limit(_FEW_ORGANISATIONS + 1)
        few = self._session.scalars(query).all()
        walked = few if len(few) <= _FEW_ORGANISATIONS and selection.name is None else None
        if walked is not None and selection.standing is None:
            return _Part(walked=walked, is_small=False)
        is_judged = selection.name is not None or selection.standing is not None
        most = _SMALL_JUDGED_PART if is_judged else _SMALL_PART
        rows = self._of_part(selection.roots, MemberRow.sort_key.expression, [], most + 1)
        members = sa.select(sa.func.count()).select_from(rows.order_by(None).subquery())
        is_small = (self._session.scalar(members) or 0) <= most
        return _Part(walked=walked if is_small else None, is_small=is_small)

    def _of_part(
        self,
        roots: Collection[OrganisationCode],
        key: sa.ColumnElement[bytes],
        conditions: Sequence[sa.ColumnElement[bool]],
        limit: int,
    ) -> sa.Select[bytes, UUID]:
        """The first members of organisations, each of which is looked up in the index of organisations."""
        if _is_sqlite(self._session):
            # The list of the country is not walked for them.
            query = sa.select(key, MemberRow.id).where(
                MemberRow.organisation_id.in_(below(roots)), *conditions
            )
            return query.order_by(unindexed(key), MemberRow.id).limit(limit)
        tree = below(roots).subquery("part")
        its_own = (
            sa.select(key.label("key"), MemberRow.id)
            .where(MemberRow.organisation_id == tree.c.id, *conditions)
            .order_by(key, MemberRow.id)
            .limit(limit)
            .lateral("its_own")
        )
        found = sa.select(its_own.c.key, its_own.c.id).select_from(tree.join(its_own, sa.true()))
        return found.order_by(its_own.c.key, its_own.c.id).limit(limit)

    def _by_given_name(
        self, name: NameQuestion, key: sa.ColumnElement[bytes]
    ) -> list[sa.ColumnElement[bool]]:
        conditions = _begins(key, name.given)
        where = sa.func.instr if _is_sqlite(self._session) else sa.func.pg_catalog.position
        for word in name.others:
            # The given name stands first, so every other word has a space before it.
            part = sa.literal(b" " + word.encode(), sa.LargeBinary)
            conditions.append(where(MemberRow.search_key, part) > 0)
        return conditions

    def _lines(self, member_ids: Sequence[MemberId]) -> list[MemberLine]:
        return [
            _line(row) for row in self._session.execute(_LINES.where(MemberRow.id.in_(member_ids)))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a list goes by, and whom it leaves out."""

    key: sa.ColumnElement[bytes]
    conditions: Sequence[sa.ColumnElement[bool]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """How a part of the tree is read: its organisations one by one, or together if it is small."""

    walked: Sequence[UUID] | None
    is_small: bool


def _begins(key: sa.ColumnElement[bytes], text: str) -> list[sa.ColumnElement[bool]]:
    prefix = text.encode()
    return [key >= prefix, key < prefix + _BEHIND_EVERY_KEY]


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _line(row: _Row) -> MemberLine:
    member_id, full_name, birth_date, record_number, earlier, code, standing, version = row
    return MemberLine(
        member_id=MemberId(member_id),
        full_name=full_name,
        birth_date=birth_date,
        record_number=RecordNumber(record_number),
        earlier_card_number=None if earlier is None else CardNumber(earlier),
        organisation_code=OrganisationCode(code),
        standing=Standing(standing),
        version=version,
    )
