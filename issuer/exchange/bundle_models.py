"""The document of a bundle: models that know no other names, kinds and lengths than ours, and the values they stand for."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from issuer.domain.account import is_account_name
from issuer.domain.bundle import (
    MAX_BUNDLE_MEMBERS,
    MAX_BUNDLE_REQUESTS,
    Bundle,
    BundleDecision,
    BundleEvent,
    BundleIndexSet,
    BundleMember,
    BundleNumberBlock,
    BundleRequest,
)
from issuer.domain.decisions import DecisionId, DocumentSignature, parse_decision_number
from issuer.domain.instance_report import MAX_REPORTS
from issuer.domain.instances import MAX_SEQUENCE, InstanceName
from issuer.domain.member import MemberId
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    MAX_ORDINAL,
    MAX_REMARK_BYTES,
    ReissueReason,
    RequestEventKind,
    RequestId,
    RequestKind,
)
from issuer.exchange.document_fields import Code, Count, DocumentModel, Moment, Name, checked
from issuer.exchange.report_models import ReportDocument, report_document_of, report_of

__all__ = [
    "BundleDocument",
    "RequestDocument",
    "bundle_of",
    "document_of",
    "request_document_of",
    "request_of",
]

_FORMAT: Final = 1
_FORMAT_WITH_PRODUCTION: Final = 2
"""Of bundles whose reports say how far production has come; all others are as they were before these could."""

_MAX_EVENTS: Final = 1000
_MAX_CELL_CHARACTERS: Final = 1000
_MAX_BLOCKS: Final = 100
_MAX_INDEX_SETS: Final = 100
_MAX_INDICES: Final = 100_000


def _account(text: str) -> str:
    if text != "system" and not is_account_name(text):
        raise ValueError("not the name of an account")
    return text


def _cells(cells: dict[str, str]) -> dict[str, str]:
    if not set(cells) <= {str(each) for each in MemberColumn}:
        raise ValueError("a column that member lists do not have")
    return cells


_Account = Annotated[str, AfterValidator(_account)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_CardNumber = Annotated[str, Field(pattern=r"^[0-9]{8}$")]
_Sequence = Annotated[int, Field(ge=1, le=MAX_SEQUENCE)]


class _Event(DocumentModel):
    at: Moment
    instance: Name
    account: _Account
    kind: RequestEventKind
    remark: Annotated[str, Field(max_length=MAX_REMARK_BYTES)] = ""


class _Member(DocumentModel):
    id: UUID
    version: _Sequence
    cells: Annotated[
        dict[str, Annotated[str, Field(max_length=_MAX_CELL_CHARACTERS)]], AfterValidator(_cells)
    ]
    portrait: _Digest | None
    portrait_source: _Digest


class RequestDocument(DocumentModel):
    """One request."""

    id: UUID
    member: UUID
    organisation: Code
    kind: RequestKind
    reason: ReissueReason | None
    ordinal: Annotated[int, Field(ge=1, le=MAX_ORDINAL)]
    created_at: Moment
    card_number: _CardNumber | None
    decision: UUID | None
    is_handed_over: bool
    events: Annotated[list[_Event], Field(min_length=1, max_length=_MAX_EVENTS)]


class _Decision(DocumentModel):
    id: UUID
    number: Annotated[str, checked(parse_decision_number)]
    decided_on: date
    committee: Code
    document: _Digest
    signature: DocumentSignature
    requests: Count
    prepared: _Event
    confirmed: _Event


class _Block(DocumentModel):
    id: UUID
    committee: Code
    first: _CardNumber
    last: _CardNumber


class _IndexSet(DocumentModel):
    id: UUID
    status_list: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    size: Annotated[int, Field(ge=1, le=1 << 32)]
    indices: Annotated[list[Count], Field(min_length=1, max_length=_MAX_INDICES)]


class BundleDocument(DocumentModel):
    """All of a bundle but its attachments."""

    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT_WITH_PRODUCTION)]
    sender: Name
    receiver: Name
    sequence: _Sequence
    created_at: Moment
    received: Count
    lost_since: Count | None
    full_since: _Sequence | None
    is_full_end: bool
    members: Annotated[list[_Member], Field(max_length=MAX_BUNDLE_MEMBERS)]
    requests: Annotated[list[RequestDocument], Field(max_length=MAX_BUNDLE_REQUESTS)]
    decisions: Annotated[list[_Decision], Field(max_length=MAX_BUNDLE_REQUESTS)]
    blocks: Annotated[list[_Block], Field(max_length=_MAX_BLOCKS)]
    index_sets: Annotated[list[_IndexSet], Field(max_length=_MAX_INDEX_SETS)]
    reports: Annotated[list[ReportDocument], Field(max_length=MAX_REPORTS)]


def document_of(bundle: Bundle) -> BundleDocument:
    """The document of a bundle."""
    return BundleDocument(
        format=_FORMAT_WITH_PRODUCTION
        if any(each.states_production for each in bundle.reports)
        else _FORMAT,
        sender=bundle.sender,
        receiver=bundle.receiver,
        sequence=bundle.sequence,
        created_at=bundle.created_at,
        received=bundle.received,
        lost_since=bundle.lost_since,
        full_since=bundle.full_since,
        is_full_end=bundle.is_full_end,
        members=[
            _Member(
                id=each.member_id,
                version=each.version,
                cells=dict(sorted(each.cells.items())),
                portrait=None if each.portrait is None else each.portrait.hex(),
                portrait_source=each.portrait_source.hex(),
            )
            for each in bundle.members
        ],
        requests=[request_document_of(each) for each in bundle.requests],
        decisions=[
            _Decision(
                id=each.decision_id,
                number=each.number,
                decided_on=each.decided_on,
                committee=each.committee,
                document=each.document.hex(),
                signature=each.signature,
                requests=each.requests,
                prepared=_event(each.prepared),
                confirmed=_event(each.confirmed),
            )
            for each in bundle.decisions
        ],
        blocks=[
            _Block(id=each.block_id, committee=each.committee, first=each.first, last=each.last)
            for each in bundle.blocks
        ],
        index_sets=[
            _IndexSet(
                id=each.set_id,
                status_list=each.list_id.hex(),
                size=each.size,
                indices=list(each.indices),
            )
            for each in bundle.index_sets
        ],
        reports=[report_document_of(each) for each in bundle.reports],
    )


def _event(event: BundleEvent) -> _Event:
    return _Event(
        at=event.at,
        instance=event.instance,
        account=event.account,
        kind=event.kind,
        remark=event.remark,
    )


def bundle_of(document: BundleDocument, attachments: dict[bytes, bytes]) -> Bundle:
    """The bundle that a document states."""
    return Bundle(
        sender=InstanceName(document.sender),
        receiver=InstanceName(document.receiver),
        sequence=document.sequence,
        created_at=document.created_at,
        received=document.received,
        lost_since=document.lost_since,
        full_since=document.full_since,
        is_full_end=document.is_full_end,
        members=tuple(
            BundleMember(
                member_id=MemberId(each.id),
                version=each.version,
                cells=each.cells,
                portrait=None if each.portrait is None else bytes.fromhex(each.portrait),
                portrait_source=bytes.fromhex(each.portrait_source),
            )
            for each in document.members
        ),
        requests=tuple(request_of(each) for each in document.requests),
        decisions=tuple(
            BundleDecision(
                decision_id=DecisionId(each.id),
                number=each.number,
                decided_on=each.decided_on,
                committee=OrganisationCode(each.committee),
                document=bytes.fromhex(each.document),
                signature=each.signature,
                requests=each.requests,
                prepared=_bundle_event(each.prepared),
                confirmed=_bundle_event(each.confirmed),
            )
            for each in document.decisions
        ),
        blocks=tuple(
            BundleNumberBlock(
                block_id=each.id,
                committee=OrganisationCode(each.committee),
                first=each.first,
                last=each.last,
            )
            for each in document.blocks
        ),
        index_sets=tuple(
            BundleIndexSet(
                set_id=each.id,
                list_id=bytes.fromhex(each.status_list),
                size=each.size,
                indices=tuple(each.indices),
            )
            for each in document.index_sets
        ),
        reports=tuple(report_of(each) for each in document.reports),
        attachments=attachments,
    )


def _bundle_event(event: _Event) -> BundleEvent:
    return BundleEvent(
        at=event.at,
        instance=InstanceName(event.instance),
        account=event.account,
        kind=event.kind,
        remark=event.remark,
    )


def request_document_of(request: BundleRequest) -> RequestDocument:
    """A request as it stands in a document."""
    return RequestDocument(
        id=request.request_id,
        member=request.member_id,
        organisation=request.organisation_code,
        kind=request.kind,
        reason=request.reason,
        ordinal=request.ordinal,
        created_at=request.created_at,
        card_number=request.card_number,
        decision=request.decision_id,
        is_handed_over=request.is_handed_over,
        events=[_event(event) for event in request.events],
    )


def request_of(document: RequestDocument) -> BundleRequest:
    """The request that a document states."""
    return BundleRequest(
        request_id=RequestId(document.id),
        member_id=MemberId(document.member),
        organisation_code=OrganisationCode(document.organisation),
        kind=document.kind,
        reason=document.reason,
        ordinal=document.ordinal,
        created_at=document.created_at,
        card_number=document.card_number,
        decision_id=None if document.decision is None else DecisionId(document.decision),
        is_handed_over=document.is_handed_over,
        events=tuple(_bundle_event(event) for event in document.events),
    )
