"""The centre with its stations: batches whose cards are signed, stations with journals, and what must hold at any time."""

import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from card_layout.curves import EcPublicKey
from issuer.bootstrap_stock import stock_of
from issuer.db.base import Database
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.production_tables import CardEventRow, CardRow
from issuer.db.station_desk import SqlProductionLink
from issuer.db.station_tables import StationClaimRow
from issuer.domain.batch import Batch
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.rights import AccountName, Role
from issuer.domain.stock_account import SiteCode
from issuer.services.audit_office import AuditOffice
from issuer.services.signing_values import JobToKeep
from issuer.services.station_ports import ClaimedChip
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from tests.contract.batch_stage import (
    CARD_SEALER,
    CLERK_OF_COMMUNE,
    CONTROLLER,
    OPERATOR,
    STOREKEEPER,
    BatchStage,
    people,
)
from tests.contract.requests_stage import COMMUNE, FIRST, actor

LEFT, RIGHT = StationName("left"), StationName("right")
MAKER = AccountName("maker")
AUDITOR = actor("auditor", Role.AUDITOR)


@dataclass(frozen=True, kw_only=True)
class Station:
    """A station with its own journal, over the database of the centre."""

    name: StationName
    journal: StationJournal
    ledger: JournalStationLedger
    link: SqlProductionLink

    def claim(self, serial: Serial) -> ClaimedChip | None:
        """What the centre gives for a chip; the journal keeps nothing of it."""
        return self.link.claim(serial, batch=None, known=self.journal.known)

    def make(self, serial: Serial) -> None:
        """One card, as far as the journal; nothing is handed in."""
        reference = self.begin(serial)
        self.ledger.record_personalised(reference)
        self.ledger.intend_lock(reference)
        self.ledger.record_issued(reference)

    def begin(self, serial: Serial) -> CardReference:
        """The first command of one card."""
        found = self.ledger.find(serial)
        assert found is not None
        assert found.card is not None
        self.ledger.begin_personalisation(found.card.reference)
        return found.card.reference


