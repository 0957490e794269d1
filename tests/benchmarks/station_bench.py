"""A station as benchmarks run it: a journal on disk, a centre that answers at once, and chips that wait for their data."""

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from card_layout.transport.connection import CardReader
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.sealing import Sealer
from issuer.domain.batch import BatchId
from issuer.domain.card import Card, CardState
from issuer.domain.chip import Chip, ChipState, Serial
from issuer.domain.member import MemberId
from issuer.domain.production_events import JournalHead, ProductionEvent, StationName
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex
from issuer.personalisation.native import NativeDialect
from issuer.personalisation.quality_control import TerminalQualityControl
from issuer.services.production_ports import ChipRecord
from issuer.services.station import Station, StationTiming
from issuer.services.station_ports import (
    ClaimedChip,
    DayRecord,
    HandInReceipt,
    StationPresence,
)
from issuer.services.visit_chip import StationTask, Workbench
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from tests.benchmarks.personalising import PROFILE, BenchKeys, StationBench

__all__ = ["ledger_of", "station_over"]


class _GivingLink:
    """A centre that answers at once and gives each chip with its job."""

    answers_at_once = True
    events_at_once = 500

    def __init__(self, benches: Sequence[StationBench], seal: LocalJobSeal) -> None:
        self._chips = {bench.serial: _claimed(bench, seal) for bench in benches}

    def claim(
        self, serial: Serial, *, batch: BatchId | None, known: JournalHead
    ) -> ClaimedChip | None:
        del batch, known
        return self._chips.get(serial)

    def greet(
        self, presence: StationPresence, *, batch: BatchId | None, known: JournalHead
    ) -> int | None:
        del presence, batch, known
        return None

    def hand_in(self, events: Sequence[ProductionEvent], *, head: JournalHead) -> HandInReceipt:
        del events
        return HandInReceipt(through=head.sequence)

    def close_day(self, record: DayRecord) -> None:
        del record


def _claimed(bench: StationBench, seal: LocalJobSeal) -> ClaimedChip:
    card = Card(
        reference=bench.job.reference,
        member_id=MemberId(uuid.UUID(int=1)),
        request_id=RequestId(uuid.UUID(int=1)),
        serial=bench.serial,
        state=CardState.SIGNED,
        ordinal=1,
        status=StatusIndex(list_id=bytes(8), index=1),
        profile=PROFILE.name,
        bound_at=datetime.now(UTC),
    )
    chip = Chip(serial=bench.serial, state=ChipState.INITIALISED, public_key=bench.public_key)
    return ClaimedChip(
        record=ChipRecord(chip=chip, card=card), is_claimed=True, sealed_job=seal.seal(bench.job)
    )


@contextlib.contextmanager
def ledger_of(benches: Sequence[StationBench]) -> Iterator[JournalStationLedger]:
    """The ledger of a station with a journal on disk."""
    seal = LocalJobSeal(sealer=Sealer(encryption_key=bytes(32), digest_key=bytes(32)))
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as directory:
        journal = StationJournal.open(
            Path(directory) / "station.sqlite",
            station=StationName("bench"),
            account=AccountName("bench"),
            clock=lambda: datetime.now(UTC),
        )
        with contextlib.closing(journal):
            yield JournalStationLedger(journal, _GivingLink(benches, seal), seal)


def station_over(
    ledger: JournalStationLedger, readers: Sequence[CardReader], *, count: int
) -> Station:
    return Station(
        Workbench(
            task=StationTask.RUN,
            profile=PROFILE,
            ledger=ledger,
            chip_keys=BenchKeys(),
            dialect=NativeDialect(profile=PROFILE),
            quality_control=TerminalQualityControl(profile=PROFILE),
        ),
        readers,
        timing=StationTiming(patience=60.0),
        count=count,
        hand_in=ledger.hand_in,
    )
