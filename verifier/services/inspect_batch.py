"""The use case: a list of cards, one after another in the same reader."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from card_layout.transport.connection import CardReader
from verifier.errors import UsageError
from verifier.services.card_password import CardPassword
from verifier.services.inspect_card import Inspection

__all__ = ["BatchEntry", "CardChange", "inspect_batch", "parse_batch"]

MAX_BATCH_BYTES: Final = 1_000_000
_MAX_ENTRIES: Final = 10_000
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEntry:
    """One card to come: what to call it, and what opens it."""

    label: str
    password: CardPassword = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChange:
    """The port to whoever puts cards in: both wait for a bounded time and say whether it happened."""

    wait_for_card: Callable[[CardReader], bool]
    wait_for_removal: Callable[[CardReader], bool]


def parse_batch(data: bytes) -> tuple[BatchEntry, ...]:
    """A CSV file in UTF-8 with the columns ``label`` and ``can``; other columns are left alone.

    Labels become file names, so they are letters, digits, ``.``, ``_`` and ``-``, and each stands once.

    Raises:
        UsageError: anything else, naming the row; a card access number is never quoted.
    """
    header, *rows = _rows(data)
    if "label" not in header or "can" not in header:
        raise UsageError("the list lacks the columns label and can in its first row")
    entries: dict[str, BatchEntry] = {}
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise UsageError(f"row {number} has {len(row)} columns, expected {len(header)}")
        try:
            entry = _entry(row[header.index("label")], row[header.index("can")])
        except UsageError as error:
            raise UsageError(f"row {number}: {error}") from error
        if entry.label in entries:
            raise UsageError(f"row {number}: label {entry.label!r} stands twice")
        entries[entry.label] = entry
    if not 1 <= len(entries) <= _MAX_ENTRIES:
        raise UsageError(f"the list has {len(entries)} cards, expected 1 to {_MAX_ENTRIES}")
    return tuple(entries.values())


def _rows(data: bytes) -> list[list[str]]:
    if len(data) > MAX_BATCH_BYTES:
        raise UsageError(f"the list has {len(data)} bytes, expected at most {MAX_BATCH_BYTES}")
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError("the list is not CSV in UTF-8") from error
    return rows or [[]]


def _entry(label: str, can: str) -> BatchEntry:
    if _LABEL.fullmatch(label) is None:
        raise UsageError("the label is not 1 to 64 letters, digits, '.', '_' and '-'")
    return BatchEntry(label=label, password=CardPassword.from_can(can))


def inspect_batch(
    reader: CardReader,
    entries: Sequence[BatchEntry],
    *,
    inspect: Callable[[CardReader, CardPassword], Inspection],
    change: CardChange,
) -> Iterator[tuple[BatchEntry, Inspection]]:
    """Inspect one card after another, waiting for each to be put in after the last one was taken out.

    Once a card failed to come in time, nobody is waited for any more: the remaining ones are read at once.
    """
    is_somebody_there = True
    for index, entry in enumerate(entries):
        if is_somebody_there and index:
            change.wait_for_removal(reader)
        if is_somebody_there:
            is_somebody_there = change.wait_for_card(reader)
        yield entry, inspect(reader, entry.password)
