"""What waits for another administrator, in the database."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.people_tables import AccountProposalRow, AccountRow
from issuer.domain.account import Account, AccountId
from issuer.domain.account_proposal import AccountAct, AccountProposal, ProposalNumber
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.errors import IssuerRefusedError

__all__ = ["SqlAccountProposals"]

_MOST = 2**63 - 1


class SqlAccountProposals:
    """See ``issuer.services.people_ports.AccountProposalRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        account: Account,
        act: AccountAct,
        *,
        assignment: Assignment | None,
        by: AccountName,
        at: datetime,
    ) -> AccountProposal:
        """See ``AccountProposalRepository``."""
        row = AccountProposalRow(
            account_id=account.account_id,
            act=act.value,
            role=None if assignment is None else assignment.role.value,
            organisation=None if assignment is None else assignment.organisation,
            proposed_by=by,
            proposed_at=at,
        )
        self._remove(
            AccountProposalRow.account_id == row.account_id,
            AccountProposalRow.act == row.act,
            AccountProposalRow.role.is_not_distinct_from(row.role),
            AccountProposalRow.organisation.is_not_distinct_from(row.organisation),
        )
        self._session.add(row)
        self._session.flush()
        return _proposal(row, account.name)

    def all(self) -> tuple[AccountProposal, ...]:
        """See ``AccountProposalRepository``."""
        return tuple(
            _proposal(row, AccountName(name))
            for row, name in self._session.execute(_WITH_NAMES.order_by(AccountProposalRow.id))
        )

    def get(self, number: ProposalNumber) -> AccountProposal:
        """See ``AccountProposalRepository``."""
        found = (
            self._session.execute(_WITH_NAMES.where(AccountProposalRow.id == number)).one_or_none()
            if 0 < number <= _MOST
            else None
        )
        if found is None:
            raise IssuerRefusedError(f"no proposal {number} waits", code="account.proposal-unknown")
        row, name = found
        return _proposal(row, AccountName(name))

    def remove(self, number: ProposalNumber) -> None:
        """See ``AccountProposalRepository``."""
        self._remove(AccountProposalRow.id == number)

    def remove_of(self, account_id: AccountId) -> None:
        """See ``AccountProposalRepository``."""
        self._remove(AccountProposalRow.account_id == account_id)

    def remove_before(self, moment: datetime) -> None:
        """See ``AccountProposalRepository``."""
        self._remove(AccountProposalRow.proposed_at < moment)

    def _remove(self, *conditions: sa.ColumnElement[bool]) -> None:
        self._session.execute(
            sa.delete(AccountProposalRow)
            .where(*conditions)
            .execution_options(synchronize_session=False)
        )


_WITH_NAMES = (
    sa.select(AccountProposalRow, AccountRow.name)
    .join(AccountRow, AccountRow.id == AccountProposalRow.account_id)
    .execution_options(populate_existing=True)
)


def _proposal(row: AccountProposalRow, account: AccountName) -> AccountProposal:
    return AccountProposal(
        number=ProposalNumber(row.id),
        account=account,
        act=AccountAct(row.act),
        assignment=None
        if row.role is None
        else Assignment(
            role=Role(row.role),
            organisation=None if row.organisation is None else OrganisationCode(row.organisation),
        ),
        proposed_by=AccountName(row.proposed_by),
        proposed_at=row.proposed_at,
    )
