"""Ports of card production: what its use cases need from the world.

Every method of a ledger is one transaction, committed before it returns: what it records is on disk before
the caller sends the next command to a chip.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from card_layout.atr import LifeCycle
from card_layout.curves import EcPublicKey
from card_layout.transport.connection import CardConnection
from issuer.domain.batch import BatchId
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.card_number import CardNumber
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import Chip, KeyOrigin, Serial
from issuer.domain.chip_keys import ChipKeySet, WrongKeyTries
from issuer.domain.chip_plan import Step
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex, StatusListRoom
from issuer.domain.stock_account import SiteCode
from issuer.services.signing_values import CardToSign, JobToKeep
from issuer.services.status_ports import StatusMarkStore

__all__ = [
    "CardLedger",
    "CardLine",
    "CardRegister",
    "ChipDialect",
    "ChipKeys",
    "ChipRecord",
    "ChipSighting",
    "Clock",
    "JournalEvent",
    "MemberToBind",
    "NewCard",
    "OpenedChip",
    "QualityControl",
    "StationLedger",
    "StockLedger",
]

Clock = Callable[[], datetime]
"""The present time, aware UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipRecord:
    """A chip of the stock and the one card that was ever bound to it, if any."""

    chip: Chip
    card: Card | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """A card as lists show it, with the number that was decided for it."""

    card: Card
    card_number: CardNumber = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEvent:
    """One event of the journal; ``sequence`` counts from 1 over all of them."""

    sequence: int
    at: datetime
    kind: str
    serial: Serial | None
    reference: CardReference | None
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberToBind:
    """A member who is due for a card, by which request; ``ordinal`` tells which of their cards it will be."""

    member_id: MemberId
    request_id: RequestId
    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """A card about to be bound, with all that was drawn for it."""

    reference: CardReference
    member_id: MemberId
    request_id: RequestId
    serial: Serial
    ordinal: int
    profile: str
    status: StatusIndex
    secrets: CardSecrets = field(repr=False)
    batch_id: BatchId | None = None


class StockLedger(Protocol):
    """The stock of chips, to look at."""

    def chips(self, *, sites: Collection[SiteCode] | None = None) -> tuple[ChipRecord, ...]:
        """The stock of these sites, or the whole one, by serial."""

    def journal(
        self, *, serial: Serial | None = None, sites: Collection[SiteCode] | None = None
    ) -> tuple[JournalEvent, ...]:
        """All that ever happened, or all that happened to one chip, in order; to the chips of these sites alone."""


class CardRegister(Protocol):
    """The register of cards without their secrets, for the office."""

    def cards(self, *, states: Sequence[CardState] | None = None) -> tuple[Card, ...]:
        """Cards in the order in which they were bound."""

    def lines(
        self,
        *,
        states: Sequence[CardState] | None = None,
        below: Collection[OrganisationCode] | None = None,
        batch_id: BatchId | None = None,
        with_secrets: bool = False,
    ) -> tuple[CardLine, ...]:
        """The same cards with their numbers; those of these organisations' members, or of a batch, alone, if wished.

        ``with_secrets`` leaves out those whose secrets were destroyed.
        """

    def hand_over(self, reference: CardReference, *, to: str, account: AccountName) -> None:
        """Record that the card went to its member, by whose word, as ``CardValidityRepository.hand_over``.

        Raises:
            IssuerRefusedError: there is no such card (``card.unknown``); something holds it (``card.held``).
            TransitionError: the card is not *issued*.
        """


