"""What goes into the next bundle for another instance: what it goes on with, and what it does not know yet."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.bundle import (
    MAX_ATTACHMENT_BYTES,
    MAX_BUNDLE_REQUESTS,
    Bundle,
    BundleDecision,
    BundleEvent,
    BundleIndexSet,
    BundleMember,
    BundleNumberBlock,
    BundleRequest,
    ConflictId,
)
from issuer.domain.decisions import Decision, DecisionId
from issuer.domain.instance_report import InstanceReport
from issuer.domain.instances import Instance, Side, plain_account
from issuer.domain.member import Member, MemberId, MemberStatement
from issuer.domain.member_change import field_text
from issuer.domain.member_rules import MemberColumn
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import (
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestState,
)
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.exchange.bundle_file import request_from_bytes
from issuer.services.bundle_ports import Conflict, OwnInstance
from issuer.services.places import Places
from issuer.services.register_ports import PortraitStore, RegisterTransaction
from issuer.services.request_ports import DocumentStore, RequestPosition, RequestQuestion

__all__ = ["BundleContents", "BundleMaterial", "collect_bundle", "counts_of", "member_cells"]

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleMaterial:
    """Where the contents of bundles come from, beside the register."""

    own: OwnInstance
    documents: DocumentStore
    portraits: PortraitStore
    policy: RequestPolicy
    most_requests: int = MAX_BUNDLE_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContents:
    """A bundle, and what becomes of things with it."""

    bundle: Bundle
    versions: Mapping[RequestId, int]
    handed_over: tuple[RequestId, ...]
    refusals: tuple[ConflictId, ...]
    member_ids: tuple[MemberId, ...]
    has_more: bool


def collect_bundle(
    material: BundleMaterial,
    transaction: RegisterTransaction,
    instance: Instance,
    now: datetime,
    *,
    reports: tuple[InstanceReport, ...] = (),
) -> BundleContents:
    """Everything that an instance does not know yet, as far as it fits, with the reports that it is to be told."""
    contents = _Collecting(material, transaction, instance, now).collect()
    return replace(contents, bundle=replace(contents.bundle, reports=reports))


class _Collecting:
    """What goes into one bundle, within one transaction."""

    def __init__(
        self,
        material: BundleMaterial,
        transaction: RegisterTransaction,
        instance: Instance,
        now: datetime,
    ) -> None:
        self._material = material
        self._transaction = transaction
        self._instance = instance
        self._now = now
        self._places = Places(transaction.organisations)
        self._attachments: dict[bytes, bytes] = {}
        self._decisions: dict[DecisionId, BundleDecision] = {}
        self._members: dict[MemberId, BundleMember] = {}
        self._left = MAX_ATTACHMENT_BYTES

    def collect(self) -> BundleContents:
        """Everything that they do not know yet, as far as it fits."""
        wanted = self._wanted()
        requests: list[BundleRequest] = []
        versions: dict[RequestId, int] = {}
        handed_over: list[RequestId] = []
        taken = wanted[: self._material.most_requests]
        lines = self._transaction.requests.time_lines([each.request_id for each, _ in taken])
        members = {
            each.member_id: each
            for each in self._transaction.members.several([each.member_id for each, _ in taken])
        }
        known_there = self._known_there(members)
        for request, is_handed_over in taken:
            if not self._fits(request, members.get(request.member_id)):
                break
            requests.append(
                self._request(
                    request, lines[request.request_id],
                    member_id=known_there.get(request.member_id, request.member_id), is_handed_over=is_handed_over,
                )
            )  # fmt: skip
            versions[request.request_id] = request.version
            if is_handed_over:
                handed_over.append(request.request_id)
        refusals = self._transaction.exchange.refusals_to_tell(self._instance.name)
        refusals = refusals[: self._material.most_requests - len(requests)]
        requests += [self._refused(each) for each in refusals]
        bundle = Bundle(
            sender=self._material.own.name,
            receiver=self._instance.name,
            sequence=self._instance.sent + 1,
            created_at=self._now,
            received=self._instance.received,
            lost_since=self._instance.lost_since,
            members=tuple(self._members.values()),
            requests=tuple(requests),
            decisions=tuple(self._decisions.values()),
            blocks=self._blocks(),
            index_sets=self._index_sets(),
            attachments=self._attachments,
        )
        return BundleContents(
            bundle=bundle,
            versions=versions,
            handed_over=tuple(handed_over),
            refusals=tuple(each.conflict_id for each in refusals),
            member_ids=tuple(self._members),
            has_more=len(requests) < len(wanted),
        )

    def _blocks(self) -> tuple[BundleNumberBlock, ...]:
        return tuple(
            BundleNumberBlock(
                block_id=each.block_id, committee=each.committee, first=each.first, last=each.last
            )
            for each in self._transaction.exchange.numbers_to_tell(self._instance.name)
        )

    def _index_sets(self) -> tuple[BundleIndexSet, ...]:
        return tuple(
            BundleIndexSet(
                set_id=each.set_id, list_id=each.list_id, size=each.size, indices=each.indices
            )
            for each in self._transaction.exchange.sets_to_tell(self._instance.name)
        )

    def _wanted(self) -> list[tuple[CardRequest, bool]]:
        """Requests that they go on with, and requests that they share and do not know as they are now."""
        reported = self._transaction.exchange.reported_versions(self._instance.name)
        shared = self._transaction.requests.known(list(reported))
        wanted: dict[RequestId, tuple[CardRequest, bool]] = {}
        if self._instance.side is Side.ABOVE:
            for request in self._ready():
                wanted[request.request_id] = (request, True)
        for request_id, version in reported.items():
            request = shared[request_id]
            if request_id in wanted or request.version <= version or request.held_by is not None:
                continue
            goes_back = self._instance.side is Side.BELOW and request.state is RequestState.RETURNED
            if self._instance.side is Side.BELOW or not request.is_live:
                wanted[request_id] = (request, goes_back)
        return list(wanted.values())

    def _ready(self) -> Iterable[CardRequest]:
        """Our requests on which the next step is taken above."""
        question = RequestQuestion(
            states={RequestState.ENDORSED, RequestState.DECIDED},
            below={self._material.own.organisation},
        )
        behind: RequestPosition | None = None
        while True:
            page = self._transaction.requests.page(question, limit=_PAGE_ROWS, behind=behind)
            for request in page.requests:
                place = self._places.of(request.organisation_code)
                committee = self._material.policy.deciding_committee(place)
                is_decided_here = self._material.own.organisation in self._places.of(committee)
                last = RequestState.DECIDED if is_decided_here else RequestState.ENDORSED
                if request.held_by is None and request.state is last:
                    yield request
            if page.end is None:
                return
            behind = page.end

    def _known_there(self, members: Mapping[MemberId, Member]) -> dict[MemberId, MemberId]:
        """A commune knows its members by its own keys, and tells these to the province."""
        known = {member_id: member_id for member_id in members}
        if self._instance.side is Side.BELOW:
            known.update(self._transaction.exchange.remote_ids(self._instance.name, list(members)))
        return known

    def _fits(self, request: CardRequest, member: Member | None) -> bool:
        """Take in what the request needs beside itself, if there is room for it."""
        new: dict[bytes, bytes] = {}
        if self._instance.side is Side.BELOW:
            # They know their members, and nobody else's record goes down.
            member = None
        if member is not None and request.member_id not in self._members:
            self._add(new, member.portrait, self._material.portraits.get(member.portrait))
        decision = self._decision_of(request)
        if decision is not None and decision.document is not None:
            digest = decision.document.digest
            self._add(new, digest, self._material.documents.get(digest))
        size = sum(map(len, new.values()))
        if size > self._left and self._attachments:
            return False
        self._left -= size
        self._attachments.update(new)
        if member is not None:
            self._members[member.member_id] = BundleMember(
                member_id=member.member_id,
                version=member.version,
                cells=member_cells(member.statement),
                portrait=member.portrait,
                portrait_source=member.portrait_source,
            )
        if decision is not None and decision.document is not None:
            self._decisions[decision.decision_id] = self._decision(decision)
        return True

    def _add(self, new: dict[bytes, bytes], digest: bytes, content: bytes) -> None:
        if digest not in self._attachments:
            new[hashlib.sha256(content).digest()] = content

    def _decision_of(self, request: CardRequest) -> Decision | None:
        if request.card_number is None:
            return None
        decision_id = self._transaction.requests.current_decision(request.request_id)
        return None if decision_id is None else self._transaction.decisions.get(decision_id)

    def _decision(self, decision: Decision) -> BundleDecision:
        if (
            decision.document is None
            or decision.confirmed_by is None
            or decision.confirmed_at is None
        ):
            raise IssuerRefusedError(
                f"decision {decision.number} is not confirmed", code="decision.wrong-state"
            )
        return BundleDecision(
            decision_id=decision.decision_id,
            number=decision.number,
            decided_on=decision.decided_on,
            committee=decision.committee,
            document=decision.document.digest,
            signature=decision.document.signature,
            requests=decision.requests,
            prepared=self._step(
                RequestEventKind.TABLED, decision.prepared_by, decision.prepared_at
            ),
            confirmed=self._step(
                RequestEventKind.DECIDED, decision.confirmed_by, decision.confirmed_at
            ),
        )

    def _request(
        self,
        request: CardRequest,
        events: Sequence[RequestEvent],
        *,
        member_id: MemberId,
        is_handed_over: bool,
    ) -> BundleRequest:
        decision = self._decision_of(request)
        return BundleRequest(
            request_id=request.request_id,
            member_id=member_id,
            organisation_code=request.organisation_code,
            kind=request.kind,
            reason=request.reason,
            ordinal=request.ordinal,
            created_at=request.created_at,
            card_number=request.card_number,
            decision_id=None if decision is None else decision.decision_id,
            is_handed_over=is_handed_over,
            events=tuple(
                self._step(each.kind, each.account, each.at, each.remark) for each in events
            ),
        )

    def _refused(self, conflict: Conflict) -> BundleRequest:
        """A request that was not taken goes back, as one that was sent back."""
        stated = request_from_bytes(conflict.content)
        sent_back = self._step(
            RequestEventKind.SENT_BACK,
            conflict.settled_by or AccountName("system"),
            conflict.settled_at or self._now,
            conflict.reason,
        )
        return replace(stated, is_handed_over=True, events=(*stated.events, sent_back))

    def _step(
        self, kind: RequestEventKind, account: AccountName, at: datetime, remark: str = ""
    ) -> BundleEvent:
        instance, name = plain_account(account)
        return BundleEvent(
            at=at,
            instance=self._material.own.name if instance is None else instance,
            account=name,
            kind=kind,
            remark=remark,
        )


def member_cells(statement: MemberStatement) -> dict[str, str]:
    """A member as cells of the member list; where the parts of the name are not known they stay empty."""
    cells = {each.value: field_text(statement, each) for each in MemberColumn}
    if statement.name.primary == statement.name.full:
        cells[MemberColumn.PRIMARY_NAME.value] = None
    return {column: text for column, text in cells.items() if text is not None}


def counts_of(bundle: Bundle) -> dict[str, int]:
    """How much a bundle carries."""
    return {
        "members": len(bundle.members),
        "requests": len(bundle.requests),
        "decisions": len(bundle.decisions),
        "blocks": len(bundle.blocks),
        "index-sets": len(bundle.index_sets),
        "reports": len(bundle.reports),
        "received": bundle.received,
    }
