"""The references of signed cards, and where in the journal each stands: millions of them, in a few bytes each."""

from bisect import bisect_left
from typing import Final, Self

from pki.errors import RecordError

__all__ = ["ROW_BYTES", "ReferenceIndex"]

_REFERENCE_BYTES: Final = 16
_SEQUENCE_BYTES: Final = 8
ROW_BYTES: Final = _REFERENCE_BYTES + _SEQUENCE_BYTES
"""A reference, and the sequence number of the entry that records it, big-endian."""


class ReferenceIndex:
    """Rows in order, as one run of bytes, and beside them what was added since."""

    def __init__(self, rows: bytes = b"") -> None:
        self._rows = rows
        self._added: dict[bytes, list[int]] = {}

    @classmethod
    def from_bytes(cls, rows: bytes) -> Self:
        """Take rows that ``to_bytes`` gave.

        Raises:
            RecordError: ``record.damaged``: they are no whole number of rows.
        """
        if len(rows) % ROW_BYTES:
            raise RecordError(
                f"an index of references has {len(rows)} bytes, expected a multiple of {ROW_BYTES}",
                code="record.damaged",
            )
        return cls(rows)

    def to_bytes(self) -> bytes:
        """All rows in order."""
        pieces: list[bytes] = []
        begin = 0
        for row in sorted(
            reference + sequence.to_bytes(_SEQUENCE_BYTES, "big")
            for reference, sequences in self._added.items()
            for sequence in sequences
        ):
            end = self._find(row) * ROW_BYTES
            pieces += (self._rows[begin:end], row)
            begin = end
        pieces.append(self._rows[begin:])
        return b"".join(pieces)

    def add(self, reference: bytes, sequence: int) -> None:
        """Remember that an entry records a reference of 16 bytes.

        Raises:
            ValueError: it has another length.
        """
        if len(reference) != _REFERENCE_BYTES:
            raise ValueError(f"got {len(reference)} bytes, expected {_REFERENCE_BYTES}")
        self._added.setdefault(reference, []).append(sequence)

    def __contains__(self, reference: bytes) -> bool:
        return bool(self.sequences(reference))

    def sequences(self, reference: bytes) -> tuple[int, ...]:
        """The entries that record a reference, oldest first."""
        found: list[int] = []
        at = self._find(reference) * ROW_BYTES
        while self._rows[at : at + _REFERENCE_BYTES] == reference:
            number = self._rows[at + _REFERENCE_BYTES : at + ROW_BYTES]
            found.append(int.from_bytes(number, "big"))
            at += ROW_BYTES
        return (*found, *self._added.get(reference, ()))

    def _find(self, row: bytes) -> int:
        """How many rows come before a row, or before all rows of a reference."""
        rows = self._rows
        return bisect_left(
            range(len(rows) // ROW_BYTES),
            row,
            key=lambda number: rows[number * ROW_BYTES : (number + 1) * ROW_BYTES],
        )
