"""Command and response APDUs as bytes on the wire (ISO/IEC 7816-4, 5.1; SPEC.md, 4.1)."""

from dataclasses import dataclass, field, replace
from typing import Self

from card_layout.errors import CardDataError

__all__ = ["MAX_EXTENDED", "MAX_SHORT", "CommandApdu", "ResponseApdu"]

MAX_SHORT = 256
"""The most response bytes that a short Le can ask for (Le = 00)."""

MAX_EXTENDED = 65536
"""The most response bytes that an extended Le can ask for (Le = 0000)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandApdu:
    """One command; ``expected_length`` is Ne in bytes (1-65536), ``None`` where no data is expected."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    expected_length: int | None = None

    def __post_init__(self) -> None:
        # One comparison for the four: a number that is negative or too large shows in what they have together.
        if not 0 <= self.cla | self.ins | self.p1 | self.p2 <= 0xFF:
            for name in ("cla", "ins", "p1", "p2"):
                value = getattr(self, name)
                if not 0 <= value <= 0xFF:
                    raise CardDataError(f"{name} is {value}, expected one byte")
        if len(self.data) > 0xFFFF:
            raise CardDataError(f"command data has {len(self.data)} bytes, expected at most 65535")
        if self.expected_length is not None and not 1 <= self.expected_length <= MAX_EXTENDED:
            raise CardDataError(
                f"expected length is {self.expected_length}, expected 1 to {MAX_EXTENDED}"
            )

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def needs_extended(self) -> bool:
        """Whether data or Ne do not fit the short form."""
        return len(self.data) > 0xFF or (self.expected_length or 0) > MAX_SHORT

    def with_expected_length(self, expected_length: int | None) -> Self:
        """The same command asking for another number of bytes."""
        return replace(self, expected_length=expected_length)

    def to_bytes(self, *, extended: bool | None = None) -> bytes:
        """The wire form: short where it fits, extended where it does not or ``extended`` is true.

        Raises:
            CardDataError: ``extended`` is false and the command does not fit the short form.
        """
        if extended is None:
            extended = self.needs_extended
        if not extended and self.needs_extended:
            raise CardDataError("the command does not fit a short APDU")
        data, expected = self.data, self.expected_length
        header = self.header
        if extended:
            if data:
                header += b"\x00" + len(data).to_bytes(2, "big") + data
            if expected is None:
                return header
            # Without a command field the Le field itself carries the leading 00 of the extended form.
            return header + (expected & 0xFFFF).to_bytes(2 if data else 3, "big")
        if data:
            header += bytes((len(data),)) + data
        return header if expected is None else header + bytes((expected & 0xFF,))


@dataclass(frozen=True, slots=True)
class ResponseApdu:
    """One response: its data and its status word."""

    data: bytes = field(repr=False)
    status_word: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Data, SW1, SW2.

        Raises:
            CardDataError: fewer than two bytes, more than 65,538, or SW1 is not 6X or 9X.
        """
        if not 2 <= len(data) <= MAX_EXTENDED + 2:
            raise CardDataError(
                f"response has {len(data)} bytes, expected 2 to {MAX_EXTENDED + 2}",
                code="card.malformed-response",
            )
        if data[-2] & 0xF0 not in (0x60, 0x90):
            raise CardDataError(
                f"response ends in {data[-2:].hex().upper()}, expected a status word 6XXX or 9XXX",
                code="card.malformed-response",
            )
        return cls(data[:-2], int.from_bytes(data[-2:], "big"))

    def to_bytes(self) -> bytes:
        """The wire form."""
        return self.data + self.status_word.to_bytes(2, "big")
