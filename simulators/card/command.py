"""The card's own reading of command APDUs, short and extended (ISO/IEC 7816-4, 5.1; SPEC.md, 4.1)."""

from dataclasses import dataclass, field, replace
from typing import Self

from simulators.card.status import Refused, StatusWord

__all__ = ["CHAIN", "Command"]

CHAIN = 0x10
"""Bit 5 of CLA: not the last command of a chain (ISO/IEC 7816-4, 5.4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command as the card sees it.

    ``expected_length`` is Ne, ``None`` without a Le field; ``asks_for_all`` tells Le 00 / 0000 from the same number
    written out, because only a given number can be missed (6282).
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    expected_length: int | None = None
    asks_for_all: bool = False
    is_extended: bool = False

    @classmethod
    def from_bytes(cls, apdu: bytes) -> Self:
        """Read exactly one of the seven forms of a command APDU.

        Raises:
            Refused: 6700, the lengths do not add up.
        """
        if len(apdu) < 4:
            raise Refused(StatusWord.WRONG_LENGTH)
        bare = cls(cla=apdu[0], ins=apdu[1], p1=apdu[2], p2=apdu[3])
        body = apdu[4:]
        if not body:
            return bare
        if len(body) == 1:
            return bare._with_length_field(body, is_extended=False)
        if body[0] != 0:
            return bare._with_body(body[1:], body[0], is_extended=False)
        if len(body) == 3:
            return bare._with_length_field(body[1:], is_extended=True)
        length = int.from_bytes(body[1:3], "big")
        if len(body) < 3 or length == 0:
            raise Refused(StatusWord.WRONG_LENGTH)
        return bare._with_body(body[3:], length, is_extended=True)

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def is_chained(self) -> bool:
        """Whether CLA says that another command of the chain follows."""
        return bool(self.cla & CHAIN)

    def _with_body(self, rest: bytes, length: int, *, is_extended: bool) -> Self:
        data, length_field = rest[:length], rest[length:]
        if len(data) != length:
            raise Refused(StatusWord.WRONG_LENGTH)
        bare = (
            self._with_length_field(length_field, is_extended=is_extended) if length_field else self
        )
        return replace(bare, data=data, is_extended=is_extended)

    def _with_length_field(self, encoded: bytes, *, is_extended: bool) -> Self:
        if len(encoded) != (2 if is_extended else 1):
            raise Refused(StatusWord.WRONG_LENGTH)
        number = int.from_bytes(encoded, "big")
        return replace(
            self,
            expected_length=number or (0x10000 if is_extended else 0x100),
            asks_for_all=number == 0,
            is_extended=is_extended,
        )
