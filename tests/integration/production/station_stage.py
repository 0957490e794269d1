"""A station under test: its journal in a file, a way to the centre that somebody can cut, and a clock."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.register import SqlRegister
from issuer.db.station_desk import SqlProductionLink
from issuer.db.stations import SqlStationBook
from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import StationName
from issuer.domain.rights import AccountName, Role
from issuer.domain.stock_account import SiteCode
from issuer.errors import IssuerUnavailableError
from issuer.services.enrol_stations import StationEnrolment
from issuer.services.print_ports import PrintQueue
from issuer.services.station_ports import ClaimedChip, HandInReceipt
from issuer.services.stock_desk import StockDesk
from issuer.services.visit_chip import StationTask, VisitResult
from issuer.stations.bundles import BundleProductionLink, StationBundles
from issuer.stations.day import StationDay
from issuer.stations.desk import EnrolledStation, StationDesk
from issuer.stations.exchange_keys import ExchangeKeys, Peer, judge_peer
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from issuer.stations.orders import StationOrders, WantedChips
from issuer.stations.remote_link import RemoteProductionLink
from simulators.faults import Fault
from tests.contract.stock_stage import staff
from tests.unit.pki.exchange_office import ExchangeOffice, Party

NOW = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
ANNA = AccountName("anna")
RUN = StationTask.RUN
MANAGER = staff("thu", Role.ADMINISTRATOR)
COLLEAGUE = staff("tam", Role.ADMINISTRATOR)
KEEPER = staff("kho", Role.STOREKEEPER, Role.PRODUCTION_OPERATOR)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class CuttableLink:
    """A way to the centre that somebody can cut."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.is_cut = False

    @property
    def answers_at_once(self) -> bool:
        return bool(self._inner.answers_at_once)

    @property
    def events_at_once(self) -> int:
        return int(self._inner.events_at_once)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.is_cut:
                raise IssuerUnavailableError("the cable is cut", code="station.no-answer")
            return method(*args, **kwargs)

        return call


@dataclass(kw_only=True)
class StationUnderTest:
    name: str
    workshop: Any
    journal: StationJournal
    ledger: JournalStationLedger
    link: CuttableLink
    clock: Clock

    def visit(self, card: Any, *faults: Fault) -> Any:
        outcome, _ = self.workshop.visit(card, RUN, faults=faults, ledger=self.ledger)
        return outcome

    def claim(self, serial: Serial, batch: BatchId | None = None) -> ClaimedChip | None:
        """What the centre gives for a chip; nothing of it is kept in the journal."""
        known = self.journal.known
        found: ClaimedChip | None = self.link.claim(serial, batch=batch, known=known)
        return found

    def day(self, prints: PrintQueue | None = None) -> StationDay:
        return StationDay(
            journal=self.journal,
            ledger=self.ledger,
            link=self.link,
            clock=self.clock,
            prints=prints,
        )

    def close_day(self) -> Any:
        return self.day().close(account=ANNA)


def rows(workshop: Any, table: Any) -> list[Any]:
    with workshop.database.reading() as session:
        return list(session.scalars(sa.select(table)))


def prepared(workshop: Any, station: StationUnderTest, count: int = 1) -> list[Any]:
    """Chips that the station has initialised, with signed cards."""
    workshop.add_members(count)
    workshop.receive(*range(1, count + 1), site=station.name)
    cards = [workshop.blank(number) for number in range(1, count + 1)]
    for card in cards:
        assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    workshop.bind_and_sign()
    return cards


