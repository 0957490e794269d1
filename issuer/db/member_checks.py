"""What people say of members without changing them, in the database."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.member_rows import MemberRow
from issuer.db.organisations import OrganisationRow
from issuer.domain.member import MemberId, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import RecordNumber
from issuer.domain.rights import AccountName

__all__ = ["SqlMemberChecks"]

_LOOKUP_SIZE: Final = 500
_FINAL: Final = sorted(each.value for each in Standing if each.is_final)


class SqlMemberChecks:
    """Implements ``MemberChecks`` within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note(self, member_id: MemberId, *, version: int, account: AccountName, at: datetime) -> int:
        """See ``MemberChecks.note``."""
        is_meant = sa.and_(MemberRow.id == member_id, MemberRow.version == version)
        return self._note(is_meant, account, at)

    def count_in(self, code: OrganisationCode) -> int:
        """See ``MemberChecks.count_in``."""
        query = sa.select(sa.func.count()).select_from(MemberRow)
        return self._session.scalar(query.where(_recorded_in(code), _NOT_ERASED)) or 0

    def note_in(self, code: OrganisationCode, *, account: AccountName, at: datetime) -> int:
        """See ``MemberChecks.note_in``."""
        return self._note(_recorded_in(code), account, at)

    def note_numbered(
        self, numbers: Collection[RecordNumber], *, account: AccountName, at: datetime
    ) -> int:
        """See ``MemberChecks.note_numbered``."""
        listed = list(numbers)
        return sum(
            self._note(
                MemberRow.record_number.in_(listed[start : start + _LOOKUP_SIZE]), account, at
            )
            for start in range(0, len(listed), _LOOKUP_SIZE)
        )

    def _note(self, condition: sa.ColumnElement[bool], account: AccountName, at: datetime) -> int:
        found = self._session.scalars(
            sa.update(MemberRow)
            .where(condition, _NOT_ERASED)
            .values(checked_at=at, checked_by=account)
            .returning(MemberRow.id)
            .execution_options(synchronize_session=False)
        )
        return len(found.all())


_NOT_ERASED: Final = MemberRow.erased_at.is_(None)


def _recorded_in(code: OrganisationCode) -> sa.ColumnElement[bool]:
    organisation = sa.select(OrganisationRow.id).where(OrganisationRow.code == code)
    return sa.and_(
        MemberRow.organisation_id == organisation.scalar_subquery(),
        MemberRow.standing.not_in(_FINAL),
    )
