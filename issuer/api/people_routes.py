"""People over HTTP: accounts, their roles, what ends them, and what waits for another administrator.

Every act takes ``people.manage`` with the second factor, which a token of the command line brings only where a key
confirmed its terminal.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from issuer.api.bundle_documents import NothingBody
from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import MatchHeader, tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, answer_of
from issuer.api.pages_of_lists import ListQuery
from issuer.api.people_acts import (
    act_once,
    change_roles_once,
    create_once,
    reset_password_once,
    settle_once,
    shown_person,
)
from issuer.api.people_documents import (
    AccountBody,
    AccountChangeDocument,
    AccountDocument,
    AccountPageDocument,
    AssignmentDocument,
    PasswordBody,
    PersonDocument,
    ProposalDocument,
    ProposalPageDocument,
    SettledProposalDocument,
)
from issuer.api.ports import ApiServices
from issuer.domain.account import parse_account_name
from issuer.domain.rights import AccountName, Right

__all__ = ["Manager", "NamePath", "NumberPath", "account_proposal_router", "people_router"]

people_router = APIRouter(prefix="/v1/people", tags=["people"])
account_proposal_router = APIRouter(prefix="/v1/account-proposals", tags=["people"])

Manager = Annotated[Caller, Depends(Demand(Right.MANAGE_PEOPLE))]
# Whoever decides for the whole register stands in for the only administrator; the use case judges.
Confirmer = Annotated[Caller, Depends(Demand(Right.READ_ORGANISATIONS))]
NamePath = Annotated[str, Path(min_length=2, max_length=64, examples=["an.nguyen"])]
NumberPath = Annotated[int, Path(ge=1, le=2**63 - 1)]

_ACCOUNTS: Final = "people"
_PROPOSALS: Final = "account proposals"


@people_router.get("", summary="List people")
def list_people(
    query: Annotated[ListQuery, Query()], services: Services, caller: Manager
) -> AccountPageDocument:
    """By name, as far as one may manage them; looking takes no second factor."""
    scope = CursorScope(listing=_ACCOUNTS, account=caller.actor.account)
    behind = None
    if query.cursor is not None:
        behind = AccountName(services.cursors.open(query.cursor, scope).decode())
    found = services.people.page(actor=caller.actor, limit=query.limit + 1, behind=behind)
    accounts = found[: query.limit]
    return AccountPageDocument(
        people=[AccountDocument.of(each) for each in accounts],
        next=services.cursors.seal(accounts[-1].name.encode(), scope)
        if len(found) > query.limit
        else None,
    )


@people_router.post(
    "", status_code=201, summary="Make an account", response_model=AccountChangeDocument
)
def create_account(
    body: AccountBody, services: Services, caller: Manager, key: KeyHeader
) -> Response:
    """Roles that take two administrators are proposed; the account has them when another one confirms it."""
    return answer_of(create_once(services, caller, body, key=key))


@people_router.get("/{name}", summary="Show a person", response_model=PersonDocument)
def show_person(name: NamePath, request: Request, services: Services, caller: Manager) -> Response:
    """One account, with what waits for another administrator."""
    return tagged(request, shown_person(caller, services, parse_account_name(name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every act on an account is asked with."""

    services: ApiServices
    caller: Caller
    key: str
    if_match: str | None

    def roles(self, name: str, body: AssignmentDocument, *, gives: bool) -> Response:
        """A role given or taken."""
        return answer_of(
            change_roles_once(
                self.services,
                self.caller,
                parse_account_name(name),
                body,
                gives=gives,
                if_match=self.if_match,
                key=self.key,
            )
        )

    def act(self, name: str, what: str, body: NothingBody) -> Response:
        """One of the acts that ask for nothing more."""
        return answer_of(
            act_once(
                self.services,
                self.caller,
                parse_account_name(name),
                body,
                what=what,
                if_match=self.if_match,
                key=self.key,
            )
        )


def _asked(
    services: Services, caller: Manager, key: KeyHeader, if_match: MatchHeader = None
) -> _Asked:
    return _Asked(services=services, caller=caller, key=key, if_match=if_match)


