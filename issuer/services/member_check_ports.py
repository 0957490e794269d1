"""Port of what people say of members without changing them: everything is as it is recorded."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import RecordNumber
from issuer.domain.rights import AccountName

__all__ = ["MemberChecks"]


class MemberChecks(Protocol):
    """Within one transaction; each method gives back of how many members it was noted."""

    def note(self, member_id: MemberId, *, version: int, account: AccountName, at: datetime) -> int:
        """Of one member, as they are at this version; of nobody where they are at another one."""

    def count_in(self, code: OrganisationCode) -> int:
        """How many ``note_in`` would note it of."""

    def note_in(self, code: OrganisationCode, *, account: AccountName, at: datetime) -> int:
        """Of everybody who is recorded in this organisation itself and is a member still."""

    def note_numbered(
        self, numbers: Collection[RecordNumber], *, account: AccountName, at: datetime
    ) -> int:
        """Of the members with these record numbers."""
