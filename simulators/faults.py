"""Faults that a card, a cable or a forger can have, as data: at which command, and what goes wrong.

Two kinds of places: ``FaultyExchange`` stands between the terminal and the card and disturbs what passes on the wire;
the faults of ``IN_CARD`` change what the card itself says, under secure messaging too, and are carried out by
the card's operating system. A fault without ``at`` holds for every command that it fits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["IN_CARD", "Fault", "FaultKind", "FaultyExchange", "TornError", "overlong"]

_OVERLONG_LENGTH = bytes.fromhex("84FFFFFFFF")
"""A BER length of 4,294,967,295 bytes."""


class FaultKind(StrEnum):
    """What goes wrong."""

    TEAR_BEFORE = "tear-before"
    """The card loses power before it acts on the command."""

    TEAR_DURING = "tear-during"
    """The card acts on the command and loses power before it answers."""

    TEAR_AFTER = "tear-after"
    """The card answers and loses power."""

    FLIP_BIT = "flip-bit"
    """One bit of the answer is changed on the way."""

    DELAY = "delay"
    """The answer comes late."""

    DROP = "drop"
    """The card acts on the command, the answer never comes, and the card stays as it is."""

    WRONG_STATUS_WORD = "wrong-status-word"
    """The answer is replaced by a status word."""

    ENDLESS_MORE = "endless-61"
    """From then on every answer says that more bytes are waiting (61xx)."""

    ENDLESS_LENGTH = "endless-6c"
    """From then on every answer asks for another Le (6Cxx)."""

    SHORT_RESPONSE = "short-response"
    """Only the first byte of the answer arrives."""

    RUBBISH = "rubbish"
    """The answer is replaced by bytes that end in no status word."""

    REPLACE = "replace"
    """The answer is replaced by ``response``."""

    OTHER_ANSWER = "other-answer"
    """The answer is the one to the command before: the card, or whoever stands between, is one behind."""

    SWAP = "swap"
    """Another card lies in the reader from then on, and nobody said so: it knows nothing of the session."""

    SHRINKING_FILE = "shrinking-file"
    """File ``path`` loses its second half once it was read from for the first time."""

    OVERLONG_LENGTH = "overlong-length"
    """The content of file ``path`` announces 4 GB in its first data object."""

    INSTRUCTION_REFUSED = "instruction-refused"
    """The card refuses ``instruction`` (with ``p1``, where given) with ``status_word``."""


IN_CARD = frozenset(
    {FaultKind.OVERLONG_LENGTH, FaultKind.SHRINKING_FILE, FaultKind.INSTRUCTION_REFUSED}
)
"""Faults that the card itself has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    ``at`` counts command APDUs on the wire from 1, over resets, since the card was put in; ``None`` means always.
    ``instruction`` and ``p1`` narrow it to commands with that INS and P1. ``bit`` counts from the first bit of
    the answer and wraps around its end; ``path`` names a file as the image does; ``response`` is a whole answer.
    """

    kind: FaultKind
    at: int | None = None
    instruction: int | None = None
    p1: int | None = None
    status_word: int = 0x6F00
    bit: int = 0
    milliseconds: int = 0
    path: str | None = None
    response: bytes = b""

    def fits(self, *, number: int | None, ins: int | None, p1: int | None) -> bool:
        """Whether the fault strikes command ``number`` with this INS and P1."""
        return (
            self.at in (None, number) and self.instruction in (None, ins) and self.p1 in (None, p1)
        )


class TornError(Exception):
    """The card is without power: everything it had not stored is lost, and it says nothing more."""


class FaultyExchange:
    """Carries commands to the card and disturbs them as told; ``process`` is the card.

    Raises TornError from the tear on, for every further command, until the card is put in again (a new exchange).
    A dropped answer is ``None``. ``swap`` puts another card in, behind ``process``; without it nobody can.
    """

    def __init__(
        self,
        process: Callable[[bytes], bytes | None],
        faults: Sequence[Fault],
        *,
        power_off: Callable[[], None],
        sleep: Callable[[float], None],
        first_number: int = 1,
        swap: Callable[[], None] | None = None,
    ) -> None:
        self._process = process
        self._swap = swap
        self._last_answer: bytes | None = None
        self._faults = tuple(fault for fault in faults if fault.kind not in IN_CARD)
        self._power_off = power_off
        self._sleep = sleep
        self._next_number = first_number
        self._is_torn = False
        self._endless: FaultKind | None = None

    @property
    def next_number(self) -> int:
        """The number that the next command will have."""
        return self._next_number

    @property
    def is_torn(self) -> bool:
        """Whether the card lost its power."""
        return self._is_torn

    def transmit(self, command: bytes) -> bytes | None:
        """The answer as it arrives; ``None`` where it never does.

        Raises:
            TornError: the card lost its power, now or before.
        """
        if self._is_torn:
            raise TornError("the card was torn")
        number, self._next_number = self._next_number, self._next_number + 1
        struck = [fault for fault in self._faults if self._strikes(fault, number, command)]
        kinds = {fault.kind for fault in struck}
        if FaultKind.TEAR_BEFORE in kinds:
            self._tear()
        if self._endless is not None:
            return _ENDLESS[self._endless]
        if FaultKind.SWAP in kinds and self._swap is not None:
            self._swap()
        answer: bytes | None = self._process(command)
        before, self._last_answer = self._last_answer, answer
        if FaultKind.TEAR_DURING in kinds:
            self._tear()
        for fault in struck:
            answer = self._disturb(fault, answer if fault.kind is not _OTHER else before)
        if FaultKind.TEAR_AFTER in kinds:
            self._lose_power()
        return answer

    @staticmethod
    def _strikes(fault: Fault, number: int, command: bytes) -> bool:
        return fault.fits(
            number=number,
            ins=command[1] if len(command) > 1 else None,
            p1=command[2] if len(command) > 2 else None,
        )

    def _lose_power(self) -> None:
        self._is_torn = True
        self._power_off()

    def _tear(self) -> None:
        self._lose_power()
        raise TornError("the card was torn")

    def _disturb(self, fault: Fault, answer: bytes | None) -> bytes | None:
        if answer is None or fault.kind is FaultKind.DROP:
            return None
        if fault.kind is FaultKind.DELAY:
            self._sleep(fault.milliseconds / 1000)
        if fault.kind in _ENDLESS:
            self._endless = fault.kind
        change = _CHANGES.get(fault.kind)
        return answer if change is None else change(fault, answer)


def _flip_bit(fault: Fault, answer: bytes) -> bytes:
    position = fault.bit % (8 * len(answer))
    changed = bytearray(answer)
    changed[position // 8] ^= 0x80 >> position % 8
    return bytes(changed)


def _rubbish(_fault: Fault, answer: bytes) -> bytes:
    return bytes(range(0x20, 0x20 + len(answer) % 64)) + b"\x00\x00"


_OTHER = FaultKind.OTHER_ANSWER

_ENDLESS = {
    FaultKind.ENDLESS_MORE: bytes(16) + b"\x61\x10",
    FaultKind.ENDLESS_LENGTH: b"\x6c\x10",
}

_CHANGES: dict[FaultKind, Callable[[Fault, bytes], bytes]] = {
    FaultKind.FLIP_BIT: _flip_bit,
    FaultKind.REPLACE: lambda fault, _: fault.response,
    FaultKind.WRONG_STATUS_WORD: lambda fault, _: fault.status_word.to_bytes(2, "big"),
    FaultKind.ENDLESS_MORE: lambda fault, _: _ENDLESS[fault.kind],
    FaultKind.ENDLESS_LENGTH: lambda fault, _: _ENDLESS[fault.kind],
    FaultKind.SHORT_RESPONSE: lambda _, answer: answer[:1],
    FaultKind.RUBBISH: _rubbish,
}


def overlong(content: bytes) -> bytes:
    """The file content with the length of its first data object replaced by 4 GB."""
    tag_bytes = 2 if content[:1] and content[0] & 0x1F == 0x1F else 1
    return content[:tag_bytes].ljust(1, b"\x60") + _OVERLONG_LENGTH + content[tag_bytes:]
