"""A decision with decided requests, chips that are initialised, and every use case of batches over one database."""

import itertools
import random
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import EcPublicKey
from issuer.db.base import Database
from issuer.db.card_ledger import SqlCardLedger
from issuer.db.card_vault import CardVault
from issuer.db.production_rows import Producer, locked_card, move_card
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.batch import Batch, BatchEvent, BatchId, parse_batch_id
from issuer.domain.card import CardEvent
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import Serial
from issuer.domain.decisions import DecisionId
from issuer.domain.member import Member
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Role
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.services.batch_desk import BatchDesk
from issuer.services.batch_ports import BatchLine
from issuer.services.control_batches import BatchControl
from issuer.services.deliver_batches import BatchDelivery
from issuer.services.fill_batches import BatchFilling
from issuer.services.freeze_batches import BatchFreezing, Frozen
from issuer.services.open_batches import BatchOpening
from issuer.services.read_batches import BatchView, ReadingOfBatches
from issuer.services.register_ports import PortraitStore
from issuer.services.write_batch_papers import BatchPapers
from issuer.storage.status_mark_files import FileStatusMarkStore
from tests.contract.requests_stage import (
    COMMUNE,
    FIRST,
    NEW_ISSUE,
    NOW,
    SEALER,
    Portraits,
    Stage,
    actor,
    member,
)
from tests.contract.sql_station_ledger import SqlStationLedger
from tests.contract.stock_stage import OfficeStock

CARD_SEALER = Sealer(encryption_key=bytes(32), digest_key=bytes(range(32)))
OPERATOR = actor("operator", Role.PRODUCTION_OPERATOR)
CONTROLLER = actor("controller", Role.QUALITY_CONTROLLER)
STOREKEEPER = actor("storekeeper", Role.STOREKEEPER)
CLERK_OF_COMMUNE = actor("commune clerk", Role.CLERK, at=COMMUNE)
PROFILE = "membercard-1-icao"


_AT_STATION = (
    CardEvent.PERSONALISATION_BEGUN,
    CardEvent.PERSONALISED,
    CardEvent.LOCK_INTENDED,
    CardEvent.ISSUED,
)