Asked = Annotated[_Asked, Depends(_asked)]


@people_router.post("/{name}/roles", summary="Give a role", response_model=AccountChangeDocument)
def give_role(name: NamePath, body: AssignmentDocument, asked: Asked) -> Response:
    """For one part of the tree; one that takes two administrators is proposed."""
    return asked.roles(name, body, gives=True)


@people_router.post(
    "/{name}/role-removals", summary="Take a role", response_model=AccountChangeDocument
)
def take_role(name: NamePath, body: AssignmentDocument, asked: Asked) -> Response:
    """It must have been given for just that part of the tree; done by one, and at once."""
    return asked.roles(name, body, gives=False)


@people_router.post(
    "/{name}/password-reset", summary="Set a password", response_model=AccountChangeDocument
)
def reset_password(name: NamePath, body: PasswordBody, asked: Asked) -> Response:
    """A provisional one, and every session ends; proposed, without a password, where that takes two administrators."""
    return answer_of(
        reset_password_once(
            asked.services,
            asked.caller,
            parse_account_name(name),
            body,
            if_match=asked.if_match,
            key=asked.key,
        )
    )


@people_router.post(
    "/{name}/disabling", summary="Disable an account", response_model=AccountChangeDocument
)
def disable_account(name: NamePath, body: NothingBody, asked: Asked) -> Response:
    """Nobody logs in to it any more, and its sessions end."""
    return asked.act(name, "disable", body)


@people_router.post(
    "/{name}/enabling", summary="Enable an account", response_model=AccountChangeDocument
)
def enable_account(name: NamePath, body: NothingBody, asked: Asked) -> Response:
    """Proposed, where it has a role that takes two administrators."""
    return asked.act(name, "enable", body)


@people_router.post(
    "/{name}/second-factor-removal",
    summary="Forget security keys",
    response_model=AccountChangeDocument,
)
def remove_second_factors(name: NamePath, body: NothingBody, asked: Asked) -> Response:
    """Of somebody who lost them; its sessions end. Proposed, where that takes two administrators."""
    return asked.act(name, "remove second factors", body)


@people_router.post(
    "/{name}/sessions-end", summary="End all sessions", response_model=AccountChangeDocument
)
def end_sessions(name: NamePath, body: NothingBody, asked: Asked) -> Response:
    """The account is logged out everywhere."""
    return asked.act(name, "end sessions", body)


@account_proposal_router.get("", summary="List what waits for another administrator")
def list_proposals(
    query: Annotated[ListQuery, Query()], services: Services, caller: Confirmer
) -> ProposalPageDocument:
    """The oldest first, as far as one may manage the account; one's own among it."""
    scope = CursorScope(listing=_PROPOSALS, account=caller.actor.account)
    behind = 0
    if query.cursor is not None:
        behind = int(services.cursors.open(query.cursor, scope))
    waiting = services.account_confirmation.waiting(actor=caller.actor)
    found = [each for each in waiting if each.number > behind]
    shown = found[: query.limit]
    return ProposalPageDocument(
        proposals=[ProposalDocument.of(each) for each in shown],
        next=services.cursors.seal(str(shown[-1].number).encode(), scope)
        if len(found) > query.limit
        else None,
    )


@account_proposal_router.post(
    "/{number}/confirmation", summary="Confirm a proposal", response_model=SettledProposalDocument
)
def confirm_proposal(
    number: NumberPath, body: PasswordBody, services: Services, caller: Confirmer, key: KeyHeader
) -> Response:
    """By another administrator, who asked the person; with a password where one is to be set."""
    return answer_of(settle_once(services, caller, number, body, confirms=True, key=key))


@account_proposal_router.post(
    "/{number}/withdrawal", summary="Withdraw a proposal", response_model=SettledProposalDocument
)
def withdraw_proposal(
    number: NumberPath, body: NothingBody, services: Services, caller: Manager, key: KeyHeader
) -> Response:
    """One's own, or another's: nobody confirms it any more."""
    return answer_of(settle_once(services, caller, number, body, confirms=False, key=key))
