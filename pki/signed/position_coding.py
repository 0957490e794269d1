"""Sets of positions in few bits: gaps between them in a Rice code, with the one parameter that suits their number.

For a set of *n* among *N* positions the gaps are as good as geometric where cards fail independently of each other, and
for these a Rice code is within three hundredths of a bit of the entropy. The parameter follows from *n* and *N*, so
that a set has one encoding; with parameter 0 the code is the set's bitmap. All quotients (unary) stand before all
remainders (of fixed width), because each of the two decodes at the speed of text functions.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

from pki.errors import PkiDataError

__all__ = ["BitReader", "BitWriter", "rice_parameter"]

_GOLDEN: Final = 4812
"""-ln of the golden ratio's inverse, in ten-thousandths: where parameters *k* and *k* + 1 cost the same."""

_MAX_COUNT_BITS: Final = 32


def rice_parameter(count: int, positions: int) -> int:
    """How many low bits of a gap are written as they are, for ``count`` among ``positions``."""
    # 1/p - 1/2 stands for -1/ln(1 - p), which is exact enough up to one half.
    mean = 2 * positions - count
    parameter = 0
    while (count << (parameter + 1)) * 10_000 < _GOLDEN * mean:
        parameter += 1
    return parameter


class BitWriter:
    """Collects bits, the first one the most significant."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def number(self, value: int, *, width: int) -> None:
        """Write a number of fixed width."""
        self._parts.append(f"{value:0{width}b}")

    def count(self, value: int) -> None:
        """Write a number that is mostly small, in Elias' gamma code of one more."""
        digits = f"{value + 1:b}"
        self._parts.append("0" * (len(digits) - 1) + digits)

    def set_of(self, found: Sequence[int], positions: int) -> None:
        """Write ascending positions below ``positions``, whose number the reader will know."""
        if not found:
            return
        parameter = rice_parameter(len(found), positions)
        mask = (1 << parameter) - 1
        gaps = [
            found[0],
            *(later - earlier - 1 for earlier, later in pairwise(found)),
        ]
        self._parts.append("".join(["0" * (gap >> parameter) + "1" for gap in gaps]))
        if parameter:
            width = f"0{parameter}b"
            self._parts.append("".join([format(gap & mask, width) for gap in gaps]))

    def to_bytes(self) -> bytes:
        """All bits, with as many zeros behind as fill the last octet."""
        bits = "".join(self._parts)
        if not bits:
            return b""
        octets = (len(bits) + 7) // 8
        return int(bits.ljust(8 * octets, "0"), 2).to_bytes(octets, "big")


class BitReader:
    """Takes bits off the front, and never more than there are."""

    def __init__(self, data: bytes) -> None:
        # The octet in front keeps leading zeros.
        self._bits = bin(int.from_bytes(b"\x01" + data, "big"))[3:]
        self._at = 0

    def number(self, *, width: int) -> int:
        """Read a number of fixed width.

        Raises:
            PkiDataError: ``positions.malformed``.
        """
        end = self._at + width
        if end > len(self._bits):
            raise _malformed("it ends in the middle of a number")
        value = int(self._bits[self._at : end], 2)
        self._at = end
        return value

    def count(self) -> int:
        """Read a number in Elias' gamma code.

        Raises:
            PkiDataError: ``positions.malformed``.
        """
        zeros = self._bits.find("1", self._at, self._at + _MAX_COUNT_BITS) - self._at
        if zeros < 0:
            raise _malformed(f"a count has more than {_MAX_COUNT_BITS} bits, or is cut off")
        self._at += zeros
        return self.number(width=zeros + 1) - 1

    def set_of(self, count: int, positions: int) -> "array[int]":
        """Read so many ascending positions below ``positions``.

        Raises:
            PkiDataError: ``positions.malformed``.
        """
        if count == 0:
            return array("I")
        if count > positions:
            raise _malformed(f"a set has {count} of {positions} positions")
        parameter = rice_parameter(count, positions)
        quotients = self._quotients(count, most=count + (positions >> parameter))
        if parameter:
            end = self._at + count * parameter
            if end > len(self._bits):
                raise _malformed("it ends in the middle of a set")
            bits = self._bits
            gaps = [
                (quotient << parameter) + int(bits[at : at + parameter], 2) + 1
                for quotient, at in zip(quotients, range(self._at, end, parameter), strict=True)
            ]
            self._at = end
        else:
            gaps = [quotient + 1 for quotient in quotients]
        gaps[0] -= 1
        found = array("I", accumulate(gaps))
        if found[-1] >= positions:
            raise _malformed(f"a set reaches position {found[-1]}, expected below {positions}")
        return found

    def _quotients(self, count: int, *, most: int) -> list[int]:
        # No more than the bits that a set in this range can have are looked at.
        pieces = self._bits[self._at : self._at + most].split("1", count)
        if len(pieces) != count + 1:
            raise _malformed("a set has fewer positions than it says")
        pieces.pop()
        quotients = [len(piece) for piece in pieces]
        self._at += sum(quotients) + count
        return quotients

    def finish(self) -> None:
        """Nothing but the zeros that fill the last octet is left.

        Raises:
            PkiDataError: ``positions.malformed``.
        """
        rest = self._bits[self._at :]
        if len(rest) > 7 or "1" in rest:
            raise _malformed("something stands behind the last set")


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"positions cannot be read: {reason}", code="positions.malformed")
