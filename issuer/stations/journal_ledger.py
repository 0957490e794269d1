"""The station's ledger over its own journal: everything is written here first, and handed in when the centre answers."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from card_layout.curves import EcPublicKey
from issuer.domain.batch import BatchId
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.chip import ChipState, KeyOrigin, Serial
from issuer.domain.production_events import ProductionEventKind
from issuer.domain.stock_account import HELD_AS_STOLEN
from issuer.errors import CROSSED, ConflictError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.production_ports import ChipRecord
from issuer.services.station_ports import (
    ClaimedChip,
    HandInReceipt,
    JobSeal,
    ProductionLink,
    StationPresence,
)
from issuer.stations.journal import StationJournal

__all__ = ["JournalStationLedger"]

_BYTES_AT_ONCE: Final = 20_000
"""So much of the journal goes in one message: quoted, signed, sealed and in base64 it fits into a request of the API."""


class _NoAnswerError(IssuerUnavailableError):
    """The centre does not answer, which the station can live with for a while; a lost journal it cannot."""


class JournalStationLedger:
    """Implements ``StationLedger``; safe to share among the workers of a station.

    A chip that the station has in hand is judged by the journal alone, so that it goes on when network or database
    are lost. Any other one is asked for at the centre.
    """

    def __init__(
        self,
        journal: StationJournal,
        link: ProductionLink,
        seal: JobSeal,
        *,
        batch: BatchId | None = None,
    ) -> None:
        self._journal = journal
        self._link = link
        self._seal = seal
        self._batch = batch
        self._handing_in = threading.Lock()

    @property
    def batch(self) -> BatchId | None:
        """The only batch of which cards are claimed; ``None`` where any may be."""
        return self._batch

    def find(self, serial: Serial) -> ChipRecord | None:
        """See ``StationLedger.find``; a chip that is not in hand is claimed.

        Raises:
            IssuerRefusedError: the centre refuses it, or does not answer (``station.link-lost``); the clock was set
                back (``station.clock-back``).
            IssuerUnavailableError: the journal is gone.
        """
        self._journal.time.require_sound()
        held = self._journal.chip(serial)
        if held is not None and (held.is_claimed or self._is_told_stopped(held)):
            return held.record
        try:
            claimed = self._claim(serial)
        except _NoAnswerError as error:
            raise IssuerRefusedError(
                f"the centre does not answer: {error}",
                code="station.link-lost",
                hint="go on with the cards that the station has begun; put this chip in again later",
            ) from error
        if claimed is None:
            return None
        if claimed.is_claimed:
            self._journal.take([claimed])
        return claimed.record

    def greet(self, presence: StationPresence, batch: BatchId | None) -> int | None:
        """See ``ProductionLink.greet``; what waits is handed in before, so that both mean the same head."""
        with self._handing_in:
            if self._link.answers_at_once:
                self._hand_in()
            return self._link.greet(presence, batch=batch, known=self._journal.known)

    def _is_told_stopped(self, held: ClaimedChip) -> bool:
        """Whether the last word of the centre is that the chip is on the stop list, and there is nobody to ask again."""
        return held.record.chip.held == HELD_AS_STOLEN and not self._link.answers_at_once

    def locking_cards(self) -> tuple[Card, ...]:
        """See ``StationLedger.locking_cards``; one that is held is among them, because nothing else tells its serial."""
        records = self._journal.records_in(CardState.LOCKING)
        return tuple(record.card for record in records if record.card is not None)

    def load_job(self, reference: CardReference) -> CardJob:
        """See ``StationLedger.load_job``: opened in memory, for the card in the reader."""
        sealed = self._journal.job_of(reference)
        if sealed is None:
            raise IssuerRefusedError(
                "the station was not given what is to be written to the card",
                code="card.not-signed",
            )
        return self._seal.open(sealed, reference)

    def begin_initialisation(self, serial: Serial) -> None:
        """See ``StationLedger.begin_initialisation``."""
        self._write(ProductionEventKind.INITIALISATION_BEGUN, serial)

    def record_chip_key(
        self, serial: Serial, public_key: EcPublicKey, *, origin: KeyOrigin = KeyOrigin.MADE_ON_CHIP
    ) -> None:
        """See ``StationLedger.record_chip_key``; the centre compares with all keys there are once it has the event."""
        self._journal.append(
            ProductionEventKind.KEY_RECORDED,
            self._record(serial),
            code=origin.value,
            public_key=public_key,
        )

    def finish_initialisation(self, serial: Serial) -> None:
        """See ``StationLedger.finish_initialisation``."""
        self._write(ProductionEventKind.INITIALISED, serial)

    def begin_personalisation(self, reference: CardReference) -> None:
        """See ``StationLedger.begin_personalisation``."""
        self._write_card(ProductionEventKind.PERSONALISATION_BEGUN, reference)

    def record_personalised(self, reference: CardReference) -> None:
        """See ``StationLedger.record_personalised``."""
        self._write_card(ProductionEventKind.PERSONALISED, reference)

    def intend_lock(self, reference: CardReference) -> None:
        """See ``StationLedger.intend_lock``."""
        self._write_card(ProductionEventKind.LOCK_INTENDED, reference)

    def record_issued(self, reference: CardReference) -> None:
        """See ``StationLedger.record_issued``."""
        self._write_card(ProductionEventKind.ISSUED, reference)

    def condemn(self, serial: Serial, *, code: str, detail: str = "") -> None:
        """See ``StationLedger.condemn``."""
        self._write(ProductionEventKind.CONDEMNED, serial, code=code, detail=detail)

    def record_terminated(self, serial: Serial) -> None:
        """See ``StationLedger.record_terminated``."""
        self._write(ProductionEventKind.TERMINATED, serial, code="chip.terminated")

    def hold(self, serial: Serial, *, code: str, detail: str = "") -> None:
        """See ``StationLedger.hold``."""
        self._write(ProductionEventKind.HELD, serial, code=code, detail=detail)

    def note(self, kind: str, *, serial: Serial | None, code: str, detail: str = "") -> None:
        """See ``StationLedger.note``."""
        held = None if serial is None else self._journal.chip(serial)
        if held is None and serial is not None:
            # The centre knows the chip, but it is not this station's: what is noted names it all the same.
            detail = f"chip {serial.hex().upper()}: {detail}"
        self._journal.append(
            ProductionEventKind.NOTED,
            None if held is None else held.record,
            code=code,
            detail=f"{kind}: {detail}",
        )

    def hand_in_again(self, *, after: int) -> None:
        """Take events behind a number for not handed in: the centre was restored from a backup and lacks them.

        Raises:
            IssuerRefusedError: the centre never had so many (``station.not-handed-in``).
            IssuerUnavailableError: the journal is gone.
        """
        with self._handing_in:
            known = self._journal.handed_in
            if after > known:
                raise IssuerRefusedError(
                    f"the centre was told {known} events, and cannot have {after}",
                    code="station.not-handed-in",
                )
            self._journal.record_handed_in(HandInReceipt(through=after))

    def hand_in(self) -> bool:
        """Hand in what waits, as far as the centre answers; whether it has everything now.

        Raises:
            IssuerRefusedError: the centre refuses the journal.
            IssuerUnavailableError: the journal is gone.
        """
        try:
            with self._handing_in:
                self._hand_in()
        except _NoAnswerError:
            return False
        return True

    def _claim(self, serial: Serial) -> ClaimedChip | None:
        """Ask for a chip, one at a time and not while something is handed in: the head that is told stays true."""
        with self._handing_in:
            # What the centre does not know yet of this very chip, it has to learn before it is asked.
            if self._link.answers_at_once:
                self._hand_in()
            with _asking():
                return self._link.claim(serial, batch=self._batch, known=self._journal.known)

    def _hand_in(self) -> None:
        while True:
            events, head = self._journal.pending(
                limit=self._link.events_at_once, most_bytes=_BYTES_AT_ONCE
            )
            if not events:
                return
            with _asking():
                receipt = self._link.hand_in(events, head=head)
            if receipt.through < head.sequence:
                raise _NoAnswerError(
                    f"the centre took events up to {receipt.through}, expected {head.sequence}",
                    code="station.link-lost",
                )
            self._journal.record_handed_in(receipt)

    def _record(self, serial: Serial) -> ChipRecord:
        held = self._journal.chip(serial)
        if held is None:
            raise IssuerRefusedError(
                f"chip {serial.hex().upper()} is not in hand", code="station.not-claimed"
            )
        return held.record

    def _write(
        self,
        kind: ProductionEventKind,
        serial: Serial,
        *,
        code: str | None = None,
        detail: str = "",
    ) -> None:
        self._journal.append(kind, self._record(serial), code=code, detail=detail or None)

    def _write_card(self, kind: ProductionEventKind, reference: CardReference) -> None:
        record = self._journal.record_of(reference)
        if record is None or (
            kind is ProductionEventKind.PERSONALISATION_BEGUN
            and record.chip.state is not ChipState.INITIALISED
        ):
            raise IssuerRefusedError(
                f"card {reference.hex()} is not in hand", code="station.not-claimed"
            )
        self._journal.append(kind, record)


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except ConflictError as error:
        # It gave way to somebody else, and is asked again: it is the same question.
        if error.code != CROSSED:
            raise
        raise _NoAnswerError(str(error), code=error.code, hint=error.hint) from error
    except IssuerUnavailableError as error:
        raise _NoAnswerError(str(error), code=error.code, hint=error.hint) from error
