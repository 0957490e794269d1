"""One issuance from the stock to the end of the day, in which each thing that can fail fails once.

What can fail is found by counting while nothing fails: every statement of the register and of the station's journal,
every command to the chip, every signature, every file that is written.
"""

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sql_event

from card_layout.atr import LifeCycle
from card_layout.errors import TransportError
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.register import SqlRegister
from issuer.db.station_desk import SqlProductionLink
from issuer.domain.card import CardState
from issuer.domain.production_events import StationName
from issuer.errors import IssuerError
from issuer.services.sign_cards import CardPolicy, CardSigning
from issuer.services.visit_chip import StationTask, Visit, VisitOutcome, VisitResult, Workbench
from issuer.stations.day import StationDay
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from issuer.stations.print_folder import FolderPrintQueue
from pki.errors import KeystoreError, PkiError
from simulators.authority import TestAuthority as Authority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from tests.contract.bound_cards import bind_cards
from tests.integration.production.station_stage import ANNA
from tests.integration.production.test_signing_cards import NOW, RecordingSigner
from tests.unit.pki.exchange_office import ExchangeOffice

STATION = StationName("left")


@dataclass
class Faults:
    """Counts what could fail; the one with the number ``strikes`` fails."""

    strikes: int | None = None
    points: list[str] = field(default_factory=list)
    is_on: bool = True

    def pass_by(self, what: str, error: Callable[[], BaseException]) -> None:
        if not self.is_on:
            return
        self.points.append(what)
        if len(self.points) - 1 == self.strikes:
            raise error()


class Issuance:
    """One chip and one member; every step can be done again after a failure, by new objects over the same disks."""

    def __init__(
        self, workshop: Any, authority: Authority, portrait: bytes, directory: Path, faults: Faults
    ) -> None:
        self.workshop = workshop
        self.directory = directory
        self.faults = faults
        workshop.portraits.image = portrait
        self.signer = FaultySigner(authority, faults)
        self.printer = ExchangeOffice().party("printer", sealed_as="station").certificate
        (directory / "print").mkdir()
        workshop.add_members(1)
        workshop.receive(1, site=STATION)
        self.card: VirtualCard = workshop.blank(1)
        self.history: list[str] = []
        """How every visit ended, for whoever has to find out why the card is not there."""

    def run(self) -> list[str]:
        """All steps in their order; the codes of what went wrong. A step that failed is done again at once."""
        codes: list[str] = []
        for step in (self.make, self.bind, self.sign, self.make, self.close_day):
            try:
                step()
            except (IssuerError, PkiError) as error:
                codes.append(error.code)
                step()
        return codes

    def bind(self) -> None:
        if self.rows(CardRow):
            return
        bind_cards(
            ledger=self.workshop.cards,
            profile=self.workshop.profile,
            random_bytes=random.Random(5).randbytes,
            marks=self.workshop.marks,
        )

    def sign(self) -> None:
        outcomes = CardSigning(
            cards=self.workshop.cards,
            register=SqlRegister(self.workshop.database, self.workshop.sealer),
            portraits=self.workshop.portraits,
            signer=self.signer,
            profile=self.workshop.profile,
            policy=CardPolicy(validity_years=10, personalisation_system="membercard"),
            clock=self.clock,
        ).sign(self.workshop.cards.bound())
        assert [each.code for each in outcomes if each.code] == []

    def make(self) -> None:
        """The station is started, the chip put in until nothing is left to do, and the station ended."""
        with self.station() as (journal, ledger, _):
            del journal
            outcomes = [self.visit(ledger)]
            # A person puts the chip in again where the exchange broke off, or the centre did not answer.
            while (
                outcomes[-1].result is VisitResult.INTERRUPTED
                or outcomes[-1].code == "station.link-lost"
            ):
                assert outcomes[-1].code
                outcomes.append(self.visit(ledger))
            while not ledger.hand_in():
                # The station tries again until the centre answers; before that nobody can bind what it made.
                pass

    def close_day(self) -> None:
        with self.station() as (journal, ledger, link):
            StationDay(
                journal=journal,
                ledger=ledger,
                link=link,
                clock=self.clock,
                prints=self.print_queue(),
            ).close(account=ANNA)

    @contextlib.contextmanager
    def station(self) -> Iterator[tuple[StationJournal, JournalStationLedger, SqlProductionLink]]:
        seal = LocalJobSeal(sealer=self.workshop.sealer())
        link = SqlProductionLink(
            self.workshop.database, self.clock, self.workshop.vault, station=STATION, seal=seal
        )
        journal = StationJournal.open(
            self.directory / "left.sqlite",
            station=STATION,
            account=ANNA,
            clock=self.clock,
            connect=self.connect,
        )
        try:
            yield journal, JournalStationLedger(journal, link, seal), link
        finally:
            journal.close()

    def visit(self, ledger: JournalStationLedger) -> VisitOutcome:
        bench = self.workshop.bench(StationTask.RUN, ledger)
        given = {name: getattr(bench, name) for name in Workbench.__dataclass_fields__}
        reader = SimulatedReader(self.card, sleep=lambda _seconds: None)
        connection = FaultyConnection(reader.connect(), self.faults)
        try:
            outcome = Visit(Workbench(**given | {"prints": self.print_queue()}), connection).run()
            self.history.append(f"{outcome.result} {outcome.code}: {outcome.message}")
            return outcome
        finally:
            connection.close()

    def print_queue(self) -> FolderPrintQueue:
        return FolderPrintQueue(directory=self.directory / "print", certificate=self.printer)

    def connect(self, path: Path) -> sqlite3.Connection:
        return faulty_journal(path, self.faults)

    def clock(self) -> datetime:
        return NOW

    def rows(self, table: Any) -> list[Any]:
        with self.workshop.database.reading() as session:
            return list(session.scalars(sa.select(table)))

    def require_one_card_or_none(self) -> str:
        """Issued, or condemned with its reason; nothing doubled, nothing lost, both records alike."""
        self.faults.is_on = False
        [chip] = self.rows(ChipRow)
        cards = self.rows(CardRow)
        live = [card for card in cards if card.state != CardState.CONDEMNED.value]
        assert len(live) <= 1
        if chip.state == "condemned":
            assert chip.condemned_for
            assert self.card.image.state is not LifeCycle.OPERATIONAL
            return "condemned"
        [card] = live
        assert card.state == CardState.ISSUED.value, self.history
        assert self.card.image.state is LifeCycle.OPERATIONAL
        printed = [path.name for path in (self.directory / "print").glob("*.print")]
        assert printed == [f"{self.card.image.serial.hex().upper()}-1.print"]
        job = self.workshop.station.load_job(card.reference)
        for file in self.workshop.profile.application_files:
            assert self.card.image.files[file.path].data == job.contents[file.name]
        assert len({request.reference for request in self.signer.requests}) == 1
        kinds = [row.kind for row in self.rows(CardEventRow)]
        assert [kinds.count(kind) for kind in ("bound", "signed", "issued")] == [1, 1, 1]
        with self.station() as (journal, ledger, _):
            assert ledger.hand_in()
            assert journal.rejections() == ()
            assert journal.jobs_held() == ()
            told = [event.kind.value for event in journal.events()]
        assert told == [row.kind for row in self.rows(CardEventRow) if row.station and row.account]
        return "issued"


