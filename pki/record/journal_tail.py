"""Following a journal from where one stopped reading: nothing is locked, and nothing is read twice.

A projection of the journal remembers a ``JournalPosition``. Reading goes on from that byte, and only if the line
there follows the hash that was remembered: a journal that was cut, replaced or changed before it is refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from pki.errors import RecordError
from pki.record.journal import JournalEntry
from pki.record.journal_position import JournalPosition

__all__ = ["JournalPosition", "read_after"]

_MAX_LINE_BYTES: Final = 65536


def read_after(
    path: Path, position: JournalPosition, *, limit: int
) -> Iterator[tuple[JournalEntry, JournalPosition]]:
    """At most ``limit`` whole entries behind a position, each with the position behind it.

    A last line without an end is left alone: it is being written, or a crash tore it.

    Raises:
        RecordError: ``database.other-journal``: the journal does not hold what was read before;
            ``record.damaged``, ``record.unreadable``.
    """
    try:
        with path.open("rb") as file:
            _check_continues(file, position)
            current = position
            for _ in range(limit):
                line = file.readline(_MAX_LINE_BYTES + 1)
                if not line.endswith(b"\n"):
                    if len(line) > _MAX_LINE_BYTES:
                        raise _damaged(f"the line after entry {current.sequence} is too long")
                    return
                entry = JournalEntry.from_bytes(line[:-1])
                if entry.sequence != current.sequence + 1 or entry.previous != current.hash:
                    raise _damaged(f"the entry after {current.sequence} does not follow it")
                current = JournalPosition(
                    sequence=entry.sequence,
                    hash=entry.hash,
                    offset=current.offset + len(line),
                    line_offset=current.offset,
                )
                yield entry, current
    except FileNotFoundError as error:
        if position.sequence:
            raise _other(position) from error
    except OSError as error:
        raise RecordError(
            f"journal {path} cannot be read: {error.strerror}", code="record.unreadable"
        ) from error


def _check_continues(file: BinaryIO, position: JournalPosition) -> None:
    """The last entry that was read must still stand where it stood; then stand behind it."""
    file.seek(position.line_offset)
    if position.sequence == 0:
        return
    line = file.readline(_MAX_LINE_BYTES + 1)
    try:
        entry = JournalEntry.from_bytes(line[:-1])
    except RecordError as error:
        raise _other(position) from error
    if entry.sequence != position.sequence or entry.hash != position.hash:
        raise _other(position)


def _other(position: JournalPosition) -> RecordError:
    return RecordError(
        f"the journal does not hold entry {position.sequence} that the database was made from",
        code="database.other-journal",
        hint="verify the journal against a head or checkpoint kept elsewhere, then: database rebuild",
    )


def _damaged(message: str) -> RecordError:
    return RecordError(message, code="record.damaged")
