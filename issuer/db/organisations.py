"""The organisations of the register in the database: the tree of today, and that of any day before."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from issuer.db.base import insert_rows
from issuer.db.organisation_queries import below
from issuer.db.organisation_rows import (
    OrganisationRow,
    OrganisationVersionRow,
    organisation_of,
    version_of,
    version_values,
    words_of,
)
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.domain.organisation_history import (
    OrganisationAct,
    OrganisationChange,
    OrganisationVersion,
)
from issuer.errors import ConflictError, IssuerDataError
from issuer.services.organisation_ports import OrganisationPage

__all__ = ["OrganisationRow", "SqlOrganisationRepository"]

_PARENT = aliased(OrganisationRow, name="parent")
_SUCCESSOR = aliased(OrganisationRow, name="successor")
_NOW = sa.select(OrganisationRow, _PARENT.code).outerjoin(
    _PARENT, OrganisationRow.parent_id == _PARENT.id
)
_IS_OPEN = OrganisationRow.closed_on.is_(None)
_VERSIONS = (
    sa.select(OrganisationVersionRow, OrganisationRow.code, _PARENT.code, _SUCCESSOR.code)
    .join(OrganisationRow, OrganisationVersionRow.organisation_id == OrganisationRow.id)
    .outerjoin(_PARENT, OrganisationVersionRow.parent_id == _PARENT.id)
    .outerjoin(_SUCCESSOR, OrganisationVersionRow.successor_id == _SUCCESSOR.id)
)


def _open_on(
    version: type[OrganisationVersionRow], day: date
) -> tuple[sa.ColumnElement[bool], ...]:
    """That it was the version of this day, and that the organisation worked then."""
    return (
        sa.or_(version.valid_from.is_(None), version.valid_from <= day),
        sa.or_(version.valid_until.is_(None), version.valid_until > day),
        version.change.not_in([OrganisationChange.MERGED.value, OrganisationChange.CLOSED.value]),
    )


class SqlOrganisationRepository:
    """The organisations within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tree(self, *, as_of: date | None = None) -> OrganisationTree:
        """All that are open: today, or on a day."""
        if as_of is None:
            return OrganisationTree(self.all())
        return self._of_versions(_VERSIONS.where(*_open_on(OrganisationVersionRow, as_of)))

    def get(self, code: OrganisationCode) -> Organisation:
        """One organisation, open or closed, as it is or was last.

        Raises:
            IssuerDataError: there is none (``organisation.unknown``).
        """
        row = self._session.execute(_NOW.where(OrganisationRow.code == code)).one_or_none()
        if row is None:
            raise IssuerDataError(
                f"organisation {code} is not in the register", code="organisation.unknown"
            )
        return organisation_of(row[0], code=row[0].code, parent_code=row[1])

    def around(self, codes: Collection[OrganisationCode]) -> OrganisationTree:
        """Those of these organisations that are open, with all above them: enough for their ways up."""
        start = (
            sa.select(OrganisationRow.id, OrganisationRow.parent_id)
            .where(OrganisationRow.code.in_(codes), _IS_OPEN)
            .cte("around", recursive=True)
        )
        above = aliased(OrganisationRow)
        # UNION, not UNION ALL: what was reached once is not reached again, not even in a circle.
        reached = start.union(
            sa.select(above.id, above.parent_id).join(start, above.id == start.c.parent_id)
        )
        rows = self._session.execute(_NOW.where(OrganisationRow.id.in_(sa.select(reached.c.id))))
        return OrganisationTree(
            organisation_of(row, code=row.code, parent_code=parent_code)
            for row, parent_code in rows
        )

    def part(
        self,
        *,
        up_from: OrganisationCode,
        down_from: Collection[OrganisationCode],
        as_of: date,
    ) -> OrganisationTree:
        """See ``OrganisationRepository.part``."""
        version = aliased(OrganisationVersionRow)
        ids = self._ids({up_from, *down_from})
        upwards = (
            sa.select(version.organisation_id.label("id"), version.parent_id)
            .where(version.organisation_id == ids.get(up_from), *_open_on(version, as_of))
            .cte("upwards", recursive=True)
        )
        # UNION, not UNION ALL: what was reached once is not reached again, not even in a circle.
        upwards = upwards.union(
            sa.select(version.organisation_id, version.parent_id)
            .join(upwards, version.organisation_id == upwards.c.parent_id)
            .where(*_open_on(version, as_of))
        )
        downwards = (
            sa.select(version.organisation_id.label("id"))
            .where(
                version.organisation_id.in_([ids[each] for each in down_from if each in ids]),
                *_open_on(version, as_of),
            )
            .cte("downwards", recursive=True)
        )
        downwards = downwards.union(
            sa.select(version.organisation_id)
            .join(downwards, version.parent_id == downwards.c.id)
            .where(*_open_on(version, as_of))
        )
        reached = sa.union(sa.select(upwards.c.id), sa.select(downwards.c.id))
        return self._of_versions(
            _VERSIONS.where(
                OrganisationVersionRow.organisation_id.in_(reached),
                *_open_on(OrganisationVersionRow, as_of),
            )
        )

    def below(self, codes: Collection[OrganisationCode]) -> frozenset[OrganisationCode]:
        """Those of these organisations that are open, with all open ones below them."""
        part = below(codes)
        query = sa.select(OrganisationRow.code).where(OrganisationRow.id.in_(part), _IS_OPEN)
        return frozenset(OrganisationCode(code) for code in self._session.scalars(query))

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
        """All that are open, by code."""
        # Codes are ASCII, and ordered here: the collations of servers differ.
        found = [
            organisation_of(row, code=row.code, parent_code=parent_code)
            for row, parent_code in self._session.execute(_NOW.where(_IS_OPEN))
        ]
        return tuple(sorted(found, key=lambda organisation: organisation.code))

    def closed(self, codes: Collection[OrganisationCode]) -> frozenset[OrganisationCode]:
        """Those of these codes whose organisation was closed: a code is never given to another one."""
        wanted = set(codes)
        rows = self._session.scalars(sa.select(OrganisationRow.code).where(~_IS_OPEN))
        return frozenset(OrganisationCode(each) for each in rows if each in wanted)

    def page(
        self,
        *,
        limit: int,
        behind: OrganisationCode | None = None,
        under: OrganisationCode | None = None,
    ) -> OrganisationPage:
        """Open organisations by code; with ``under``, those directly below it."""
        query = _NOW.where(_IS_OPEN).order_by(OrganisationRow.code).limit(limit + 1)
        if under is not None:
            parent_id = sa.select(OrganisationRow.id).where(OrganisationRow.code == under)
            query = query.where(OrganisationRow.parent_id == parent_id.scalar_subquery())
        if behind is not None:
            query = query.where(OrganisationRow.code > behind)
        rows = self._session.execute(query).all()
        found = tuple(
            organisation_of(row, code=row.code, parent_code=parent_code)
            for row, parent_code in rows[:limit]
        )
        return OrganisationPage(
            organisations=found, end=found[-1].code if len(rows) > limit else None
        )

    def add(
        self,
        organisations: Sequence[Organisation],
        *,
        valid_from: Mapping[OrganisationCode, date] | None = None,
        act: OrganisationAct | None = None,
    ) -> None:
        """Store new organisations, parents before their children, each with its first version.

        Raises:
            ConflictError: a code is already there, or a parent is not.
        """
        codes = {each.code for each in organisations} | {
            each.parent_code for each in organisations if each.parent_code is not None
        }
        ids = self._ids(codes)
        days = valid_from or {}
        new: list[dict[str, object]] = []
        versions: list[dict[str, object]] = []
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
            new.append(
                {
                    "id": ids[organisation.code],
                    "code": organisation.code,
                    "name": organisation.name,
                    "words": words_of(organisation.name),
                    "parent_id": parent_id,
                    "level": organisation.level,
                    "committee_number": organisation.committee_number,
                    "closed_on": None,
                }
            )
            version = OrganisationVersion(
                number=1,
                organisation=organisation,
                valid_from=days.get(organisation.code),
                change=OrganisationChange.RECORDED,
                act=act,
            )
            versions.append(
                version_values(
                    version,
                    organisation_id=ids[organisation.code],
                    parent_id=parent_id,
                    successor_id=None,
                )
            )
        insert_rows(self._session, OrganisationRow, new)
        insert_rows(self._session, OrganisationVersionRow, versions)

    def current(self, code: OrganisationCode) -> OrganisationVersion:
        """The last version of an organisation, open or closed.

        Raises:
            IssuerDataError: there is no such organisation (``organisation.unknown``).
        """
        versions = self.history(code, limit=1)
        if not versions:
            raise IssuerDataError(
                f"organisation {code} is not in the register", code="organisation.unknown"
            )
        return versions[0]

    def history(
        self, code: OrganisationCode, *, limit: int, behind: int | None = None
    ) -> tuple[OrganisationVersion, ...]:
        """Versions, the newest first; ``behind`` is the number of the last one that was seen."""
        organisation_id = sa.select(OrganisationRow.id).where(OrganisationRow.code == code)
        query = (
            _VERSIONS.where(
                OrganisationVersionRow.organisation_id == organisation_id.scalar_subquery()
            )
            .order_by(OrganisationVersionRow.number.desc())
            .limit(limit)
        )
        if behind is not None:
            query = query.where(OrganisationVersionRow.number < behind)
        return tuple(
            version_of(row, code=code, parent_code=parent_code, successor=successor)
            for row, code, parent_code, successor in self._session.execute(query)
        )

    def rests_on(self, code: OrganisationCode, evidence: EvidenceDigest) -> bool:
        """Whether a version of this organisation rests on this document."""
        found = self._session.scalar(
            sa.select(OrganisationVersionRow.number)
            .join(OrganisationRow, OrganisationRow.id == OrganisationVersionRow.organisation_id)
            .where(OrganisationRow.code == code, OrganisationVersionRow.evidence == evidence)
            .limit(1)
        )
        return found is not None

    def change(self, version: OrganisationVersion) -> None:
        """Let another version begin: the one before it ends on the day on which this one begins.

        Raises:
            ConflictError: somebody else changed the organisation first (``organisation.changed``), or the one
                above or the successor is not there.
        """
        organisation = version.organisation
        related = {organisation.code, organisation.parent_code, version.successor} - {None}
        ids = self._ids({each for each in related if each is not None})
        missing = related - set(ids)
        if missing:
            raise ConflictError(f"organisation {missing.pop()} is not in the register")
        organisation_id = ids[organisation.code]
        parent_id = None if organisation.parent_code is None else ids[organisation.parent_code]
        successor_id = None if version.successor is None else ids[version.successor]
        ended = self._session.scalar(
            sa.update(OrganisationVersionRow)
            .where(
                OrganisationVersionRow.organisation_id == organisation_id,
                OrganisationVersionRow.number == version.number - 1,
                OrganisationVersionRow.valid_until.is_(None),
            )
            .values(valid_until=version.valid_from)
            .returning(OrganisationVersionRow.number)
            .execution_options(synchronize_session=False)
        )
        if ended is None:
            raise ConflictError(
                f"organisation {organisation.code} was changed by somebody else meanwhile",
                code="organisation.changed",
                hint="look at the organisation again, then decide",
            )
        insert_rows(
            self._session,
            OrganisationVersionRow,
            [
                version_values(
                    replace(version, valid_until=None),
                    organisation_id=organisation_id,
                    parent_id=parent_id,
                    successor_id=successor_id,
                )
            ],
        )
        self._session.execute(
            sa.update(OrganisationRow)
            .where(OrganisationRow.id == organisation_id)
            .values(
                name=organisation.name,
                words=words_of(organisation.name),
                parent_id=parent_id,
                level=organisation.level,
                committee_number=organisation.committee_number,
                closed_on=None if version.is_open else version.valid_from,
            )
            .execution_options(synchronize_session=False)
        )

    def days_of_change(self, *, since: date) -> tuple[date, ...]:
        """See ``OrganisationRepository.days_of_change``."""
        begun = sa.select(OrganisationVersionRow.valid_from).where(
            OrganisationVersionRow.valid_from > since,
            OrganisationVersionRow.change != OrganisationChange.RENAMED.value,
        )
        days = {each for each in self._session.scalars(begun.distinct()) if each is not None}
        return tuple(sorted(days))

    def _of_versions(
        self, query: sa.Select[OrganisationVersionRow, str, str, str]
    ) -> OrganisationTree:
        return OrganisationTree(
            organisation_of(row, code=code, parent_code=parent_code)
            for row, code, parent_code, _ in self._session.execute(query)
        )

    def _ids(self, codes: Collection[OrganisationCode]) -> dict[OrganisationCode, uuid.UUID]:
        ids: dict[OrganisationCode, uuid.UUID] = {}
        wanted = sorted(codes)
        for start in range(0, len(wanted), _LOOKUP_SIZE):
            part = wanted[start : start + _LOOKUP_SIZE]
            rows = self._session.execute(
                sa.select(OrganisationRow.code, OrganisationRow.id).where(
                    OrganisationRow.code.in_(part)
                )
            )
            ids.update((OrganisationCode(code), each) for code, each in rows)
        return ids


_LOOKUP_SIZE = 500
"""How many codes stand in one IN (...)."""
