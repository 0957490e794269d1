"""One card from a filled batch to its member's hand, in which each thing that can fail fails once.

Every step is a use case, taken by whoever takes it in a production unit. Who is told that a step failed looks whether it
was done all the same, and does it again where it was not: nobody repairs anything.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from card_layout.atr import LifeCycle
from issuer.bootstrap_stock import stock_of
from issuer.cli_batch_delivery import _write
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.production_tables import CardEventRow, CardRow
from issuer.db.station_desk import SqlProductionLink
from issuer.db.station_tables import StationDayRow
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, Batch, BatchState
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.chip import ChipState, Serial
from issuer.domain.member import PortraitDigest
from issuer.domain.production_events import StationName
from issuer.domain.rights import Role
from issuer.domain.stock_account import SiteCode
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.papers.batch_papers import minutes_pdf, packing_list_pdf, proof_sheet_pdf
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.services.audit_office import AuditOffice
from issuer.services.batch_ports import BatchQuestion
from issuer.services.sign_batches import BatchSigning, SigningOfCards
from issuer.services.sign_cards import CardPolicy, CardSigning
from issuer.services.visit_chip import StationTask, Visit, VisitOutcome, VisitResult, Workbench
from issuer.stations.day import StationDay
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from issuer.stations.print_folder import FolderPrintQueue
from pki.errors import PkiError
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.card_states import CardState as ListedState
from simulators.authority import TestAuthority as Authority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from tests.contract.batch_stage import (
    CARD_SEALER,
    CLERK_OF_COMMUNE,
    CONTROLLER,
    OPERATOR,
    STOREKEEPER,
    BatchStage,
)
from tests.contract.requests_stage import CELL, actor
from tests.integration.production.fault_points import Faults, FaultySigner, faulty_journal
from tests.integration.production.station_stage import ANNA
from tests.integration.production.test_signing_cards import NOW as SIGNING_TIME
from tests.unit.pki.exchange_office import ExchangeOffice

STATION: Final = StationName("left")
AUDITOR: Final = actor("auditor", Role.AUDITOR)
_SCHEME: Final = CommitteeBlockScheme()
_TRIES: Final = 4
"""One fault strikes a step once; what it left behind may take two more."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a person: what is done, and how they see that it is done."""

    name: str
    work: Callable[[], object]
    is_done: Callable[[], bool]


