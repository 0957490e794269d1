"""Use case: make the next bundle for another instance.

In one transaction what goes into the bundle is handed over, and the bundle gets its number and digest. The sealed file
is in the store before that, the mark outside the database is written after it, and only then is the file given out:

* what was given out is known to the database and to the mark; a database that is behind the mark was restored, and
  makes no bundle until somebody has looked into it (``InstanceOffice.recover``);
* a file can be lost as often as one likes: the same bytes are given out again.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from issuer.domain.audit_reads import members_listed
from issuer.domain.bundle import (
    MAX_ATTACHMENT_BYTES,
    MAX_BUNDLE_REQUESTS,
    Bundle,
    BundleDecision,
    BundleEvent,
    BundleMember,
    BundleRequest,
    ConflictId,
)
from issuer.domain.decisions import Decision, DecisionId
from issuer.domain.instances import Instance, InstanceName, Side, plain_account
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
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.exchange.bundle_file import bundle_to_bytes, request_from_bytes
from issuer.services.bundle_ports import (
    BundleRecord,
    BundleStore,
    Conflict,
    Direction,
    ExchangeKeys,
    OwnInstance,
    SequenceMark,
    SequenceMarkStore,
)
from issuer.services.enrol_instances import instance_record, known_instance
from issuer.services.places import Places
from issuer.services.register_ports import PortraitStore, Register, RegisterTransaction
from issuer.services.request_ports import DocumentStore, RequestPosition, RequestQuestion

__all__ = ["BundleExport", "ExportedBundle", "member_cells"]

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedBundle:
    """The file, and what is kept of it; ``has_more`` tells that not all went into it."""

    record: BundleRecord
    content: bytes = field(repr=False)
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleExport:
    """Makes bundles; ``clock`` gives aware UTC."""

    register: Register
    own: OwnInstance
    keys: ExchangeKeys
    files: BundleStore
    marks: SequenceMarkStore
    documents: DocumentStore
    portraits: PortraitStore
    policy: RequestPolicy
    clock: Callable[[], datetime]
    most_requests: int = MAX_BUNDLE_REQUESTS

    def export(self, name: InstanceName, *, actor: Actor) -> ExportedBundle | None:
        """The next bundle; ``None`` where there is nothing to tell.

        Raises:
            IssuerDataError: ``instance.unknown``.
            IssuerRefusedError: ``right.missing``, ``instance.not-enrolled``; the database was restored from a
                backup (``bundle.restored``).
            PkiError: our keys or their certificates cannot be used.
        """
        now = self.clock().replace(microsecond=0)
        with self.register.writing() as transaction:
            instance = known_instance(transaction, name, lock=True)
            instance.require_enrolled()
            place = Places(transaction.organisations).of(
                instance.organisation if instance.side is Side.BELOW else self.own.organisation
            )
            actor.demand(Right.EXCHANGE_BUNDLES, place=place, now=now)
            self._require_not_restored(instance)
            collected = _Collecting(self, transaction, instance, now).collect()
            if collected.bundle.is_empty and instance.lost_since is None:
                return None
            sealed = self.keys.seal(
                bundle_to_bytes(collected.bundle),
                receiver_certificate=instance.certificates.receiver,
                at=now,
            )
            record = BundleRecord(
                instance=name,
                direction=Direction.OUT,
                sequence=collected.bundle.sequence,
                digest=self.files.put(sealed),
                at=now,
                account=actor.account,
                counts=counts_of(collected.bundle),
            )
            self._keep(transaction, instance, collected, record, actor)
        self._mark(name, record.sequence)
        return ExportedBundle(record=record, content=sealed, has_more=collected.has_more)

    def again(self, name: InstanceName, sequence: int, *, actor: Actor) -> ExportedBundle:
        """The same file once more, because it was lost on its way.

        Raises:
            IssuerDataError: ``instance.unknown``.
            IssuerRefusedError: ``right.missing``; there was no such bundle (``bundle.unknown``), or its file is
                lost (``bundle.lost``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            instance = known_instance(transaction, name)
            instance.require_enrolled()
            place = Places(transaction.organisations).of(
                instance.organisation if instance.side is Side.BELOW else self.own.organisation
            )
            actor.demand(Right.EXCHANGE_BUNDLES, place=place, now=now)
            record = transaction.exchange.find_record(name, Direction.OUT, sequence)
            if record is None:
                raise IssuerRefusedError(
                    f"there was no bundle {sequence} to {name}, the last one is {instance.sent}",
                    code="bundle.unknown",
                )
            content = self.files.get(record.digest)
            transaction.audit.append(
                instance_record(instance, "bundle-repeated", actor, now, sequence=sequence)
            )
        self._mark(name, sequence)
        return ExportedBundle(record=record, content=content)

    def _keep(
        self,
        transaction: RegisterTransaction,
        instance: Instance,
        collected: "_Collected",
        record: BundleRecord,
        actor: Actor,
    ) -> None:
        exchange = transaction.exchange
        exchange.hand_over(collected.handed_over, instance.name)
        exchange.report_requests(instance.name, collected.versions)
        exchange.refusals_told(collected.refusals)
        exchange.store_instance(
            replace(instance, sent=record.sequence, lost_since=None, version=instance.version + 1)
        )
        exchange.add_record(record)
        transaction.audit.append(
            instance_record(
                instance, "bundle-made", actor, record.at,
                sequence=record.sequence, digest=record.digest.hex(), **record.counts,
            )
        )  # fmt: skip
        for each in members_listed(
            collected.member_ids,
            account=actor.account,
            organisation=instance.organisation,
            at=record.at,
            bundle=record.digest.hex(),
        ):
            transaction.audit.append(each)

    def _require_not_restored(self, instance: Instance) -> None:
        reached = self.marks.read().sent.get(instance.name, 0)
        if reached > instance.sent:
            raise IssuerRefusedError(
                f"bundle {reached} to {instance.name} has left the house, and the register knows {instance.sent}: "
                "it was restored from a backup",
                code="bundle.restored",
                hint=f"membercard-issuer instances recover {instance.name}",
            )

    def _mark(self, name: InstanceName, sequence: int) -> None:
        mark = self.marks.read()
        if mark.sent.get(name, 0) < sequence:
            self.marks.write(SequenceMark(sent={**mark.sent, name: sequence}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collected:
    bundle: Bundle
    versions: Mapping[RequestId, int]
    handed_over: tuple[RequestId, ...]
    refusals: tuple[ConflictId, ...]
    member_ids: tuple[MemberId, ...]
    has_more: bool


class _Collecting:
    """What goes into one bundle, within one transaction."""

    def __init__(
        self,
        export: BundleExport,
        transaction: RegisterTransaction,
        instance: Instance,
        now: datetime,
    ) -> None:
        self._export = export
        self._transaction = transaction
        self._instance = instance
        self._now = now
        self._places = Places(transaction.organisations)
        self._attachments: dict[bytes, bytes] = {}
        self._decisions: dict[DecisionId, BundleDecision] = {}
        self._members: dict[MemberId, BundleMember] = {}
        self._left = MAX_ATTACHMENT_BYTES

    def collect(self) -> _Collected:
        """Everything that they do not know yet, as far as it fits."""
        wanted = self._wanted()
        requests: list[BundleRequest] = []
        versions: dict[RequestId, int] = {}
        handed_over: list[RequestId] = []
        taken = wanted[: self._export.most_requests]
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
        refusals = refusals[: self._export.most_requests - len(requests)]
        requests += [self._refused(each) for each in refusals]
        bundle = Bundle(
            sender=self._export.own.name,
            receiver=self._instance.name,
            sequence=self._instance.sent + 1,
            created_at=self._now,
            received=self._instance.received,
            lost_since=self._instance.lost_since,
            members=tuple(self._members.values()),
            requests=tuple(requests),
            decisions=tuple(self._decisions.values()),
            attachments=self._attachments,
        )
        return _Collected(
            bundle=bundle,
            versions=versions,
            handed_over=tuple(handed_over),
            refusals=tuple(each.conflict_id for each in refusals),
            member_ids=tuple(self._members),
            has_more=len(requests) < len(wanted),
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
            below={self._export.own.organisation},
        )
        behind: RequestPosition | None = None
        while True:
            page = self._transaction.requests.page(question, limit=_PAGE_ROWS, behind=behind)
            for request in page.requests:
                place = self._places.of(request.organisation_code)
                committee = self._export.policy.deciding_committee(place)
                is_decided_here = self._export.own.organisation in self._places.of(committee)
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
            self._add(new, member.portrait, self._export.portraits.get(member.portrait))
        decision = self._decision_of(request)
        if decision is not None and decision.document is not None:
            digest = decision.document.digest
            self._add(new, digest, self._export.documents.get(digest))
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
            instance=self._export.own.name if instance is None else instance,
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
        "received": bundle.received,
    }