class PartyKeystore:
    """Somebody's two keys as a keystore that is used from one thread."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def call(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    def signer(self, _key_id: str) -> Any:
        return self._party.signer

    def agree(self, _key_id: str, public_key: ec.EllipticCurvePublicKey) -> bytes:
        return self._party.agree(public_key)


def peer_of(party: Party) -> Peer:
    return Peer(
        name=party.name,
        signer_certificate=party.signer_certificate,
        certificate=party.certificate,
    )


class Stations:
    """One centre with its desk, and stations that reach it in the three ways."""

    def __init__(self, workshop: Any, directory: Path, stack: contextlib.ExitStack) -> None:
        self.workshop = workshop
        self.directory = directory
        self.clock = Clock()
        self.office = ExchangeOffice()
        self.centre = self.office.party("centre")
        self.book = SqlStationBook(workshop.database, self.clock)
        self.desk = StationDesk(
            keys=self.keys_of(self.centre),
            book=self.book,
            link_of=lambda name, seal: self._sql_link(name, seal, is_elsewhere=True),
            clock=self.clock,
        )
        register = SqlRegister(workshop.database, workshop.sealer, lambda: workshop.vault)
        self.enrolment = StationEnrolment(register=register, judge=self._judge, clock=self.clock)
        self.orders = StationOrders(
            stock=StockDesk(register=register, clock=self.clock),
            book=self.book,
            keys=self.desk.keys,
        )
        self._stack = stack

    def _judge(self, name: StationName, certificates: ExchangeCertificates) -> None:
        peer = Peer(
            name=name,
            signer_certificate=certificates.signer,
            certificate=certificates.receiver,
        )
        judge_peer(peer, root=self.office.root, is_station=True, now=self.clock())

    def keys_of(self, party: Party) -> ExchangeKeys:
        return ExchangeKeys(
            keystore=PartyKeystore(party),
            signing_key_id="signer",
            key_id="own",
            own=peer_of(party),
            root=self.office.root,
            clock=self.clock,
        )

    def enrol(self, name: str) -> Party:
        party = self.office.party(name, sealed_as="station")
        self.know(name, party)
        return party

    def know(self, name: str, party: Party) -> None:
        """Two people make the party a station of this name; it has its place in the stock."""
        self.workshop.stock.open_site(SiteCode(name))
        certificates = ExchangeCertificates(
            signer=party.signer_certificate, receiver=party.certificate
        )
        proposal = self.enrolment.propose(StationName(name), certificates, actor=MANAGER)
        self.enrolment.confirm(
            StationName(name), fingerprint=proposal.certificates.fingerprint, actor=COLLEAGUE
        )

    def order(self, name: str, serials: Sequence[Serial]) -> tuple[bytes, tuple[ClaimedChip, ...]]:
        """These chips for a station elsewhere; those that lie in the store are issued to it."""
        given = self.orders.give(StationName(name), WantedChips(chips=serials), actor=KEEPER)
        return given.sealed, given.chips

    def accept(self, sealed: bytes) -> tuple[EnrolledStation, HandInReceipt | None]:
        """A report that was carried, by somebody who makes cards at the station."""
        return self.desk.accept(sealed, demand=lambda _name: None)

    def here(self, name: str = "left") -> StationUnderTest:
        seal = LocalJobSeal(sealer=self.workshop.sealer())
        return self._station(name, self._sql_link(StationName(name), seal), seal)

    def over_the_network(
        self, name: str, party: Party, transport: Callable[[bytes], bytes] | None = None
    ) -> StationUnderTest:
        keys = self.keys_of(party)
        link = RemoteProductionLink(
            station=StationName(name),
            keys=keys,
            centre=peer_of(self.centre),
            transport=transport or self.desk.answer,
            clock=self.clock,
        )
        return self._station(name, link, keys.job_seal(keys.own))

    def offline(self, name: str, party: Party) -> tuple[StationUnderTest, StationBundles]:
        keys = self.keys_of(party)
        journal = self._journal(name)
        station = self._station(
            name, BundleProductionLink(journal=journal), keys.job_seal(keys.own), journal
        )
        return station, StationBundles(
            station=StationName(name),
            journal=journal,
            keys=keys,
            centre=peer_of(self.centre),
            clock=self.clock,
        )

    def _sql_link(self, name: Any, seal: Any, *, is_elsewhere: bool = False) -> SqlProductionLink:
        return SqlProductionLink(
            self.workshop.database,
            self.clock,
            self.workshop.vault,
            station=name,
            seal=seal,
            is_elsewhere=is_elsewhere,
        )

    def _journal(self, name: str) -> StationJournal:
        journal = StationJournal.open(
            self.directory / f"{name}.sqlite",
            station=StationName(name),
            account=ANNA,
            clock=self.clock,
        )
        self._stack.callback(journal.close)
        return journal

    def _station(
        self, name: str, inner: Any, seal: Any, journal: StationJournal | None = None
    ) -> StationUnderTest:
        link = CuttableLink(inner)
        the_journal = journal or self._journal(name)
        return StationUnderTest(
            name=name,
            workshop=self.workshop,
            journal=the_journal,
            ledger=JournalStationLedger(the_journal, link, seal),
            link=link,
            clock=self.clock,
        )