class CardLedger(CardRegister, Protocol):
    """The register of cards with all that is sealed, for binding and signing."""

    def members_to_bind(self) -> tuple[MemberToBind, ...]:
        """Members of decided requests without a card that is not condemned, in the register's order.

        Whoever is no member of full standing any more, or is suspended, is left out.
        """

    def chips_to_bind(self) -> tuple[Serial, ...]:
        """Initialised chips that are not held and to which nothing was ever bound, by serial."""

    def status_list_to_fill(
        self, *, size: int, draw_list_id: Callable[[], bytes], marks: StatusMarkStore
    ) -> StatusListRoom:
        """A status list of ``size`` positions that has room and a mark; a new one where none has.

        Raises:
            IssuerUnavailableError, IssuerDataError: as ``StatusMarkStore``.
        """

    def bind(self, card: NewCard) -> None:
        """Record the binding.

        Raises:
            ConflictError: the request has a card or is not decided, the chip is taken or not initialised
                (``card.already-bound``); or a number that was drawn is taken (``card.draw-repeated``): draw
                again.
        """

    def secrets(self, reference: CardReference) -> CardSecrets:
        """The card's secrets.

        Raises:
            IssuerRefusedError: there is no such card (``card.unknown``).
        """

    def prepare_signing(self, job: CardJob, *, valid_until: date) -> None:
        """Keep what will be signed, and the card's last day: its files without EF.SOD, before the signer is asked.

        Raises:
            TransitionError: the card is not *bound*.
        """

    def prepared(self, reference: CardReference) -> CardJob | None:
        """What was kept for signing, where the signer may have been asked already."""

    def job(self, reference: CardReference) -> CardJob:
        """Everything that is written to a card; EF.SOD is among the files once it is signed.

        Raises:
            IssuerRefusedError: there is no such card (``card.unknown``), it was not prepared
                (``card.not-signed``), or its secrets are destroyed (``card.secrets-destroyed``).
        """

    def bound(
        self, *, batch_id: BatchId | None = None, limit: int | None = None
    ) -> tuple[CardReference, ...]:
        """The cards that wait for their signature, in the order in which they were bound.

        Those of one batch, and the first so many, if wished.
        """

    def to_sign(self, references: Sequence[CardReference]) -> tuple[CardToSign, ...]:
        """Those of these cards that are *bound*, in the same order."""

    def prepared_several(
        self, references: Sequence[CardReference]
    ) -> Mapping[CardReference, CardJob]:
        """What was kept of these cards, as far as they were prepared."""

    def prepare_several(
        self, jobs: Sequence[JobToKeep], *, account: AccountName | None = None
    ) -> frozenset[CardReference]:
        """As ``prepare_signing`` for those of these cards that are *bound*; which they are."""

    def record_signed_several(
        self,
        files: Mapping[CardReference, bytes],
        *,
        account: AccountName | None = None,
        authorisation: bytes | None = None,
    ) -> frozenset[CardReference]:
        """As ``record_signed`` for those of these cards that are *bound* and prepared; which they are.

        They count against the authorisation with this digest, under which they were signed.
        """

    def signing(self, batch_id: BatchId) -> AbstractContextManager[None]:
        """Whoever has a batch signed is alone.

        Raises:
            IssuerRefusedError: ``batch.being-signed``: somebody does already.
        """

    def settle(self, batch_id: BatchId, *, account: AccountName) -> None:
        """Let the batch be *signed* once all of its cards are."""

    def record_signed(self, reference: CardReference, security_object_file: bytes) -> None:
        """Keep EF.SOD; the card can be made.

        Raises:
            TransitionError: the card is not *bound* and prepared.
        """


class StationLedger(Protocol):
    """The one port by which a station reaches production."""

    def find(self, serial: Serial) -> ChipRecord | None:
        """The chip's record; ``None`` where the serial is unknown."""

    def locking_cards(self) -> tuple[Card, ...]:
        """The cards whose lock was intended and not yet proven."""

    def load_job(self, reference: CardReference) -> CardJob:
        """Everything to write.

        Raises:
            IssuerRefusedError: the card is unknown or not signed.
        """

    def begin_initialisation(self, serial: Serial) -> None:
        """The first command of an initialisation may reach the chip from now on; an older key is forgotten."""

    def record_chip_key(
        self, serial: Serial, public_key: EcPublicKey, *, origin: KeyOrigin = KeyOrigin.MADE_ON_CHIP
    ) -> None:
        """The key that the chip made, or that was put into it; the journal says which.

        Raises:
            ConflictError: a chip has made this key before (``chip.key-not-unique``).
        """

    def finish_initialisation(self, serial: Serial) -> None:
        """The chip is initialised."""

    def begin_personalisation(self, reference: CardReference) -> None:
        """The first command of a personalisation may reach the chip from now on."""

    def record_personalised(self, reference: CardReference) -> None:
        """Everything is written; the chip waits for quality control."""

    def intend_lock(self, reference: CardReference) -> None:
        """Quality control passed, and the lock may reach the chip from now on."""

    def record_issued(self, reference: CardReference) -> None:
        """The lock is proven; the card is finished."""

    def condemn(self, serial: Serial, *, code: str, detail: str = "") -> None:
        """As ``StockLedger.condemn``, for a chip that lies in the reader and that the station has judged."""

    def record_terminated(self, serial: Serial) -> None:
        """The chip of a condemned record was terminated."""

    def hold(self, serial: Serial, *, code: str, detail: str = "") -> None:
        """Keep stations from the chip until a person has looked at it."""

    def note(self, kind: str, *, serial: Serial | None, code: str, detail: str = "") -> None:
        """Put an event into the journal that changes nothing."""


