"""Master keys of chips, their versions, and to whom keys were given: the part of the PKI's state for personalisation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from pki.record.journal import JournalEntry

__all__ = [
    "MASTER_KEY_ENTRIES",
    "MasterKeyKind",
    "MasterKeyRecord",
    "MasterKeyState",
    "WrappingRecord",
]

_SERIAL_CHARACTERS = 20
_TRANSPORT_KEY_VERSION = 0xFF
_FIRST_PERSONALISATION_KEY_VERSION = 0x30


class MasterKeyKind(Enum):
    """What a master key derives; the values stand in journals and key identifiers."""

    TRANSPORT = "transport"
    """The chip maker's, with whose keys chips are delivered."""

    PERSONALISATION = "personalisation"
    """Our own, whose keys replace them."""

    @property
    def label(self) -> bytes:
        """The first words of the derivation label (SPEC.md, 8.2)."""
        return b"membercard " + self.value.encode()


@dataclass(slots=True, kw_only=True)
class MasterKeyRecord:
    """One version of a master key; ``check_value`` is ``None`` where a crash left its making unfinished."""

    kind: MasterKeyKind
    version: int
    check_value: bytes | None = None
    created_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def key_id(self) -> str:
        """Its name in the keystore."""
        return f"{self.kind.value}-{self.version}"

    @property
    def key_version(self) -> int:
        """What a chip says of the keys that it holds (SPEC.md, 8.2): KVN ``FF``, or ``30`` and upwards."""
        if self.kind is MasterKeyKind.TRANSPORT:
            return _TRANSPORT_KEY_VERSION
        return _FIRST_PERSONALISATION_KEY_VERSION + self.version - 1

    @property
    def is_usable(self) -> bool:
        """Whether keys are derived from it."""
        return self.check_value is not None and self.retired_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappingRecord:
    """Keys that were, or may have been, sealed to a station; ``station`` is its certificate's SHA-256."""

    batch: bytes
    service_id: str
    station: bytes
    serials: tuple[bytes, ...] = field(repr=False)
    time: datetime


class MasterKeyState:
    """Built from journal entries, by ``pki.services.state``."""

    def __init__(self) -> None:
        self.keys: dict[str, MasterKeyRecord] = {}
        self.wrappings: list[WrappingRecord] = []
        self._by_batch: dict[bytes, set[bytes]] = {}

    def of_kind(self, kind: MasterKeyKind) -> list[MasterKeyRecord]:
        """The versions of one kind, oldest first, retired and unfinished ones too."""
        return sorted(
            (each for each in self.keys.values() if each.kind is kind),
            key=lambda each: each.version,
        )

    def current(self, kind: MasterKeyKind) -> MasterKeyRecord | None:
        """The newest usable version of one kind."""
        usable = [each for each in self.of_kind(kind) if each.is_usable]
        return usable[-1] if usable else None

    def wrapped(self, batch: bytes) -> frozenset[bytes]:
        """The serials whose keys were, or may have been, given away under a batch's authorisation."""
        return frozenset(self._by_batch.get(batch, ()))

    def apply(self, entry: JournalEntry) -> None:
        """Take in one of ``MASTER_KEY_ENTRIES``."""
        MASTER_KEY_ENTRIES[entry.kind](self, entry)

    def key_was_intended(self, entry: JournalEntry) -> None:
        """A master key may exist."""
        kind, version = MasterKeyKind(entry.text("master")), entry.number("version")
        record = MasterKeyRecord(kind=kind, version=version)
        self.keys[record.key_id] = record

    def key_was_created(self, entry: JournalEntry) -> None:
        """A master key exists."""
        record = self.keys[entry.text("key")]
        record.check_value = bytes.fromhex(entry.text("check_value"))
        record.created_at = entry.time

    def key_was_retired(self, entry: JournalEntry) -> None:
        """A master key derives nothing any more, from the intent on."""
        self.keys[entry.text("key")].retired_at = entry.time

    def chip_keys_were_wrapped(self, entry: JournalEntry) -> None:
        """Keys of chips may have been given to a station."""
        text = entry.text("chips")
        serials = tuple(
            bytes.fromhex(text[start : start + _SERIAL_CHARACTERS])
            for start in range(0, len(text), _SERIAL_CHARACTERS)
        )
        batch = bytes.fromhex(entry.text("batch"))
        self.wrappings.append(
            WrappingRecord(
                batch=batch,
                service_id=entry.text("service"),
                station=bytes.fromhex(entry.text("station")),
                serials=serials,
                time=entry.time,
            )
        )
        self._by_batch.setdefault(batch, set()).update(serials)


MASTER_KEY_ENTRIES: Mapping[str, Callable[[MasterKeyState, JournalEntry], None]] = MappingProxyType(
    {
        "master-key.intended": MasterKeyState.key_was_intended,
        "master-key.created": MasterKeyState.key_was_created,
        "master-key.retirement-intended": MasterKeyState.key_was_retired,
        "chip-keys.wrapped": MasterKeyState.chip_keys_were_wrapped,
    }
)
"""What each kind of entry changes."""
