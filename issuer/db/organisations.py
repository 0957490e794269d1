"""The organisations of the register in the database."""

import uuid
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from issuer.db.base import Base, insert_rows
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.errors import ConflictError, IssuerDataError

__all__ = ["OrganisationRow", "SqlOrganisationRepository"]


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

    def around(self, codes: Collection[OrganisationCode]) -> OrganisationTree:
        """Those of these organisations that there are, with all above them: enough for their ways up."""
        start = (
            sa.select(OrganisationRow.id, OrganisationRow.parent_id)
            .where(OrganisationRow.code.in_(codes))
            .cte("around", recursive=True)
        )
        above = aliased(OrganisationRow)
        # UNION, not UNION ALL: what was reached once is not reached again, not even in a circle.
        reached = start.union(
            sa.select(above.id, above.parent_id).join(start, above.id == start.c.parent_id)
        )
        parent = aliased(OrganisationRow)
        rows = self._session.execute(
            sa.select(OrganisationRow, parent.code)
            .outerjoin(parent, OrganisationRow.parent_id == parent.id)
            .where(OrganisationRow.id.in_(sa.select(reached.c.id)))
        )
        return OrganisationTree(_organisation(row, code) for row, code in rows)

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
            insert_rows(self._session, OrganisationRow, values)


def _organisation(row: OrganisationRow, parent_code: str | None) -> Organisation:
    return Organisation(
        code=OrganisationCode(row.code),
        name=row.name,
        parent_code=None if parent_code is None else OrganisationCode(parent_code),
        committee_number=row.committee_number,
    )
