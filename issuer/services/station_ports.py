"""The one port by which a station reaches production, and what passes through it.

Behind it stand the database of the same process, the HTTPS API, or files that are carried. Whatever it is, the station
works on what lies in its own journal: a chip is claimed before the first command that changes it, and what happened is
handed in afterwards, in order, and as often as it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from issuer.domain.batch import BatchId
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.domain.chip import Serial
from issuer.domain.production_events import JournalHead, ProductionEvent
from issuer.domain.rights import AccountName
from issuer.services.production_ports import ChipRecord

__all__ = [
    "ClaimedChip",
    "DayRecord",
    "HandInReceipt",
    "JobSeal",
    "ProductionLink",
    "RejectedEvent",
    "StationPresence",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedChip:
    """What the centre gives for a serial.

    Attributes:
        record: the chip, and the card bound to it.
        is_claimed: whether the chip is this station's from now on; where there is nothing to do with it, it is not.
        batch: the batch of the card.
        sealed_job: what is to be written, sealed to the station; it comes with a card that is signed and unfinished.
    """

    record: ChipRecord
    is_claimed: bool
    batch: BatchId | None = None
    sealed_job: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """An event that the centre's records contradict; the chip is put aside there, for the reason in ``code``."""

    sequence: int
    serial: Serial | None
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandInReceipt:
    """How far the centre has the journal, and what of it it could not follow."""

    through: int
    rejected: tuple[RejectedEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRecord:
    """What a station says at the end of its day.

    Attributes:
        head: where its journal stands; everything up to there is handed in.
        issued, condemned: how many cards and chips since the last day close.
        destroyed: the cards whose data were destroyed at the station.
        closed_by: who closed the day.
    """

    head: JournalHead
    at: datetime
    closed_by: AccountName
    issued: int
    condemned: int
    destroyed: tuple[CardReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationPresence:
    """What a station says of itself while it runs.

    Attributes:
        readers: their names; none once it has ended.
        is_suspended: no chip is begun.
    """

    readers: tuple[str, ...]
    is_suspended: bool = False


class JobSeal(Protocol):
    """Seals what is written to a card so that this station opens it, card by card."""

    def seal(self, job: CardJob) -> bytes:
        """The sealed job.

        Raises:
            PkiError: the station's certificate is none.
        """

    def open(self, sealed: bytes, reference: CardReference) -> CardJob:
        """The job of this card.

        Raises:
            IssuerUnavailableError: it cannot be opened (``production.seal-broken``), or holds another card's data.
            KeystoreError: the station's key is not to be had.
        """


class ProductionLink(Protocol):
    """The way from one station to the centre; safe to call from any thread."""

    @property
    def answers_at_once(self) -> bool:
        """Whether there is somebody to ask; else everything goes by files that are carried."""

    @property
    def events_at_once(self) -> int:
        """How many events one handing-in may hold."""

    def claim(
        self, serial: Serial, *, batch: BatchId | None, known: JournalHead
    ) -> ClaimedChip | None:
        """Ask for a chip; ``None`` where the centre does not know the serial.

        Asking again for what the station has already gives the same again. ``known`` is how far the centre has the
        journal, by the journal itself: whoever asks with one that was put back, or with another one, gets nothing.

        Raises:
            IssuerRefusedError: the centre has the journal up to elsewhere (``station.journal-back``,
                ``station.centre-back``), another station has it (``station.claimed-elsewhere``), it is of another batch
                (``station.other-batch``), or was not given to this station (``station.not-in-bundle``).
            IssuerUnavailableError: the centre does not answer now.
        """

    def greet(
        self, presence: StationPresence, *, batch: BatchId | None, known: JournalHead
    ) -> int | None:
        """Say that the station is there, and how; give back how many cards of the batch are still to be made.

        Nothing is counted where no batch is named. Where there is nobody to greet, what the station itself was given of
        the batch counts. ``known`` as for ``claim``.

        Raises:
            IssuerRefusedError: the centre does not work with this station (any more), or not with this journal.
            IssuerUnavailableError: the centre does not answer now.
        """

    def hand_in(self, events: Sequence[ProductionEvent], *, head: JournalHead) -> HandInReceipt:
        """Hand in the next events, and where the journal stands after them; what the centre has already is left out.

        A report that was carried may come behind a newer one of the same journal: nothing in it is new.

        Raises:
            IssuerRefusedError: the journal is not the one that was handed in before (``station.journal-back``), or the
                centre lacks what it had taken (``station.centre-back``).
            IssuerUnavailableError: the centre does not answer now.
        """

    def close_day(self, record: DayRecord) -> None:
        """Tell the centre that the day is closed and what was destroyed.

        Raises:
            IssuerRefusedError: the centre has not all events (``station.events-missing``).
            IssuerUnavailableError: the centre does not answer now.
        """