class BatchStage:
    """Members 1, 3, 5 ... have decided requests for a new card; the clock goes on each time it is looked at."""

    def __init__(
        self,
        database: Database,
        marks: Path,
        *,
        members: Iterable[Member] = (),
        first_batch: int = 1,
        portraits: PortraitStore | None = None,
    ) -> None:
        self.database = database
        self.portraits = portraits or Portraits({})
        self.vault = CardVault(sealer=CARD_SEALER, portraits=self.portraits)
        self.register = SqlRegister(database, lambda: SEALER, lambda: self.vault)
        self.desk = BatchDesk(register=self.register, clock=self.clock)
        self._ticks = itertools.count()
        self._batch_numbers = itertools.count(first_batch)
        self.marks = FileStatusMarkStore(marks)
        self.random_bytes = random.Random(1).randbytes
        self.filling = BatchFilling(desk=self.desk, new_batch_id=self._new_batch_id)
        self.freezing = BatchFreezing(
            desk=self.desk,
            profile=PROFILE,
            random_bytes=self.random_bytes,
            marks=self.marks,
            list_size=64,
        )
        self.opening = BatchOpening(desk=self.desk)
        self.reading = ReadingOfBatches(desk=self.desk)
        self.control = BatchControl(desk=self.desk)
        self.delivery = BatchDelivery(desk=self.desk)
        self.papers = BatchPapers(desk=self.desk)
        self.stock = OfficeStock(database, self.clock)
        self.cards = SqlCardLedger(database, self.clock, self.vault)
        self.station = SqlStationLedger(database, self.clock, self.vault)
        found = list(members)
        if found:
            self.requests = Stage(database)
            self.requests.fill(found)
            self.requests.grant()
            self.decision_id = self.decide(*(each.member_id.int for each in found))

    def clock(self) -> datetime:
        return NOW + timedelta(milliseconds=next(self._ticks))

    def _new_batch_id(self) -> BatchId:
        return BatchId(uuid.UUID(int=(1 << 100) + next(self._batch_numbers)))

    def decide(self, *numbers: int) -> DecisionId:
        """A decision by two on a new card for each of these members."""
        stage = self.requests
        decision, _ = stage.prepare(stage.compiled(*numbers, wish=NEW_ISSUE))
        stage.confirm(decision)
        return decision.decision_id

    def initialise(self, *numbers: int, site: SiteCode = FIRST_STORE) -> list[Serial]:
        """Chips that a station has initialised; their keys follow from their numbers."""
        serials = [Serial(number.to_bytes(10, "big")) for number in numbers]
        self.stock.receive(serials, delivery="test", site=site)
        for number, serial in zip(numbers, serials, strict=True):
            key = ec.derive_private_key(number + 1, ec.SECP256R1()).public_key()
            self.station.begin_initialisation(serial)
            self.station.record_chip_key(serial, EcPublicKey.from_cryptography(key))
            self.station.finish_initialisation(serial)
        return serials

    def open(self, *, receiver: OrganisationCode = COMMUNE, by: Actor = OPERATOR) -> Batch:
        """A batch with all that waits."""
        batch = self.filling.create(receiver, self.decision_id, actor=by)
        self.filling.fill(batch.batch_id, actor=by)
        return batch

    def propose(self, batch: Batch, *, by: Actor = OPERATOR, sites: Sequence[SiteCode] = ()) -> str:
        """The proof that whoever confirms has to type."""
        proposal = self.freezing.propose(batch.batch_id, actor=by, sites=sites).batch.proposal
        assert proposal is not None
        return proposal.proof.hex()

    def freeze(self, batch: Batch, *, sites: Sequence[SiteCode] = ()) -> Frozen:
        """Frozen by two, with chips of these sites."""
        proof = self.propose(batch, sites=sites)
        return self.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER, sites=sites)

    def sign(self, batch: Batch) -> None:
        """Every bound card signed, as far as the records say."""
        with self.database.writing() as session:
            for reference in self.cards.bound(batch_id=batch.batch_id):
                move_card(session, locked_card(session, reference), CardEvent.SIGNED, self.clock())
        self.cards.settle(batch.batch_id, account=FIRST.account)

    def produce(self, batch: Batch, *places: int, by: Actor = OPERATOR) -> list[Serial]:
        """Cards at these places of the batch, or all, made at a station; their chips."""
        lines = [line for line in self.lines(batch) if not places or line.position in places]
        for line in lines:
            if line.reference is None:
                continue
            with self.database.writing() as session:
                row = locked_card(session, line.reference)
                for event in _AT_STATION:
                    made_by = Producer(station="S1", account=by.account)
                    move_card(session, row, event, self.clock(), by=made_by)
        return [line.serial for line in lines if line.serial is not None]

    def received(self, *, people_of: OrganisationCode = COMMUNE) -> Batch:
        """A batch that its receiver has counted in."""
        batch = self.open(receiver=people_of)
        self.freeze(batch)
        self.sign(batch)
        self.control.pass_cards(batch.batch_id, self.produce(batch), actor=CONTROLLER)
        self.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)
        self.delivery.dispatch(batch.batch_id, carrier="courier 7", actor=STOREKEEPER)
        self.delivery.receive(batch.batch_id, self.numbers(batch), actor=CLERK_OF_COMMUNE)
        return self.view(batch).batch

    def numbers(self, batch: Batch) -> list[CardNumber]:
        """The card numbers of a batch, by position."""
        return [line.card_number for line in self.lines(batch)]

    def view(self, batch: Batch) -> BatchView:
        return self.reading.show(batch.batch_id, actor=OPERATOR)

    def lines(self, batch: Batch) -> tuple[BatchLine, ...]:
        page = self.reading.lines(batch.batch_id, actor=OPERATOR, limit=100)
        return tuple(each.line for each in page.lines)

    def batch_of(self, path: str) -> Batch:
        """The batch at the end of an address."""
        with self.register.reading() as transaction:
            return transaction.batches.get(parse_batch_id(path.rpartition("/")[2]))

    def lines_of(self, path: str) -> tuple[BatchLine, ...]:
        return self.lines(self.batch_of(path))

    def events(self, batch: Batch) -> tuple[BatchEvent, ...]:
        return self.view(batch).events

    def held(self, batch: Batch) -> list[RequestId]:
        return [line.request_id for line in self.lines(batch) if line.is_live]


def people(count: int, **changes: object) -> list[Member]:
    """Members who never held a card, so that a new one can be asked for."""
    return [member(2 * number + 1, **changes) for number in range(count)]
