"""The directory of members in the database: every page walks an index, whatever it is narrowed by."""

import heapq
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

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
"""Up to so many organisations are walked side by side; above, enough of the whole list belongs to them."""

_LOOKUP_SIZE: Final = 500
"""How many identifiers stand in one IN (...): far below the parameter limits of both databases."""

_BEHIND_EVERY_KEY: Final = b"\xff"
"""No UTF-8 text holds this byte, so a prefix with it behind is greater than whatever begins with the prefix."""

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
        walks = [
            [(key, member_id) for key, member_id in self._session.execute(query)]
            for query in self.walks(selection, limit=limit + 1, behind=behind)
        ]
        together = itertools.islice(heapq.merge(*walks), limit + 1)
        found = [DirectoryPosition(key, MemberId(member_id)) for key, member_id in together]
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

    def walks(
        self, selection: MemberSelection, *, limit: int, behind: DirectoryPosition | None
    ) -> list[sa.Select[bytes, UUID]]:
        """The queries for keys and identifiers whose outcomes, merged, are a page; each walks one index in order.

        A few organisations are walked one by one, each along its own stretch; otherwise there is one query.
        """
        few = None if selection.roots is None else self._few_below(selection.roots)
        key = self._key(selection, is_walked=few is None)
        conditions: list[sa.ColumnElement[bool]] = []
        if selection.name is not None:
            conditions += self._name_conditions(selection.name, key)
        if selection.standing is not None:
            conditions.append(MemberRow.standing == selection.standing.value)
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
        if few is not None and selection.name is not None:
            # Nobody's name of the whole country is looked at: the few organisations' own members are, all of them.
            return [query.where(MemberRow.organisation_id.in_(few))]
        if few is not None:
            return [query.where(MemberRow.organisation_id == each) for each in few]
        # The term is no column, so no index of organisations is taken and the order is that of the key.
        organisation_id = sa.func.coalesce(MemberRow.organisation_id, sa.null())
        return [query.where(organisation_id.in_(below(selection.roots)))]

    def _key(self, selection: MemberSelection, *, is_walked: bool) -> sa.ColumnElement[bytes]:
        """What the order goes by; a term that is no column where its index is not to be walked."""
        if selection.name is None:
            return MemberRow.sort_key.expression
        if is_walked:
            return MemberRow.search_key.expression
        return sa.func.coalesce(MemberRow.search_key, sa.null())

    def _few_below(self, roots: Collection[OrganisationCode]) -> Sequence[UUID] | None:
        """The organisations of a part of the tree, unless they are many."""
        query = below(roots).limit(_FEW_ORGANISATIONS + 1)
        ids = self._session.scalars(query).all()
        return ids if len(ids) <= _FEW_ORGANISATIONS else None

    def _name_conditions(
        self, name: NameQuestion, key: sa.ColumnElement[bytes]
    ) -> list[sa.ColumnElement[bool]]:
        prefix = name.given.encode()
        conditions: list[sa.ColumnElement[bool]] = [
            key >= prefix,
            key < prefix + _BEHIND_EVERY_KEY,
        ]
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        for word in name.others:
            # The given name stands first, so every other word has a space before it.
            part = sa.literal(b" " + word.encode(), sa.LargeBinary)
            where = sa.func.instr if is_sqlite else sa.func.pg_catalog.position
            conditions.append(where(MemberRow.search_key, part) > 0)
        return conditions

    def _lines(self, member_ids: Sequence[MemberId]) -> list[MemberLine]:
        return [
            _line(row) for row in self._session.execute(_LINES.where(MemberRow.id.in_(member_ids)))
        ]


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