class ChipKeys(Protocol):
    """The keys of chips; safe to call from any thread."""

    @property
    def personalisation_version(self) -> int:
        """The version of the keys that chips get in place of their transport keys."""

    def key_set(self, serial: Serial, key_version: int) -> ChipKeySet:
        """The keys that a chip of this serial holds under this version.

        Raises:
            IssuerRefusedError: no such version (``personalisation.key-version``), or keys that this station was
                not given (``personalisation.keys-not-given``, ``personalisation.keys-expired``).
            KeystoreError: the master key is missing.
        """


class OpenedChip(Protocol):
    """A chip that has proven its keys, in a secure channel that ends with a reset."""

    @property
    def serial(self) -> Serial:
        """Proven by the keys."""

    @property
    def key_version(self) -> int | None:
        """Which keys it holds; ``None`` for a chip whose dialect knows no keys, and whose serial nothing proves."""

    @property
    def key_origin(self) -> KeyOrigin:
        """Where the keys come from that ``GenerateKeyPair`` leaves in the chip."""

    def card_reference(self) -> CardReference | None:
        """What the chip says it is; ``None`` before personalisation."""

    def execute(self, step: Step) -> EcPublicKey | None:
        """Carry out one step of a plan; a key pair's public part comes back.

        Raises:
            TransportError, AccessError: broken off; whether the step was carried out is unknown.
            CardRefusedError: the chip says no.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipSighting:
    """What a chip that was just reset shows of itself.

    Attributes:
        life_cycle: ``None`` for a chip that is none of ours.
        serial: where it is told to everybody.
    """

    life_cycle: LifeCycle | None
    serial: Serial | None = None


class ChipDialect(Protocol):
    """How plans are said to a chip."""

    def look(self, connection: CardConnection) -> ChipSighting:
        """What can be seen of a chip without opening it.

        Raises:
            TransportError, CardRefusedError, CardDataError: as ``OpenedChip.execute``.
        """

    def open(
        self,
        connection: CardConnection,
        *,
        keys_for: Callable[[Serial, int], ChipKeySet],
        on_tries: Callable[[WrongKeyTries], None] = WrongKeyTries.require_more_than_one,
    ) -> OpenedChip:
        """Open the secure channel with the keys for the serial and version that the chip names.

        What ``keys_for`` raises is passed on before anything secret is sent, so it can refuse a chip. ``on_tries``
        learns how often the chip was given wrong keys, before any key is tried; what it raises is passed on.
        A dialect without keys calls neither: then its caller judges the chip by the serial of what is opened.

        Raises:
            AccessError: the chip does not hold these keys (``personalisation.card-cryptogram``); never retry.
            TransportError, CardRefusedError: as ``OpenedChip.execute``.
        """

    def prove_locked(self, connection: CardConnection) -> None:
        """Reset the card and have it refuse to be personalised and to be written (SPEC.md 8.8).

        Raises:
            CardRejectedError: it accepts (``lock.not-effective``).
            TransportError: broken off.
        """


class QualityControl(Protocol):
    """Reads a card as a terminal would (SPEC.md 8.7)."""

    def read_back(self, connection: CardConnection, job: CardJob) -> None:
        """Reset the card, open it with PACE, have its key proven, compare every file byte by byte.

        Raises:
            CardRejectedError: something differs (``quality-control.*``).
            TransportError: broken off.
        """
