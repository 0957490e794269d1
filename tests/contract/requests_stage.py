"""Two committees with members, the people who work with their requests, and every use case over one database."""

import hashlib
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CardNumber, CommitteeBlockScheme
from issuer.domain.decisions import Decision, DecisionId, DocumentDigest
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.number_blocks import BlockId, NumberBlock, NumberMark
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import (
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import IssuerRefusedError
from issuer.services.allot_numbers import NumberAllotment, NumberOffice
from issuer.services.confirm_decisions import DecisionConfirmation
from issuer.services.decision_desk import DecisionDesk
from issuer.services.draft_requests import RequestDrafting, Wish
from issuer.services.move_requests import RequestSteps
from issuer.services.number_ports import NumberMarkStore
from issuer.services.prepare_decisions import DecisionDraft, DecisionPreparation
from issuer.services.request_outcome import RequestOutcome
from issuer.services.request_ports import RequestQuestion

SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PROVINCE, COMMUNE, CELL, OTHER = (
    OrganisationCode(each) for each in ("P", "P-01", "P-01-01", "P-02")
)
ORGANISATIONS = (
    Organisation(code=PROVINCE, name="Tỉnh ủy Giả Định", committee_number="98"),
    Organisation(code=COMMUNE, name="Đảng ủy xã Mẫu", parent_code=PROVINCE),
    Organisation(code=CELL, name="Chi bộ thôn Một", parent_code=COMMUNE),
    Organisation(code=OTHER, name="Đảng ủy xã Thử", parent_code=PROVINCE),
)
PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\n%%EOF\n"
DRAFT = DecisionDraft(
    number="12-QĐ/TU", decided_on=date(2026, 11, 20), committee=PROVINCE, document=PDF
)
EXCHANGE = Wish(kind=RequestKind.EXCHANGE)
NEW_ISSUE = Wish(kind=RequestKind.NEW_ISSUE)


def actor(name: str, *roles: Role, at: OrganisationCode | None = None) -> Actor:
    """Somebody who has just shown their second factor."""
    return Actor(
        account=AccountName(name),
        assignments=tuple(Assignment(role=role, organisation=at) for role in roles),
        stepped_up_at=NOW,
    )


CLERK = actor("clerk", Role.CLERK, at=COMMUNE)
ENDORSER = actor("endorser", Role.ENDORSER, at=COMMUNE)
COMPILER = actor("compiler", Role.ENDORSER, at=PROVINCE)
FIRST = actor("first", Role.DECIDER, at=PROVINCE)
SECOND = actor("second", Role.DECIDER, at=PROVINCE)
ADMINISTRATOR = actor("administrator", Role.ADMINISTRATOR)


def member(number: int, **changes: object) -> Member:
    """An official member of the cell; those of even number held a card when they were recorded."""
    statement = MemberStatement(
        record_number=RecordNumber(f"{number:06}AB"),
        citizen_number=CitizenNumber(f"001090{number:06}"),
        name=MemberName(full="Nguyễn Văn An", primary="Nguyễn", secondary="Văn An"),
        birth_date=date(1990, 2, 3),
        sex=Sex.FEMALE,
        place_of_birth="xã Mẫu",
        home_town="xã Mẫu",
        ethnic_group="Kinh",
        admission_date=date(2015, 2, 3),
        recognition_date=date(2016, 2, 3),
        organisation_code=CELL,
        standing=Standing.OFFICIAL,
        earlier_card_number=CardNumber(f"97{number:06}") if number % 2 == 0 else None,
    )
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=replace(statement, **changes),  # type: ignore[arg-type]  # named as in the statement
        portrait=PortraitDigest(hashlib.sha256(b"portrait").digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source").digest()),
        recorded_at=NOW,
    )


@dataclass
class MemoryStores:
    """Portraits, documents and the mark, kept in memory."""

    portraits: dict[bytes, bytes] = field(default_factory=dict)
    documents: dict[bytes, bytes] = field(default_factory=dict)
    mark: NumberMark | None = None

    def read(self) -> NumberMark | None:
        return self.mark

    def write(self, mark: NumberMark) -> None:
        self.mark = mark


class Portraits:
    def __init__(self, kept: dict[bytes, bytes]) -> None:
        self._kept = kept

    def put(self, image: bytes) -> PortraitDigest:
        digest = PortraitDigest(hashlib.sha256(image).digest())
        self._kept[digest] = image
        return digest

    def get(self, digest: PortraitDigest) -> bytes:
        if digest not in self._kept:
            raise IssuerRefusedError("not there", code="portrait.lost")
        return self._kept[digest]

    def remove(self, digest: PortraitDigest) -> None:
        self._kept.pop(digest, None)


class Documents:
    def __init__(self, kept: dict[bytes, bytes]) -> None:
        self._kept = kept

    def put(self, content: bytes) -> DocumentDigest:
        digest = DocumentDigest(hashlib.sha256(content).digest())
        self._kept[digest] = content
        return digest

    def get(self, digest: DocumentDigest) -> bytes:
        if digest not in self._kept:
            raise IssuerRefusedError("not there", code="document.lost")
        return self._kept[digest]


class Stage:
    """Every use case over one database; the clock goes on by a second each time it is looked at."""

    def __init__(
        self,
        database: Database,
        *,
        policy: RequestPolicy | None = None,
        stores: MemoryStores | None = None,
        marks: NumberMarkStore | None = None,
        chunk_rows: int = 3,
        first_id: int = 1000,
    ) -> None:
        self.database = database
        self.register = SqlRegister(database, lambda: SEALER)
        self.stores = MemoryStores() if stores is None else stores
        self.marks = self.stores if marks is None else marks
        self.policy = RequestPolicy() if policy is None else policy
        self._ids = map(lambda number: uuid.UUID(int=number), itertools.count(first_id))  # noqa: C417 - endless
        self._seconds = itertools.count()
        self.drafting = RequestDrafting(
            register=self.register,
            clock=self.clock,
            new_request_id=lambda: RequestId(next(self._ids)),
            chunk_rows=chunk_rows,
        )
        self.steps = RequestSteps(
            register=self.register,
            portraits=Portraits(self.stores.portraits),
            policy=self.policy,
            clock=self.clock,
            chunk_rows=chunk_rows,
        )
        desk = DecisionDesk(
            register=self.register,
            documents=Documents(self.stores.documents),
            policy=self.policy,
            clock=self.clock,
            chunk_rows=chunk_rows,
        )
        self.allotment = NumberAllotment(marks=self.marks)
        self.preparing = DecisionPreparation(
            desk=desk, new_decision_id=lambda: DecisionId(next(self._ids))
        )
        self.confirming = DecisionConfirmation(desk=desk, allotment=self.allotment)
        self.numbers = NumberOffice(
            register=self.register,
            marks=self.marks,
            scheme=CommitteeBlockScheme(),
            clock=self.clock,
            new_block_id=lambda: BlockId(next(self._ids)),
            random_bytes=lambda size: bytes(range(size)),
        )

    def clock(self) -> datetime:
        return NOW + timedelta(milliseconds=next(self._seconds))

    def fill(self, members: Iterable[Member]) -> None:
        """The organisations and these members."""
        with self.register.writing() as transaction:
            transaction.organisations.add(ORGANISATIONS)
            transaction.members.add(list(members))
        Portraits(self.stores.portraits).put(b"portrait")

    def grant(self, first: int = 1, last: int = 999) -> NumberBlock:
        return self.numbers.grant(
            PROVINCE,
            first=CardNumber(f"98{first:06}"),
            last=CardNumber(f"98{last:06}"),
            actor=ADMINISTRATOR,
        )

    def draft(
        self, *numbers: int, wish: Wish = EXCHANGE, by: Actor = CLERK
    ) -> list[RequestOutcome]:
        ids = [MemberId(uuid.UUID(int=number)) for number in numbers]
        return list(self.drafting.draft(ids, wish, actor=by))

    def take(
        self,
        kind: RequestEventKind,
        requests: Sequence[RequestId],
        *,
        by: Actor,
        remark: str = "",
        versions: dict[RequestId, int] | None = None,
    ) -> list[RequestOutcome]:
        return list(self.steps.take(requests, kind, actor=by, remark=remark, versions=versions))

    def compiled(self, *numbers: int, wish: Wish = EXCHANGE) -> list[RequestId]:
        """Requests for these members, as far as compiled."""
        requests = ids(self.draft(*numbers, wish=wish))
        for kind, by in (
            (RequestEventKind.PROPOSED, CLERK),
            (RequestEventKind.ENDORSED, ENDORSER),
            (RequestEventKind.COMPILED, COMPILER),
        ):
            assert codes(self.take(kind, requests, by=by)) == [None] * len(requests)
        return requests

    def prepare(
        self, requests: Sequence[RequestId], *, by: Actor = FIRST, draft: DecisionDraft = DRAFT
    ) -> tuple[Decision, list[RequestOutcome]]:
        decision, outcomes = self.preparing.prepare(draft, requests, actor=by)
        return decision, list(outcomes)

    def confirm(self, decision: Decision, *, by: Actor = SECOND) -> list[RequestOutcome]:
        return list(self.confirming.confirm(decision.decision_id, actor=by))

    def drop(self, decision: Decision, *, by: Actor = FIRST) -> list[RequestOutcome]:
        return list(self.preparing.drop(decision.decision_id, actor=by))

    def get(self, request_id: RequestId) -> CardRequest:
        with self.register.reading() as transaction:
            return transaction.requests.get(request_id)

    def line(self, request_id: RequestId) -> tuple[RequestEvent, ...]:
        with self.register.reading() as transaction:
            return transaction.requests.time_lines([request_id])[request_id]

    def states(self) -> dict[RequestState, int]:
        with self.register.reading() as transaction:
            return dict(transaction.requests.count(RequestQuestion()))

    def decision(self, decision_id: DecisionId) -> Decision:
        with self.register.reading() as transaction:
            return transaction.decisions.get(decision_id)

    def actions(self) -> list[str]:
        """The actions of the audit trail, in order."""
        with self.register.reading() as transaction:
            return [each.record().action for each in transaction.audit.records()]


def ids(outcomes: Iterable[RequestOutcome]) -> list[RequestId]:
    found = [outcome.request_id for outcome in outcomes]
    return [each for each in found if each is not None]


def codes(outcomes: Iterable[RequestOutcome]) -> list[str | None]:
    return [outcome.code for outcome in outcomes]


def refusal(outcomes: Iterator[RequestOutcome]) -> str:
    """The code with which all is refused."""
    try:
        list(outcomes)
    except IssuerRefusedError as error:
        return error.code
    raise AssertionError("nothing was refused")