def faulty_journal(path: Path, faults: Faults) -> sqlite3.Connection:
    """A station's journal, each statement of which passes by the faults."""

    class FaultyJournal(sqlite3.Connection):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            faults.pass_by(
                f"journal: {statement.split(maxsplit=1)[0]}",
                lambda: sqlite3.OperationalError("disk I/O error"),
            )
            return super().execute(statement, *arguments)

    return sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, factory=FaultyJournal
    )


class FaultyConnection:
    """The wire to the chip; a command that fails may or may not have reached it."""

    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    @property
    def atr(self) -> bytes:
        return bytes(self._inner.atr)

    def transmit(self, command: bytes) -> bytes:
        self._faults.pass_by("command lost", lambda: TransportError("the reader failed"))
        answer = bytes(self._inner.transmit(command))
        self._faults.pass_by("answer lost", lambda: TransportError("the reader failed"))
        return answer

    def reset(self) -> bytes:
        self._faults.pass_by("reset", lambda: TransportError("the reader failed"))
        return bytes(self._inner.reset())

    def close(self) -> None:
        self._inner.close()


class FaultySigner(RecordingSigner):
    """A signer that fails before it has recorded anything, or after it has signed."""

    def __init__(self, authority: Authority, faults: Faults) -> None:
        super().__init__(authority)
        self._faults = faults

    def sign_many(self, requests: Sequence[Any]) -> list[bytes]:
        self._faults.pass_by("signature", lambda: KeystoreError("the token is gone"))
        signed = super().sign_many(requests)
        self._faults.pass_by("signature lost", lambda: KeystoreError("the signer is gone"))
        return signed


@contextlib.contextmanager
def failing_disks(workshop: Any, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Statements of the register and writes of files pass by the faults."""

    def statement(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        faults.pass_by(
            f"register: {text.split(maxsplit=1)[0]}",
            lambda: sa.exc.OperationalError("", {}, sqlite3.OperationalError("disk I/O error")),
        )

    engine = workshop.database.engine
    do_commit = engine.dialect.do_commit

    def commit(connection: Any) -> None:
        faults.pass_by("register: COMMIT", lambda: sqlite3.OperationalError("disk I/O error"))
        do_commit(connection)

    fsync, replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        faults.pass_by("file: fsync", lambda: OSError(28, "No space left on device"))
        fsync(descriptor)

    def rename(path: Path, target: Any) -> Path:
        faults.pass_by("file: rename", lambda: OSError(28, "No space left on device"))
        return replace(path, target)

    sql_event.listen(engine, "before_cursor_execute", statement)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        patch.setattr(Path, "replace", rename)
        patch.setattr(engine.dialect, "do_commit", commit)
        yield
    sql_event.remove(engine, "before_cursor_execute", statement)
