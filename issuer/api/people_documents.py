"""What programs read and send of accounts, their roles, and what waits for another administrator."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from issuer.domain.account import MAX_PASSWORD_BYTES, Account, AccountState
from issuer.domain.account_proposal import AccountAct, AccountProposal
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Assignment, Role

__all__ = [
    "AccountBody",
    "AccountChangeDocument",
    "AccountDocument",
    "AccountPageDocument",
    "AssignmentDocument",
    "PasswordBody",
    "PersonDocument",
    "ProposalDocument",
    "ProposalPageDocument",
    "SettledProposalDocument",
    "assignment_of",
]

_Name = Annotated[str, Field(min_length=2, max_length=64, examples=["an.nguyen"])]
_GIVEN = (
    "Provisional: its owner sets another one at the first log-in. It is kept nowhere but hashed."
)
_Password = Annotated[
    SecretStr, Field(min_length=1, max_length=MAX_PASSWORD_BYTES, description=_GIVEN)
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AssignmentDocument(_Body):
    """A role for one organisation and all below it; for the whole register where none is named."""

    role: Role
    organisation: str | None = Field(default=None, min_length=1, max_length=32, examples=["P-01"])

    @classmethod
    def of(cls, assignment: Assignment) -> "AssignmentDocument":
        """The document of an assignment."""
        return cls(role=assignment.role, organisation=assignment.organisation)


def assignment_of(document: AssignmentDocument) -> Assignment:
    """What a program means.

    Raises:
        IssuerDataError: ``organisation.code-malformed``.
    """
    code = document.organisation
    return Assignment(
        role=document.role, organisation=None if code is None else parse_organisation_code(code)
    )


class AccountBody(_Body):
    """A new account; without ``password`` another service says who its owner is."""

    account: _Name
    assignments: list[AssignmentDocument] = Field(default_factory=list, max_length=64)
    password: _Password | None = None


class PasswordBody(_Body):
    """A password to set, where one is."""

    password: _Password | None = None


class AccountDocument(BaseModel):
    """Somebody who may log in."""

    account: str = Field(examples=["an.nguyen"])
    state: AccountState
    assignments: list[AssignmentDocument]
    has_password: bool
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> "AccountDocument":
        """The document of an account."""
        return cls(
            account=account.name,
            state=account.state,
            assignments=[AssignmentDocument.of(each) for each in account.assignments],
            has_password=account.password is not None,
            created_at=account.created_at,
        )


class AccountPageDocument(BaseModel):
    """By name."""

    people: list[AccountDocument]
    next: str | None = None


class ProposalDocument(BaseModel):
    """What one administrator proposed, and another one confirms."""

    number: int = Field(ge=1)
    account: str = Field(examples=["binh.le"])
    act: AccountAct
    assignment: AssignmentDocument | None = None
    proposed_by: str = Field(examples=["admin"])
    proposed_at: datetime

    @classmethod
    def of(cls, proposal: AccountProposal) -> "ProposalDocument":
        """The document of a proposal."""
        given = proposal.assignment
        return cls(
            number=proposal.number,
            account=proposal.account,
            act=proposal.act,
            assignment=None if given is None else AssignmentDocument.of(given),
            proposed_by=proposal.proposed_by,
            proposed_at=proposal.proposed_at,
        )


class ProposalPageDocument(BaseModel):
    """The oldest first."""

    proposals: list[ProposalDocument]
    next: str | None = None


class PersonDocument(AccountDocument):
    """One account, and what waits for another administrator with it."""

    proposals: list[ProposalDocument] = Field(default_factory=list)

    @classmethod
    def with_proposals(
        cls, account: Account, proposals: Sequence[AccountProposal]
    ) -> "PersonDocument":
        """The document of one account."""
        return cls(
            **AccountDocument.of(account).model_dump(),
            proposals=[ProposalDocument.of(each) for each in proposals],
        )


class AccountChangeDocument(BaseModel):
    """An account after an act; what takes two administrators was not done, but stands in ``proposals``."""

    person: AccountDocument
    proposals: list[ProposalDocument] = Field(default_factory=list)
    sessions_ended: int | None = Field(default=None, ge=0)


class SettledProposalDocument(BaseModel):
    """A proposal that was confirmed or withdrawn."""

    proposal: ProposalDocument
