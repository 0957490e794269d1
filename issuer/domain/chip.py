"""A chip in the stock: where it stands between delivery and the card that it becomes.

The record is written *before* each act on the chip, so a chip may lag behind its record but never runs ahead:

    received ──> initialising ──> initialised
        └──────────────┴───────────────┴──────> condemned
"""

import enum
import re
from dataclasses import dataclass, field
from typing import NewType

from card_layout.curves import EcPublicKey
from issuer.domain.production_errors import TransitionError
from issuer.errors import IssuerDataError

__all__ = [
    "KEY_VERSION_PERSONALISATION",
    "KEY_VERSION_TRANSPORT",
    "LAST_KEY_VERSION_PERSONALISATION",
    "SERIAL_BYTES",
    "Chip",
    "ChipEvent",
    "ChipState",
    "KeyOrigin",
    "Serial",
    "is_personalisation_version",
    "next_chip_state",
    "parse_serial",
]

Serial = NewType("Serial", bytes)
"""A chip's serial number, 10 bytes (SPEC.md 8.1)."""

SERIAL_BYTES = 10

KEY_VERSION_TRANSPORT = 0xFF
"""The keys with which the chip maker delivers (SPEC.md 8.2)."""

KEY_VERSION_PERSONALISATION = 0x30
"""Our own keys, which replace them: the first version of their master key."""

LAST_KEY_VERSION_PERSONALISATION = 0x3F
"""The last version that there can be (SPEC.md 8.2)."""

_SERIAL_TEXT = re.compile(r"[0-9A-Fa-f]{20}")


class ChipState(enum.StrEnum):
    """What the stock ledger says of a chip."""

    RECEIVED = "received"
    INITIALISING = "initialising"
    INITIALISED = "initialised"
    CONDEMNED = "condemned"


class ChipEvent(enum.StrEnum):
    """What may happen to a chip; the journal of card events keeps it under this name."""

    INITIALISATION_BEGUN = "initialisation-begun"
    KEY_RECORDED = "chip-key-recorded"
    INITIALISED = "initialised"
    CONDEMNED = "condemned"


class KeyOrigin(enum.StrEnum):
    """Where a chip's key was made; the journal keeps it under this code."""

    MADE_ON_CHIP = "chip-key.made-on-chip"
    INJECTED = "chip-key.injected"


_TRANSITIONS = {
    (ChipState.RECEIVED, ChipEvent.INITIALISATION_BEGUN): ChipState.INITIALISING,
    # A torn chip is initialised by starting again (SPEC.md 8.5).
    (ChipState.INITIALISING, ChipEvent.INITIALISATION_BEGUN): ChipState.INITIALISING,
    (ChipState.INITIALISING, ChipEvent.KEY_RECORDED): ChipState.INITIALISING,
    (ChipState.INITIALISING, ChipEvent.INITIALISED): ChipState.INITIALISED,
    (ChipState.RECEIVED, ChipEvent.CONDEMNED): ChipState.CONDEMNED,
    (ChipState.INITIALISING, ChipEvent.CONDEMNED): ChipState.CONDEMNED,
    (ChipState.INITIALISED, ChipEvent.CONDEMNED): ChipState.CONDEMNED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One line of the stock ledger.

    Attributes:
        public_key: the chip-authentication key that the chip made last; ``None`` before it made one.
        held: the code of what went wrong, where a person must look at the chip before a station takes it again.
        condemned_for: the code of the reason, once it is condemned.
    """

    serial: Serial
    state: ChipState
    public_key: EcPublicKey | None = field(default=None, repr=False)
    held: str | None = None
    condemned_for: str | None = None


def is_personalisation_version(key_version: int | None) -> bool:
    """Whether keys of this version are our own, whichever version of the master key they derive from."""
    return (
        key_version is not None
        and KEY_VERSION_PERSONALISATION <= key_version <= LAST_KEY_VERSION_PERSONALISATION
    )


def next_chip_state(state: ChipState, event: ChipEvent) -> ChipState:
    """The state after ``event``.

    Raises:
        TransitionError: the event cannot happen in this state.
    """
    try:
        return _TRANSITIONS[state, event]
    except KeyError:
        raise TransitionError(f"the chip is {state}, so {event} cannot happen") from None


def parse_serial(text: str) -> Serial:
    """A serial as delivery lists and people write it: 20 hexadecimal digits.

    Raises:
        IssuerDataError: anything else (``chip.serial-malformed``).
    """
    if not _SERIAL_TEXT.fullmatch(text):
        raise IssuerDataError(
            f"got serial {text[:40]!r}, expected 20 hexadecimal digits",
            code="chip.serial-malformed",
        )
    return Serial(bytes.fromhex(text))
