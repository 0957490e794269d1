"""What became of one request of many, and what of it stands in the audit trail."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.member import MemberId
from issuer.domain.requests import CardRequest, RequestId, RequestState
from issuer.errors import IssuerError
from issuer.services.request_ports import RequestStep

__all__ = [
    "CHUNK_ROWS",
    "RequestOutcome",
    "chunks",
    "refused",
    "request_record",
    "taken",
    "unchanged",
    "unknown_request",
]

CHUNK_ROWS: Final = 200
"""How many requests one transaction takes a step with."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOutcome:
    """One request and what became of it.

    Attributes:
        request_id: which request; ``None`` where none was drafted.
        member_id: for whom; ``None`` where the request is not known.
        state: where it stands now; ``None`` where there is no request.
        is_changed: whether the step was taken now, and not before.
        code: why the step was not taken; ``None`` where it was, now or before.
        sentence: the same for people.
        hint: what helps.
    """

    request_id: RequestId | None
    member_id: MemberId | None
    state: RequestState | None
    is_changed: bool = False
    code: str | None = None
    sentence: str = ""
    hint: str | None = None


def taken(request: CardRequest) -> RequestOutcome:
    """The step was taken."""
    return RequestOutcome(
        request_id=request.request_id,
        member_id=request.member_id,
        state=request.state,
        is_changed=True,
    )


def unchanged(request: CardRequest) -> RequestOutcome:
    """The step had been taken before."""
    return RequestOutcome(
        request_id=request.request_id, member_id=request.member_id, state=request.state
    )


def refused(request: CardRequest, error: IssuerError) -> RequestOutcome:
    """The step was not taken."""
    return RequestOutcome(
        request_id=request.request_id,
        member_id=request.member_id,
        state=request.state,
        code=error.code,
        sentence=str(error),
        hint=error.hint,
    )


def unknown_request(request_id: RequestId) -> RequestOutcome:
    """There is no such request."""
    return RequestOutcome(
        request_id=request_id,
        member_id=None,
        state=None,
        code="request.unknown",
        sentence=f"request {request_id} is not in the register",
    )


def request_record(step: RequestStep, **details: AuditDetail) -> AuditRecord:
    """The step in the audit trail: without the remark, which is a person's words."""
    request, event = step.request, step.event
    return AuditRecord(
        at=event.at,
        account=event.account,
        action=f"request.{event.kind}",
        subject=AuditSubject.REQUEST,
        subject_id=request.request_id.hex,
        organisation=request.organisation_code,
        details={"kind": request.kind.value, "version": request.version, **details},
    )


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in parts of at most ``size``."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
