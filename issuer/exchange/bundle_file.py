"""Bundles as bytes: one canonical JSON document and its attachments, in DER; what is read is written again and compared.

The document is read by models that know no other names, kinds and lengths than ours; what stands in it is for
``issuer.services`` to judge.
"""

import hashlib
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from cryptography.hazmat import asn1
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from issuer.domain.account import is_account_name
from issuer.domain.bundle import (
    MAX_ATTACHMENT_BYTES,
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
from issuer.domain.instances import MAX_SEQUENCE, InstanceName, parse_instance_name
from issuer.domain.member import MemberId
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.requests import (
    MAX_ORDINAL,
    MAX_REMARK_BYTES,
    ReissueReason,
    RequestEventKind,
    RequestId,
    RequestKind,
)
from issuer.errors import IssuerDataError

__all__ = ["bundle_from_bytes", "bundle_to_bytes"]

_FORMAT: Final = 1
_MAX_EVENTS: Final = 1000
_MAX_CELL_CHARACTERS: Final = 1000
_MAX_DOCUMENT_BYTES: Final = 12 * 1024 * 1024
_MAX_BLOCKS: Final = 100
_MAX_INDEX_SETS: Final = 100
_MAX_INDICES: Final = 100_000


@asn1.sequence
class _BundleFile:
    version: int
    document: bytes
    attachments: list[bytes]


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None or moment.utcoffset() != UTC.utcoffset(None):
        raise ValueError("not in UTC")
    return moment.astimezone(UTC)


def _account(text: str) -> str:
    if text != "system" and not is_account_name(text):
        raise ValueError("not the name of an account")
    return text


def _cells(cells: dict[str, str]) -> dict[str, str]:
    if not set(cells) <= {str(each) for each in MemberColumn}:
        raise ValueError("a column that member lists do not have")
    return cells


def _checked(parse: Any) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except IssuerDataError as error:
            raise ValueError(error.code) from error
        return text

    return AfterValidator(check)


_Moment = Annotated[datetime, AfterValidator(_in_utc)]
_Code = Annotated[str, _checked(parse_organisation_code)]
_Name = Annotated[str, _checked(parse_instance_name)]
_Account = Annotated[str, AfterValidator(_account)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_CardNumber = Annotated[str, Field(pattern=r"^[0-9]{8}$")]
_Sequence = Annotated[int, Field(ge=1, le=MAX_SEQUENCE)]
_Count = Annotated[int, Field(ge=0, le=MAX_SEQUENCE)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Event(_Model):
    at: _Moment
    instance: _Name
    account: _Account
    kind: RequestEventKind
    remark: Annotated[str, Field(max_length=MAX_REMARK_BYTES)] = ""


class _Member(_Model):
    id: UUID
    version: _Sequence
    cells: Annotated[
        dict[str, Annotated[str, Field(max_length=_MAX_CELL_CHARACTERS)]], AfterValidator(_cells)
    ]
    portrait: _Digest
    portrait_source: _Digest


class _Request(_Model):
    id: UUID
    member: UUID
    organisation: _Code
    kind: RequestKind
    reason: ReissueReason | None
    ordinal: Annotated[int, Field(ge=1, le=MAX_ORDINAL)]
    created_at: _Moment
    card_number: _CardNumber | None
    decision: UUID | None
    is_handed_over: bool
    events: Annotated[list[_Event], Field(min_length=1, max_length=_MAX_EVENTS)]


class _Decision(_Model):
    id: UUID
    number: Annotated[str, _checked(parse_decision_number)]
    decided_on: date
    committee: _Code
    document: _Digest
    signature: DocumentSignature
    requests: _Count
    prepared: _Event
    confirmed: _Event


class _Block(_Model):
    id: UUID
    committee: _Code
    first: _CardNumber
    last: _CardNumber


class _IndexSet(_Model):
    id: UUID
    status_list: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    size: Annotated[int, Field(ge=1, le=1 << 32)]
    indices: Annotated[list[_Count], Field(min_length=1, max_length=_MAX_INDICES)]


class _Document(_Model):
    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT)]
    sender: _Name
    receiver: _Name
    sequence: _Sequence
    created_at: _Moment
    received: _Count
    lost_since: _Count | None
    members: Annotated[list[_Member], Field(max_length=MAX_BUNDLE_MEMBERS)]
    requests: Annotated[list[_Request], Field(max_length=MAX_BUNDLE_REQUESTS)]
    decisions: Annotated[list[_Decision], Field(max_length=MAX_BUNDLE_REQUESTS)]
    blocks: Annotated[list[_Block], Field(max_length=_MAX_BLOCKS)]
    index_sets: Annotated[list[_IndexSet], Field(max_length=_MAX_INDEX_SETS)]


def bundle_to_bytes(bundle: Bundle) -> bytes:
    """The one encoding of a bundle."""
    return asn1.encode_der(
        _BundleFile(
            version=_FORMAT,
            document=_document(bundle).model_dump_json().encode(),
            attachments=[bundle.attachments[each] for each in sorted(bundle.attachments)],
        )
    )


def bundle_from_bytes(content: bytes) -> Bundle:
    """Read what ``bundle_to_bytes`` writes, and nothing else.

    Raises:
        IssuerDataError: ``bundle.malformed``; the sentence tells the place, and never what stands there.
    """
    try:
        file = asn1.decode_der(_BundleFile, content)
    except (ValueError, OverflowError) as error:
        raise _malformed("it is no DER of a bundle") from error
    if len(file.document) > _MAX_DOCUMENT_BYTES:
        raise _malformed(f"its document has {len(file.document)} bytes")
    try:
        document = _Document.model_validate_json(file.document)
    except (ValidationError, RecursionError) as error:
        place = (
            error.errors(include_input=False)[0]["loc"]
            if isinstance(error, ValidationError)
            else ()
        )
        raise _malformed(
            f"its document is wrong at {'.'.join(map(str, place))[:200] or 'its root'}"
        ) from error
    attachments = {hashlib.sha256(each).digest(): each for each in file.attachments}
    if sum(map(len, attachments.values())) > MAX_ATTACHMENT_BYTES:
        raise _malformed("its attachments are too large")
    bundle = _bundle(document, attachments)
    if bundle_to_bytes(bundle) != content:
        raise _malformed("it is not in the one encoding")
    _check_references(bundle)
    return bundle


def _check_references(bundle: Bundle) -> None:
    """Nothing stands twice, nothing is named that is not there, and nothing is there that is not named."""
    for what, ids in (
        ("members", [each.member_id for each in bundle.members]),
        ("requests", [each.request_id for each in bundle.requests]),
        ("decisions", [each.decision_id for each in bundle.decisions]),
        ("blocks", [each.block_id for each in bundle.blocks]),
        ("index sets", [each.set_id for each in bundle.index_sets]),
    ):
        if len(set(ids)) != len(ids):
            raise _malformed(f"one of its {what} stands twice")
    named = {each.portrait for each in bundle.members} | {
        each.document for each in bundle.decisions
    }
    if named != set(bundle.attachments):
        raise _malformed("its attachments are not those that it names")
    decisions = {each.decision_id for each in bundle.decisions}
    if any(
        each.decision_id is not None and each.decision_id not in decisions
        for each in bundle.requests
    ):
        raise _malformed("a request names a decision that is not there")
    for each in bundle.index_sets:
        if list(each.indices) != sorted(set(each.indices)) or each.indices[-1] >= each.size:
            raise _malformed("indices do not ascend, or lie beyond their list")


def _document(bundle: Bundle) -> _Document:
    return _Document(
        format=_FORMAT,
        sender=bundle.sender,
        receiver=bundle.receiver,
        sequence=bundle.sequence,
        created_at=bundle.created_at,
        received=bundle.received,
        lost_since=bundle.lost_since,
        members=[
            _Member(
                id=each.member_id,
                version=each.version,
                cells=dict(sorted(each.cells.items())),
                portrait=each.portrait.hex(),
                portrait_source=each.portrait_source.hex(),
            )
            for each in bundle.members
        ],
        requests=[
            _Request(
                id=each.request_id,
                member=each.member_id,
                organisation=each.organisation_code,
                kind=each.kind,
                reason=each.reason,
                ordinal=each.ordinal,
                created_at=each.created_at,
                card_number=each.card_number,
                decision=each.decision_id,
                is_handed_over=each.is_handed_over,
                events=[_event(event) for event in each.events],
            )
            for each in bundle.requests
        ],
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
    )


def _event(event: BundleEvent) -> _Event:
    return _Event(
        at=event.at,
        instance=event.instance,
        account=event.account,
        kind=event.kind,
        remark=event.remark,
    )


def _bundle(document: _Document, attachments: dict[bytes, bytes]) -> Bundle:
    return Bundle(
        sender=InstanceName(document.sender),
        receiver=InstanceName(document.receiver),
        sequence=document.sequence,
        created_at=document.created_at,
        received=document.received,
        lost_since=document.lost_since,
        members=tuple(
            BundleMember(
                member_id=MemberId(each.id),
                version=each.version,
                cells=each.cells,
                portrait=bytes.fromhex(each.portrait),
                portrait_source=bytes.fromhex(each.portrait_source),
            )
            for each in document.members
        ),
        requests=tuple(
            BundleRequest(
                request_id=RequestId(each.id),
                member_id=MemberId(each.member),
                organisation_code=OrganisationCode(each.organisation),
                kind=each.kind,
                reason=each.reason,
                ordinal=each.ordinal,
                created_at=each.created_at,
                card_number=each.card_number,
                decision_id=None if each.decision is None else DecisionId(each.decision),
                is_handed_over=each.is_handed_over,
                events=tuple(_bundle_event(event) for event in each.events),
            )
            for each in document.requests
        ),
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


def _malformed(reason: str) -> IssuerDataError:
    return IssuerDataError(f"the bundle cannot be read: {reason}", code="bundle.malformed")