class CentreStage(BatchStage):
    """As many members as there are cards to be made; each batch takes its chips at the left station."""

    def __init__(self, database: Database, folder: Path, *, members: int) -> None:
        super().__init__(database, folder / "marks", members=people(members))
        self.rooms = stock_of(self.register, clock=self.clock)
        self.folder = folder
        self._chips = itertools.count(1)
        self._stations = itertools.count(1)
        self._stack = contextlib.ExitStack()
        for name in (LEFT, RIGHT):
            self.stock.open_site(SiteCode(name))
        self.left, self.right = self._station(LEFT), self._station(RIGHT)

    def close(self) -> None:
        """Close the journals."""
        self._stack.close()

    def _station(self, name: StationName) -> Station:
        seal = LocalJobSeal(sealer=CARD_SEALER)
        link = SqlProductionLink(self.database, self.clock, self.vault, station=name, seal=seal)
        journal = StationJournal.open(
            self.folder / f"{name}.sqlite", station=name, account=MAKER, clock=self.clock
        )
        self._stack.callback(journal.close)
        return Station(
            name=name,
            journal=journal,
            ledger=JournalStationLedger(journal, link, seal),
            link=link,
        )

    def another_station(self) -> Station:
        """One that nobody has worked with yet."""
        name = StationName(f"station-{next(self._stations)}")
        self.stock.open_site(SiteCode(name))
        return self._station(name)

    def blanks(self, count: int, *, site: str = LEFT) -> list[Serial]:
        """New chips that lie at a site."""
        serials = [Serial(next(self._chips).to_bytes(10, "big")) for _ in range(count)]
        self.stock.receive(serials, delivery="test", site=SiteCode(site))
        return serials

    def initialised(self, count: int) -> list[Serial]:
        """New chips at the left station, initialised there."""
        numbers = itertools.islice(self._chips, count)
        return self.initialise(*numbers, site=SiteCode(LEFT))

    def signed(self, count: int) -> tuple[Batch, list[Serial]]:
        """A batch of so many cards, signed; their chips, those of higher references first."""
        self.initialised(count)
        batch = self.filled(count)
        self.freeze(batch, sites=[SiteCode(LEFT)])
        cards = self.cards.to_sign(self.cards.bound(batch_id=batch.batch_id))
        self.cards.prepare_several(
            [
                JobToKeep(
                    job=CardJob(
                        reference=card.reference,
                        serial=card.serial,
                        profile=card.profile,
                        secrets=card.secrets,
                        mrz_information="0" * 24,
                        contents={"EF.DG1": b"contents"},
                        chip_key=_known(card.chip_key),
                    ),
                    valid_until=date(2036, 11, 22),
                )
                for card in cards
            ]
        )
        self.cards.record_signed_several({card.reference: b"signed" for card in cards})
        self.cards.settle(batch.batch_id, account=FIRST.account)
        # Whoever locks cards goes by their references: a station that goes the other way is the one to be met.
        return batch, [
            card.serial for card in sorted(cards, key=lambda each: each.reference, reverse=True)
        ]

    def filled(self, count: int) -> Batch:
        """An open batch that holds so many requests."""
        batch = self.filling.create(COMMUNE, self.decision_id, actor=OPERATOR)
        self.filling.fill(batch.batch_id, actor=OPERATOR, limit=count)
        return batch

    def made(self, count: int) -> tuple[Batch, list[Serial]]:
        """A batch whose cards the left station has made and handed in."""
        batch, serials = self.signed(count)
        for serial in serials:
            self.left.make(serial)
        assert self.left.ledger.hand_in()
        return batch, serials

    def spoiled(self) -> bytes:
        """A card that its station has condemned: the next batch makes it anew; its reference."""
        _, [serial] = self.signed(1)
        self.left.begin(serial)
        self.left.ledger.condemn(serial, code="card.rejected")
        assert self.left.ledger.hand_in()
        return self.card_on(serial).reference

    def passed(self, count: int) -> tuple[Batch, list[Serial]]:
        """A batch whose cards quality control has passed."""
        batch, serials = self.made(count)
        self.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
        return batch, serials

    def received_of(
        self, count: int, *, behind_spoiled: bool = False
    ) -> tuple[Batch, list[Serial]]:
        """A batch that its receiver has counted in; its first member has a spoiled card of a lower reference, if wished."""
        if behind_spoiled:
            while self.spoiled()[0] >= _LOW:
                pass
        batch, serials = self.passed(count)
        self.delivery.pack(batch.batch_id, cards_of_box=3, actor=STOREKEEPER)
        self.delivery.dispatch(batch.batch_id, carrier="courier 7", actor=STOREKEEPER)
        self.delivery.receive(batch.batch_id, self.numbers(batch), actor=CLERK_OF_COMMUNE)
        return batch, serials

    def card_on(self, serial: Serial) -> CardRow:
        """The row of the card on a chip."""
        with self.database.reading() as session:
            return session.scalars(sa.select(CardRow).where(CardRow.serial == serial)).one()

    def claimed_by(self, serial: Serial) -> str | None:
        """Which station has a chip."""
        with self.database.reading() as session:
            claim = session.get(StationClaimRow, serial)
            return None if claim is None or claim.released_at is not None else claim.station

    def require_sound(self) -> None:
        """No card is lost or doubled, every site's books agree, and the audit trail has no gap.

        Of each card every step is told once, and what its row says of it is what was told.
        """
        views = self.rooms.room.accounts(actor=STOREKEEPER)
        assert [each.site.code for each in views if not each.account.is_balanced] == []
        with self.database.reading() as session:
            cards = session.scalars(sa.select(CardRow)).all()
            told = Counter(
                (reference, kind)
                for reference, kind in session.execute(
                    sa.select(CardEventRow.reference, CardEventRow.kind)
                )
                if reference is not None and kind in _ONCE
            )
        assert [each for each, count in told.items() if count > 1] == []
        live = Counter(each.request_id for each in cards if each.state != CardState.CONDEMNED.value)
        assert [each for each, count in live.items() if count > 1] == []
        for card in cards:
            was_told = {kind for reference, kind in told if reference == card.reference}
            for kind, holds in (
                ("condemned", card.state == CardState.CONDEMNED.value),
                ("handed-over", card.state == CardState.HANDED_OVER.value),
                ("passed", card.passed_by is not None),
                ("packed", card.box is not None),
                ("received-by-committee", card.received_at is not None),
            ):
                assert (kind in was_told) == holds, (card.serial.hex(), kind, was_told)
        report = AuditOffice(register=self.register, clock=self.clock).verify(actor=AUDITOR)
        assert report.faults == 0


_ONCE = frozenset(
    {"bound", "signed", "issued", "passed", "packed", "received-by-committee", "handed-over", "condemned"}
)  # fmt: skip
"""What happens to a card at most once."""


_LOW = 0x60
"""Below it the first octet of a reference makes it a low one."""


def _known(key: EcPublicKey | None) -> EcPublicKey:
    assert key is not None
    return key
