"""The end of a station's day: everything is handed in, everything sealed is destroyed, and a record says so."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from issuer.domain.card import CardReference, CardState
from issuer.domain.chip import ChipState
from issuer.domain.production_events import ProductionEvent, ProductionEventKind
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.print_ports import PrintQueue
from issuer.services.production_ports import ChipRecord, Clock
from issuer.services.station_ports import DayRecord, ProductionLink
from issuer.stations.given_files import GivenFiles, GivenKind
from issuer.stations.journal import StationJournal
from issuer.stations.journal_day import begin_day_after, events_of_today
from issuer.stations.journal_ledger import JournalStationLedger
from issuer.stations.record_text import days_from_text, days_to_text
from issuer.stations.waiting_prints import WaitingPrints

__all__ = ["StationDay"]

_CLOSING: Final = "closing-day"
_DESTROYING: Final = "destroying"
_NAMED: Final = 10
"""So many of the chips that keep a day open are named: what lies before an operator."""

_BEGUN: Final = (CardState.PERSONALISING, CardState.PERSONALISED, CardState.LOCKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationDay:
    """Closes the day of one station; what its printer has not yet goes to ``prints`` before."""

    journal: StationJournal
    ledger: JournalStationLedger
    link: ProductionLink
    clock: Clock
    prints: PrintQueue | None = None

    def close(self, *, account: AccountName) -> DayRecord:
        """Close the day; closing again after a break goes on where it stopped.

        What is to be destroyed is on disk before it is destroyed, and that it was destroyed before the day is closed.

        Raises:
            IssuerRefusedError: a chip is begun and not finished (``station.unfinished``), the centre does not answer
                (``station.link-lost``), or the clock was set back (``station.clock-back``).
            IssuerUnavailableError: the journal is gone; a finished card's job cannot be handed to the printer, and would
                be destroyed with the day (``print.unavailable``).
        """
        self.journal.time.require_sound()
        told = self._tell_again()
        in_hand = self.journal.in_hand()
        is_at_rest = (
            not in_hand
            and not self.journal.jobs_held()
            and all(files.is_empty for files in self._files())
        )
        if told is not None and told.head == self.journal.head and is_at_rest:
            return told
        unfinished = [record.chip.serial for record in in_hand if _is_begun(record)]
        if unfinished:
            named = ", ".join(serial.hex().upper() for serial in unfinished[:_NAMED])
            raise IssuerRefusedError(
                f"{len(unfinished)} chips are begun and not finished: {named}"
                + (", ..." if len(unfinished) > _NAMED else ""),
                code="station.unfinished",
                hint="put each into the station once more, or reject it: membercard-issuer station reject SERIAL",
            )
        WaitingPrints(journal=self.journal, ledger=self.ledger, prints=self.prints).hand_over()
        self._require_handed_in()
        destroyed = self._destroy()
        self._require_handed_in()
        head = self.journal.head
        issued, condemned = self._counts()
        record = DayRecord(
            head=head,
            at=self.clock(),
            closed_by=account,
            issued=issued,
            condemned=condemned,
            destroyed=destroyed,
        )
        self.journal.remember(_CLOSING, days_to_text([record]))
        self._tell(record)
        return record

    def _tell_again(self) -> DayRecord | None:
        """The record of a day whose end the centre may not have heard, as it was written."""
        for record in days_from_text(self.journal.fact(_CLOSING) or "[]"):
            self._tell(record)
            return record
        return None

    def _tell(self, record: DayRecord) -> None:
        """Close it at the centre, which takes the same record once; only then is it forgotten here."""
        self.link.close_day(record)
        self.journal.remember(_DESTROYING, "[]")
        begin_day_after(self.journal, record.head.sequence)
        self.journal.remember(_CLOSING, "[]")

    def _require_handed_in(self) -> None:
        if self.link.answers_at_once and not self.ledger.hand_in():
            raise IssuerRefusedError(
                "the centre does not answer, and has not all events of this station",
                code="station.link-lost",
                hint="close the day when it answers",
            )

    def _destroy(self) -> tuple[CardReference, ...]:
        named = json.loads(self.journal.fact(_DESTROYING) or "[]")
        held = [reference.hex() for reference in self.journal.jobs_held()]
        named = sorted({*named, *held})
        self.journal.remember(_DESTROYING, json.dumps(named))
        self.journal.destroy_jobs()
        digest = hashlib.sha256("".join(named).encode("ascii")).hexdigest()
        self.journal.append(
            ProductionEventKind.NOTED,
            None,
            code="station.jobs-destroyed",
            detail=f"{len(named)} cards, SHA-256 of their references {digest}",
        )
        self._destroy_files()
        return tuple(CardReference(bytes.fromhex(each)) for each in named)

    def _files(self) -> tuple[GivenFiles, ...]:
        return tuple(GivenFiles(journal=self.journal, kind=kind) for kind in GivenKind)

    def _destroy_files(self) -> None:
        for files in self._files():
            destroyed = files.destroy()
            if destroyed.digests:
                self.journal.append(
                    ProductionEventKind.NOTED,
                    None,
                    code=files.kind.destroyed,
                    detail=destroyed.detail,
                )
                files.forget()

    def today(self) -> Iterator[ProductionEvent]:
        """What happened since the last day close, in order.

        Raises:
            IssuerUnavailableError: the journal is gone, or was altered.
        """
        return events_of_today(self.journal)

    def _counts(self) -> tuple[int, int]:
        kinds = Counter(event.kind for event in self.today())
        return kinds[ProductionEventKind.ISSUED], kinds[ProductionEventKind.CONDEMNED]


def _is_begun(record: ChipRecord) -> bool:
    """Whether a command may have reached the chip, and its end is not known."""
    return record.chip.state is ChipState.INITIALISING or (
        record.card is not None and record.card.state in _BEGUN
    )
