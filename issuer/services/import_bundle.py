"""Use case: take a bundle of another instance, whole or not at all.

1. The file is opened with our key; its signature holds, and is that of an enrolled instance whose certificate holds.
2. It is for us, and the next one: a bundle that was taken is not taken again, one that is missing is asked for first.
3. What the instance may not speak for makes the whole bundle refused: then something is wrong with the instance.
4. What contradicts ours is put on the list of conflicts, and everything else is taken, in one transaction with the
   sequence number, the report and the audit trail.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from issuer.domain.bundle import Bundle, ConflictId, ConflictKind
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.decisions import Decision, DecisionId
from issuer.domain.instances import Instance, Side
from issuer.domain.member import MemberId, PortraitDigest
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Right
from issuer.domain.signed_document import inspect_document
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.exchange.bundle_file import bundle_from_bytes
from issuer.services.bundle_ports import (
    BundleRecord,
    Conflict,
    Direction,
    ExchangeKeys,
    OwnInstance,
)
from issuer.services.enrol_instances import instance_record
from issuer.services.number_ports import NumberMarkStore
from issuer.services.places import Places
from issuer.services.register_ports import (
    PortraitNormaliser,
    PortraitStore,
    Register,
    RegisterTransaction,
)
from issuer.services.request_ports import DocumentStore
from issuer.services.status_ports import StatusMarkStore
from issuer.services.take_handed_down import HandedDownTaking
from issuer.services.take_members import Disagreement, MemberTaking
from issuer.services.take_reports import take_reports
from issuer.services.take_requests import RequestTaking

__all__ = ["BundleImport", "ImportReport", "PictureProgress", "ReportLine"]

_MOST_AHEAD: Final = timedelta(days=1)
"""How far clocks may differ."""


class PictureProgress(Protocol):
    """Is told how far the pictures of a bundle are."""

    def __call__(self, *, done: int, total: int | None) -> None:
        """So many of so many are made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One thing of a bundle that was not simply taken."""

    kind: str
    subject_id: str
    code: str
    sentence: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of a bundle; ``is_repeated`` says that it had been taken before, and that nothing was done."""

    record: BundleRecord
    is_repeated: bool
    conflicts: tuple[ReportLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleImport:
    """Takes bundles; ``clock`` gives aware UTC."""

    register: Register
    own: OwnInstance
    keys: ExchangeKeys
    documents: DocumentStore
    portraits: PortraitStore
    normaliser: PortraitNormaliser
    policy: RequestPolicy
    scheme: CardNumberScheme
    numbers: NumberMarkStore
    statuses: StatusMarkStore
    random_bytes: Callable[[int], bytes]
    clock: Callable[[], datetime]
    new_conflict_id: Callable[[], ConflictId]
    new_member_id: Callable[[], MemberId]

    def take(
        self, content: bytes, *, actor: Actor, progress: PictureProgress | None = None
    ) -> ImportReport:
        """Take a file; the report says what was done.

        ``progress`` is told how many of the members' pictures were made anew: the one part that takes long, and the
        one before anything is locked.

        Raises:
            PkiError: the file is not sealed to us, was changed, or its signer's certificate does not hold.
            IssuerDataError: it is no bundle (``bundle.malformed``), or a member breaks a rule of member lists.
            IssuerRefusedError: ``right.missing``, ``bundle.unknown-sender``, ``instance.not-enrolled``,
                ``bundle.other-receiver``, ``bundle.gap``, ``bundle.not-theirs``, ``bundle.time-line``,
                ``bundle.our-steps``, ``bundle.from-the-future``.
            ConflictError: ``bundle.sequence-reused``.
        """
        now = self.clock()
        opened = self.keys.open(content)
        digest = hashlib.sha256(content).digest()
        with self.register.reading() as transaction:
            instance = _signer_of(transaction, opened.signer_certificate)
            self._demand(transaction, instance, actor, now)
        instance.require_enrolled()
        self.keys.judge(
            opened.signer_certificate,
            receiver=instance.certificates.receiver,
            name=instance.name,
            now=now,
        )
        bundle = bundle_from_bytes(opened.content)
        self._check_address(bundle, instance, now)
        pictures = (
            self._keep_attachments(bundle, progress) if bundle.sequence > instance.received else {}
        )
        with self.register.writing() as transaction:
            locked = transaction.exchange.find_instance(instance.name, lock=True) or instance
            locked.require_enrolled()
            self._demand(transaction, locked, actor, now)
            known = _known_before(transaction, locked, bundle, digest)
            if known is not None:
                return ImportReport(record=known, is_repeated=True)
            taking = _Taking(
                self, transaction, instance=locked, bundle=bundle, actor=actor, now=now
            )
            return taking.take(digest, pictures)

    def _demand(
        self, transaction: RegisterTransaction, instance: Instance, actor: Actor, now: datetime
    ) -> None:
        is_above = instance.side is Side.ABOVE
        code = self.own.organisation if is_above else instance.organisation
        place = Places(transaction.organisations).of(code)
        actor.demand(Right.EXCHANGE_BUNDLES, place=place, now=now)

    def _check_address(self, bundle: Bundle, instance: Instance, now: datetime) -> None:
        if (bundle.sender, bundle.receiver) != (instance.name, self.own.name):
            raise IssuerRefusedError(
                f"the bundle is from {bundle.sender} to {bundle.receiver}, expected from {instance.name} "
                f"to {self.own.name}",
                code="bundle.other-receiver",
            )
        moments = [bundle.created_at] + [
            event.at for request in bundle.requests for event in request.events
        ]
        moments += [each.counted_at for each in bundle.reports if each.counted_at is not None]
        if max(moments) > now + _MOST_AHEAD:
            raise IssuerRefusedError(
                f"the bundle tells of {max(moments):%Y-%m-%d %H:%M}Z, got {now:%Y-%m-%d %H:%M}Z as the time now",
                code="bundle.from-the-future",
                hint="set the clock of the instance that made it, or ours",
            )

    def _keep_attachments(
        self, bundle: Bundle, progress: PictureProgress | None
    ) -> dict[bytes, PortraitDigest]:
        """Pictures are made anew and documents looked at before anything is locked; what nobody names is in nobody's way."""
        for decision in bundle.decisions:
            document = bundle.attachments[decision.document]
            inspect_document(document)
            self.documents.put(document)
        pictures: dict[bytes, PortraitDigest] = {}
        for number, member in enumerate(bundle.members, start=1):
            if progress is not None:
                progress(done=number, total=len(bundle.members))
            if member.portrait is not None and member.portrait not in pictures:
                made = self.normaliser.normalise(bundle.attachments[member.portrait])
                pictures[member.portrait] = self.portraits.put(made.image)
        return pictures


class _Taking:
    """One bundle within one transaction."""

    def __init__(
        self,
        importing: BundleImport,
        transaction: RegisterTransaction,
        *,
        instance: Instance,
        bundle: Bundle,
        actor: Actor,
        now: datetime,
    ) -> None:
        self._importing = importing
        self._transaction = transaction
        self._instance = instance
        self._bundle = bundle
        self._actor = actor
        self._now = now
        self._places = Places(transaction.organisations)
        self._counts: Counter[str] = Counter()
        self._disagreements: list[Disagreement] = []

    def take(self, digest: bytes, pictures: Mapping[bytes, PortraitDigest]) -> ImportReport:
        if self._bundle.lost_since is not None:
            # They were restored from a backup: all that they share with us is told again.
            self._transaction.exchange.forget_reports(self._instance.name)
            self._transaction.exchange.forget_told(self._instance.name)
            self._transaction.exchange.tell_reports(self._instance.name, None)
        self._take_handed_down()
        self._counts += Counter(
            take_reports(
                self._transaction, self._bundle,
                instance=self._instance, own=self._importing.own, now=self._now,
            )
        )  # fmt: skip
        self._take_requests(self._take_members(pictures), self._take_decisions())
        for each in self._disagreements:
            self._transaction.exchange.add_conflict(self._conflict(each))
        record = BundleRecord(
            instance=self._instance.name,
            direction=Direction.IN,
            sequence=self._bundle.sequence,
            digest=digest,
            at=self._now,
            account=self._actor.account,
            counts={**self._counts, "conflicts": len(self._disagreements)},
        )
        self._transaction.exchange.add_record(record)
        after = replace(
            self._instance,
            received=self._bundle.sequence,
            acknowledged=max(self._instance.acknowledged, self._bundle.received),
            version=self._instance.version + 1,
        )
        self._transaction.exchange.store_instance(after)
        self._transaction.audit.append(
            instance_record(
                after, "bundle-taken", self._actor, self._now,
                sequence=record.sequence, digest=digest.hex(), **record.counts,
            )
        )  # fmt: skip
        return ImportReport(
            record=record,
            is_repeated=False,
            conflicts=tuple(
                ReportLine(
                    kind=each.kind.value,
                    subject_id=each.subject_id,
                    code=each.code,
                    sentence=each.sentence,
                    columns=each.columns,
                )
                for each in self._disagreements
            ),
        )

    def _take_handed_down(self) -> None:
        taking = HandedDownTaking(
            transaction=self._transaction,
            instance=self._instance,
            own=self._importing.own,
            scheme=self._importing.scheme,
            numbers=self._importing.numbers,
            statuses=self._importing.statuses,
            random_bytes=self._importing.random_bytes,
            now=self._now,
        )
        for block in self._bundle.blocks:
            self._note("blocks", taking.take_block(block), None)
        for index_set in self._bundle.index_sets:
            self._note("index-sets", taking.take_index_set(index_set), None)

    def _take_members(self, pictures: Mapping[bytes, PortraitDigest]) -> dict[MemberId, MemberId]:
        """Who the members are here, as far as that is settled."""
        if self._instance.side is Side.ABOVE:
            if self._bundle.members:
                raise IssuerRefusedError(
                    f"instance {self._instance.name} is above, and states members of ours",
                    code="bundle.not-theirs",
                )
            return {}
        taking = MemberTaking(
            transaction=self._transaction,
            instance=self._instance,
            scheme=self._importing.scheme,
            account=self._actor.account,
            now=self._now,
            new_member_id=self._importing.new_member_id,
        )
        known = self._transaction.exchange.linked_members(
            self._instance.name, [each.member_id for each in self._bundle.members]
        )
        if self._instance.side is Side.SOURCE and (self._bundle.requests or self._bundle.decisions):
            raise IssuerRefusedError(
                f"instance {self._instance.name} is a member database, and states requests",
                code="bundle.not-theirs",
            )
        settled: dict[MemberId, MemberId] = {}
        for stated in self._bundle.members:
            taken = taking.take(
                taking.read(stated, self._places, pictures), known.get(stated.member_id)
            )
            self._note("members", taken.outcome, taken.disagreement)
            if taken.member_id is not None:
                settled[stated.member_id] = taken.member_id
        self._look_for_gone()
        return settled

    def _look_for_gone(self) -> None:
        """Who was in no part of a full statement is no member there any more: a person says what became of them."""
        exchange, name = self._transaction.exchange, self._instance.name
        exchange.saw_members(
            name, [each.member_id for each in self._bundle.members], self._bundle.sequence
        )
        if not self._bundle.is_full_end or self._bundle.full_since is None:
            return
        for link in exchange.unseen_members(name, since=self._bundle.full_since):
            ours = self._transaction.members.get(link.member_id)
            self._note(
                "members",
                "gone",
                Disagreement(
                    kind=ConflictKind.MEMBER,
                    subject_id=link.remote_id.hex,
                    member_id=link.member_id,
                    organisation=ours.statement.organisation_code,
                    code="bundle.gone",
                    sentence=f"{name} states all its members, and the member is none of them",
                    content=b"",
                ),
            )

    def _take_decisions(self) -> dict[DecisionId, Decision]:
        taking = self._requests()
        taken: dict[DecisionId, Decision] = {}
        for stated in self._bundle.decisions:
            decision = taking.take_decision(stated)
            taken[decision.decision_id] = decision
            self._note("decisions", "taken", None)
        return taken

    def _take_requests(
        self, settled: Mapping[MemberId, MemberId], decisions: Mapping[DecisionId, Decision]
    ) -> None:
        taking = self._requests()
        versions: dict[RequestId, int] = {}
        for stated in self._bundle.requests:
            taking.check(stated)
            member_id = (
                settled.get(stated.member_id)
                if self._instance.side is Side.BELOW
                else stated.member_id
            )
            taken = taking.take(stated, member_id, decisions)
            self._note("requests", taken.outcome, taken.disagreement)
            if taken.request is not None:
                versions[stated.request_id] = len(stated.events)
        self._transaction.exchange.report_requests(self._instance.name, versions)

    def _requests(self) -> RequestTaking:
        return RequestTaking(
            transaction=self._transaction,
            instance=self._instance,
            own=self._importing.own,
            policy=self._importing.policy,
            places=self._places,
            now=self._now,
        )

    def _note(self, what: str, outcome: str, disagreement: Disagreement | None) -> None:
        self._counts[f"{what}-{outcome}"] += 1
        if disagreement is not None:
            self._disagreements.append(disagreement)

    def _conflict(self, found: Disagreement) -> Conflict:
        return Conflict(
            conflict_id=self._importing.new_conflict_id(),
            instance=self._instance.name,
            sequence=self._bundle.sequence,
            kind=found.kind,
            subject_id=found.subject_id,
            member_id=found.member_id,
            organisation=found.organisation,
            code=found.code,
            sentence=found.sentence,
            columns=found.columns,
            content=found.content,
            found_at=self._now,
        )


def _signer_of(transaction: RegisterTransaction, certificate: bytes) -> Instance:
    for instance in transaction.exchange.instances():
        if instance.certificates.signer == certificate:
            return instance
    raise IssuerRefusedError(
        "the bundle is signed by nobody who is enrolled here",
        code="bundle.unknown-sender",
        hint="membercard-issuer instances propose",
    )


def _known_before(
    transaction: RegisterTransaction, instance: Instance, bundle: Bundle, digest: bytes
) -> BundleRecord | None:
    """The report of the same bundle, where it was taken before.

    Raises:
        ConflictError: another bundle had this number (``bundle.sequence-reused``).
        IssuerRefusedError: one before it is missing (``bundle.gap``).
    """
    if bundle.sequence <= instance.received:
        record = transaction.exchange.find_record(instance.name, Direction.IN, bundle.sequence)
        if record is not None and record.digest == digest:
            return record
        raise ConflictError(
            f"another bundle {bundle.sequence} of {instance.name} was taken: their register was restored from a "
            "backup, or somebody else has their key",
            code="bundle.sequence-reused",
            hint="there: membercard-issuer instances recover NAME; otherwise: instances suspend",
        )
    if bundle.sequence != instance.received + 1:
        raise IssuerRefusedError(
            f"bundle {bundle.sequence} of {instance.name} came, expected {instance.received + 1}",
            code="bundle.gap",
            hint=f"there: membercard-issuer bundle export NAME --again {instance.received + 1}",
        )
    return None