class BatchIssuance:
    """A batch of one card; the chip lies at the station as it came from its maker."""

    def __init__(
        self, workshop: Any, authority: Authority, portrait: bytes, directory: Path, faults: Faults
    ) -> None:
        self.workshop = workshop
        self.directory = directory
        self.faults = faults
        self.portrait = portrait
        self.portraits = FolderPortraitStore(directory / "portraits")
        self.stage = BatchStage(workshop.database, directory / "marks", portraits=self.portraits)
        self.signer = FaultySigner(authority, faults)
        self.printer = ExchangeOffice().party("printer", sealed_as="station").certificate
        for name in ("print", "papers"):
            (directory / name).mkdir()
        self.chip: VirtualCard = workshop.blank(1)
        self.serial = Serial(self.chip.image.serial)
        self.history: list[str] = []
        """What went wrong, for whoever has to find out why the card is not there."""

    @property
    def steps(self) -> Sequence[Step]:
        """What is done, in order."""
        stage = self.stage
        delivery, papers = stage.delivery, stage.papers
        batch_id = self.batch.batch_id
        return (
            Step(
                name="portrait",
                work=lambda: self.portraits.put(self.portrait),
                is_done=self.has_portrait,
            ),
            Step(name="initialise", work=self.make, is_done=self.is_initialised),
            Step(
                name="propose",
                work=lambda: stage.propose(self.batch, sites=[SiteCode(STATION)]),
                is_done=lambda: self.batch.state is not BatchState.OPEN,
            ),
            self.paper(
                "proof",
                lambda: proof_sheet_pdf(
                    papers.proof(batch_id, actor=OPERATOR),
                    portrait_of=self.portraits.get,
                    display=_SCHEME.display,
                ),
            ),
            Step(
                name="freeze",
                work=self.freeze,
                is_done=lambda: self.batch.state not in (BatchState.OPEN, BatchState.FREEZING),
            ),
            Step(
                name="sign", work=self.sign, is_done=lambda: self.batch.state is BatchState.SIGNED
            ),
            Step(
                name="make",
                work=self.make,
                is_done=lambda: self.card().state == CardState.ISSUED.value,
            ),
            Step(name="close day", work=self.close_day, is_done=self.is_day_closed),
            Step(name="pass", work=self.pass_card, is_done=lambda: bool(self.card().passed_by)),
            Step(
                name="pack",
                work=lambda: delivery.pack(batch_id, cards_of_box=3, actor=STOREKEEPER),
                is_done=lambda: self.card().box is not None,
            ),
            self.paper(
                "packing list",
                lambda: packing_list_pdf(
                    papers.packing_list(batch_id, actor=STOREKEEPER), display=_SCHEME.display
                ),
            ),
            Step(
                name="dispatch",
                work=lambda: delivery.dispatch(batch_id, carrier="courier 7", actor=STOREKEEPER),
                is_done=lambda: self.batch.state is BatchState.DISPATCHED,
            ),
            Step(
                name="receive",
                work=lambda: delivery.receive(
                    batch_id, stage.numbers(self.batch), actor=CLERK_OF_COMMUNE
                ),
                is_done=lambda: self.batch.state is BatchState.RECEIVED,
            ),
            self.paper(
                "minutes",
                lambda: minutes_pdf(
                    papers.minutes(batch_id, actor=CLERK_OF_COMMUNE, taker=CELL, to_members=True),
                    display=_SCHEME.display,
                ),
            ),
            Step(
                name="hand over",
                work=self.hand_over,
                is_done=lambda: self.batch.state is BatchState.HANDED_OVER,
            ),
        )

    def run(self) -> list[str]:
        """All steps in their order; the codes of what went wrong."""
        codes: list[str] = []
        self.faults.is_on = False
        steps = self.steps
        self.faults.is_on = True
        for step in steps:
            for _ in range(_TRIES):
                try:
                    if step.is_done():
                        break
                    step.work()
                except (IssuerError, PkiError) as error:
                    codes.append(error.code)
                    self.history.append(f"{step.name}: {error.code}: {error}")
            else:
                assert step.is_done(), self.history
        return codes

    @property
    def batch(self) -> Batch:
        with self.stage.register.reading() as transaction:
            [found] = transaction.batches.page(EVERY_BATCH, limit=2).batches
        return found

    def card(self) -> CardRow:
        with self.workshop.database.reading() as session:
            return session.scalars(sa.select(CardRow)).one()

    def has_portrait(self) -> bool:
        try:
            self.portraits.get(PortraitDigest(hashlib.sha256(self.portrait).digest()))
        except IssuerRefusedError:
            return False
        return True

    def is_initialised(self) -> bool:
        [record] = self.workshop.stock.chips()
        return record.chip.state is ChipState.INITIALISED

    def is_day_closed(self) -> bool:
        with self.workshop.database.reading() as session:
            return bool(session.scalars(sa.select(StationDayRow)).all())

    def paper(self, name: str, print_it: Callable[[], bytes]) -> Step:
        path = self.directory / "papers" / f"{name}.pdf"
        return Step(name=name, work=lambda: _write(path, print_it()), is_done=path.exists)

    def freeze(self) -> None:
        """As the second person, with what stands on the sheet."""
        proposal = self.batch.proposal
        assert proposal is not None
        self.stage.freezing.confirm(
            self.batch.batch_id,
            proposal.proof.hex(),
            actor=CONTROLLER,
            sites=[SiteCode(STATION)],
        )

    def sign(self) -> None:
        """Under the authorisation that two gave to the decision."""
        signing = BatchSigning(
            desk=self.stage.desk, cards=self.stage.cards, open_signer=self.open_signer
        )
        outcomes = list(signing.sign(self.batch.batch_id, actor=OPERATOR))
        self.history += [f"sign: {each.code}: {each.message}" for each in outcomes if each.code]

    @contextlib.contextmanager
    def open_signer(self, authorisation: BatchAuthorisation | None) -> Iterator[SigningOfCards]:
        assert authorisation is not None
        yield CardSigning(
            cards=self.stage.cards,
            register=self.stage.register,
            portraits=self.portraits,
            signer=self.signer,
            profile=self.workshop.profile,
            policy=CardPolicy(validity_years=10, personalisation_system="membercard"),
            clock=lambda: SIGNING_TIME,
            authorisation=authorisation.digest,
        )

    def make(self) -> None:
        """The station is started, the chip put in until nothing is left to do, and the station ended."""
        with self.station() as (_, ledger, _link):
            outcome = self.visit(ledger)
            while outcome.result is VisitResult.INTERRUPTED or outcome.code == "station.link-lost":
                outcome = self.visit(ledger)
            while not ledger.hand_in():
                # The station tries again until the centre answers.
                pass

    def close_day(self) -> None:
        with self.station() as (journal, ledger, link):
            StationDay(
                journal=journal,
                ledger=ledger,
                link=link,
                clock=self.stage.clock,
                prints=self.print_queue(),
            ).close(account=ANNA)

    def pass_card(self) -> None:
        report = self.stage.control.pass_cards(self.batch.batch_id, [self.serial], actor=CONTROLLER)
        assert report.refused == ()

    def hand_over(self) -> None:
        acknowledgement = Acknowledgement(kind=AcknowledgementKind.MEMBER)
        for each in self.stage.delivery.hand_over(
            self.batch.batch_id,
            self.stage.numbers(self.batch),
            acknowledgement,
            actor=CLERK_OF_COMMUNE,
        ):
            self.history.append(f"hand over: {each.code}: {each.message}")

    @contextlib.contextmanager
    def station(self) -> Iterator[tuple[StationJournal, JournalStationLedger, SqlProductionLink]]:
        seal = LocalJobSeal(sealer=CARD_SEALER)
        link = SqlProductionLink(
            self.workshop.database, self.stage.clock, self.stage.vault, station=STATION, seal=seal
        )
        journal = StationJournal.open(
            self.directory / "left.sqlite",
            station=STATION,
            account=ANNA,
            clock=self.stage.clock,
            connect=self.connect,
        )
        try:
            yield journal, JournalStationLedger(journal, link, seal), link
        finally:
            journal.close()

    def visit(self, ledger: JournalStationLedger) -> VisitOutcome:
        bench = self.workshop.bench(StationTask.RUN, ledger)
        given = {name: getattr(bench, name) for name in Workbench.__dataclass_fields__}
        connection = SimulatedReader(self.chip, sleep=lambda _seconds: None).connect()
        try:
            outcome = Visit(Workbench(**given | {"prints": self.print_queue()}), connection).run()
        finally:
            connection.close()
        self.history.append(f"{outcome.result} {outcome.code}: {outcome.message}")
        return outcome

    def print_queue(self) -> FolderPrintQueue:
        return FolderPrintQueue(directory=self.directory / "print", certificate=self.printer)

    def connect(self, path: Path) -> sqlite3.Connection:
        return faulty_journal(path, self.faults)

    def require_handed_over_once(self) -> None:
        """One card, made once, in its member's hand; every record says the same, and none is missing."""
        self.faults.is_on = False
        card = self.card()
        reference = CardReference(card.reference)
        assert card.state == CardState.HANDED_OVER.value, self.history
        assert self.chip.image.state is LifeCycle.OPERATIONAL
        with self.stage.register.reading() as transaction:
            assert transaction.cards.get(reference).validity.state is ListedState.VALID
            assert list(transaction.batches.acknowledgements([reference])) == [reference]
        with self.workshop.database.reading() as session:
            told = list(
                session.execute(
                    sa.select(CardEventRow.kind, CardEventRow.station)
                    .where(CardEventRow.reference == reference)
                    .order_by(CardEventRow.sequence)
                )
            )
        kinds = [kind for kind, _ in told]
        assert [kinds.count(kind) for kind in ONCE] == [1] * len(ONCE), kinds
        assert len({request.reference for request in self.signer.requests}) == 1
        assert [path.name for path in (self.directory / "print").glob("*.print")] == [
            f"{self.serial.hex().upper()}-1.print"
        ]
        for folder in ("papers", "print", "marks"):
            assert not list((self.directory / folder).glob(".*")), folder
        with self.station() as (journal, ledger, _):
            assert ledger.hand_in()
            assert (journal.rejections(), journal.jobs_held()) == ((), ())
        self.require_accounts()

    def require_accounts(self) -> None:
        """The audit trail has no gap, the books of every site agree."""
        audit = AuditOffice(register=self.stage.register, clock=self.stage.clock)
        assert audit.verify(actor=AUDITOR).faults == 0
        room = stock_of(self.stage.register, clock=self.stage.clock).room
        for view in room.accounts(actor=STOREKEEPER):
            assert view.account.is_balanced, view.site.code


ONCE: Final = (
    "bound", "signing-prepared", "signed", "issued", "passed", "packed", "received-by-committee", "handed-over",
    "secrets-destroyed",
)  # fmt: skip
"""What is told of a card once and no more, whatever was done again."""

EVERY_BATCH: Final = BatchQuestion()
