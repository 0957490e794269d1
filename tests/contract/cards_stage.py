"""Issued cards without their making, for tests that begin where cards are handed over."""

import functools
import hashlib
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from issuer.db.base import Database
from issuer.db.production_tables import CardRow, ChipRow, StatusListRow
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_number import CardNumber
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.requests import (
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.services.request_ports import RequestStep

__all__ = [
    "CELL",
    "LIST",
    "NOW",
    "OTHER_CELL",
    "SEALER",
    "CardsStage",
    "add_card",
    "fresh_sqlite",
    "person",
]

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
COMMITTEE, CELL, OTHER_CELL = (OrganisationCode(each) for each in ("A", "A-1", "A-2"))
LIST = bytes(range(8))


def person(name: str, *roles: Role, at: OrganisationCode | None = None) -> Actor:
    """Somebody who has just shown their second factor."""
    return Actor(
        account=AccountName(name),
        assignments=tuple(Assignment(role=role, organisation=at) for role in roles),
        stepped_up_at=NOW,
    )


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "issuer.sqlite"
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.close()
        return path.read_bytes()


def fresh_sqlite(folder: Path) -> Database:
    """A database of the newest revision in a folder: copied, because going through every migration takes long."""
    path = folder / "issuer.sqlite"
    path.write_bytes(_template())
    return Database(f"sqlite:///{path}")


@dataclass
class CardsStage:
    """A register with one list of 64 positions; a card's number is its position, its chip and its reference."""

    database: Database
    now: datetime = NOW
    requests: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.register = SqlRegister(self.database, lambda: SEALER)
        with self.register.writing() as transaction:
            transaction.organisations.add(
                [
                    Organisation(code=COMMITTEE, name="A", committee_number="98"),
                    Organisation(code=CELL, name="A-1", parent_code=COMMITTEE),
                    Organisation(code=OTHER_CELL, name="A-2", parent_code=COMMITTEE),
                ]
            )
        with self.database.writing() as session:
            session.add(StatusListRow(list_id=LIST, size=64, created_at=self.now, is_shared=False))

    def clock(self) -> datetime:
        return self.now

    def add_member(self, number: int) -> MemberId:
        day = date(1990, 1, 1)
        member = Member(
            member_id=MemberId(uuid.UUID(int=number)),
            statement=MemberStatement(
                record_number=RecordNumber(f"{number:06d}AB"),
                citizen_number=CitizenNumber(f"{number:012d}"),
                name=MemberName(full=f"Tên {number}", primary=f"Tên {number}"),
                birth_date=day,
                sex=Sex.MALE,
                place_of_birth="Huế",
                home_town="Huế",
                ethnic_group="Kinh",
                admission_date=day,
                recognition_date=day,
                organisation_code=CELL,
            ),
            portrait=PortraitDigest(hashlib.sha256(b"portrait").digest()),
            portrait_source=PortraitDigest(hashlib.sha256(bytes([number])).digest()),
            recorded_at=self.now,
        )
        with self.register.writing() as transaction:
            transaction.members.add([member])
        return member.member_id

    def add_card(
        self,
        number: int,
        member_id: MemberId,
        *,
        state: CardState = CardState.ISSUED,
        valid_until: date | None = None,
    ) -> CardReference:
        """A card of a decided request; the cards of a member are added one after the other was handed over."""
        self.requests += 1
        return add_card(
            self.register,
            self.database,
            number,
            member_id,
            organisation=CELL,
            request=self.requests,
            state=state,
            now=self.now,
            valid_until=valid_until,
        )

    def hand_over(self, number: int, member_id: MemberId) -> CardReference:
        """A card in its member's hand."""
        reference = self.add_card(number, member_id)
        with self.register.writing() as transaction:
            transaction.cards.hand_over(
                reference, to="member", account=AccountName("storekeeper"), at=self.now
            )
        return reference


def add_card(
    register: SqlRegister,
    database: Database,
    number: int,
    member_id: MemberId,
    *,
    organisation: OrganisationCode,
    request: int,
    state: CardState,
    now: datetime,
    valid_until: date | None = None,
) -> CardReference:
    """A card of a decided request in a register that has the status list ``LIST``; its chip is of no delivery."""
    request_id = RequestId(uuid.UUID(int=(1 << 100) + request))
    reference = CardReference(bytes([number]) * 16)
    event = RequestEvent(at=now, account=AccountName("decider"), kind=RequestEventKind.DECIDED)
    decided = CardRequest(
        request_id=request_id,
        member_id=member_id,
        organisation_code=organisation,
        kind=RequestKind.EXCHANGE,
        ordinal=1,
        state=RequestState.DECIDED,
        version=6,
        created_at=now,
        card_number=CardNumber(f"98{member_id.int:06}"),
    )
    with register.writing() as transaction:
        transaction.requests.add([RequestStep(request=decided, event=event)])
    serial = number.to_bytes(10, "big")
    with database.writing() as session:
        chip = session.get(ChipRow, serial)
        if chip is None:
            # Of no delivery: who looks at the balance of the store receives it before.
            chip = ChipRow(serial=serial, delivery="test", received_at=now, site="store")
            session.add(chip)
        chip.state = "initialised"
        chip.key_curve = "1.2.840.10045.3.1.7"
        chip.key_point = bytes([4, number]) * 32 + b"\x00"
        session.flush()
        session.add(
            CardRow(
                reference=reference,
                member_id=member_id,
                request_id=request_id,
                serial=serial,
                state=state.value,
                ordinal=1,
                profile="membercard-1",
                status_list=LIST,
                status_index=number,
                document_number_digest=hashlib.sha256(bytes([number])).digest(),
                sealed_secrets=bytes(71),
                bound_at=now + timedelta(seconds=number),
                issued_at=None if state is CardState.LOCKING else now,
                valid_until=valid_until,
            )
        )
    return reference
