"""Print jobs that were not handed over: of cards that were finished right before a power cut, or while the printer was away."""

from dataclasses import dataclass

from issuer.domain.card import CardState
from issuer.domain.production_events import ProductionEventKind
from issuer.errors import IssuerUnavailableError
from issuer.services.print_ports import PrintQueue
from issuer.services.production_ports import ChipRecord
from issuer.services.visit_chip import PRINTED
from issuer.stations.journal import StationJournal
from issuer.stations.journal_day import events_of_today
from issuer.stations.journal_ledger import JournalStationLedger

__all__ = ["WaitingPrints"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPrints:
    """The finished cards of which the journal does not say that the printer has their job.

    Attributes:
        prints: where jobs go; where there is nothing, no card waits.
    """

    journal: StationJournal
    ledger: JournalStationLedger
    prints: PrintQueue | None

    def hand_over(self) -> int:
        """Hand each over as its first copy, which changes nothing where the queue has it; how many there were.

        One that cannot be handed over keeps no other back.

        Raises:
            IssuerUnavailableError: of the first that could not be: ``print.unavailable``, ``production.seal-broken``; or
                the journal is gone.
            PkiError: the key that opens jobs is not to be had.
        """
        failure: IssuerUnavailableError | None = None
        waiting = () if self.prints is None else self._waiting()
        for record in waiting:
            try:
                self._print(record)
            except IssuerUnavailableError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return len(waiting)

    def _print(self, record: ChipRecord) -> None:
        if self.prints is None or record.card is None:
            return
        self.prints.hand_over(self.ledger.load_job(record.card.reference), copy=1)
        self.ledger.note("copy 1", serial=record.chip.serial, code=PRINTED, detail="it had waited")

    def _waiting(self) -> tuple[ChipRecord, ...]:
        finished = self.journal.records_in(CardState.ISSUED)
        if not finished:
            return ()
        printed = {
            event.serial
            for event in events_of_today(self.journal)
            if event.kind is ProductionEventKind.NOTED and event.code == PRINTED
        }
        return tuple(record for record in finished if record.chip.serial not in printed)
