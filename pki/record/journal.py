"""The journal: what was done and what was about to be, append-only, hash-chained, on disk before it counts.

One JSON object a line. Each carries the hash of the one before and its own hash over everything else in it, so
that an edit, a gap or another order shows. A tail that was cut off does not show by itself: compare with a
head (``sequence:hash``) that was written down elsewhere.

``append`` returns once the line is durable. A line that a crash tore was therefore never acknowledged: it has
no line end, and opening the journal removes it. Anything else that does not fit is damage and is refused.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import BufferedRandom
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from pki.durable import sync_directory
from pki.errors import RecordError
from pki.record.journal_position import JournalPosition
from pki.record.lock import lock_exclusively

__all__ = [
    "Fields",
    "Journal",
    "JournalEntry",
    "JournalHead",
    "Record",
    "read_journal",
    "verify_journal",
]

_START: Final = JournalPosition()
_HASH_BYTES: Final = 32
_MAX_LINE_BYTES: Final = 65536
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_KEYS: Final = frozenset({"sequence", "time", "kind", "fields", "previous", "hash"})

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)

Fields = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is to be recorded: a dotted ``kind``, plain values, an aware time."""

    kind: str
    time: datetime
    fields: Fields = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A record in its place: ``sequence`` counts from 1, hashes have 32 bytes, ``line_bytes`` counts its line with the end."""

    sequence: int
    time: datetime
    kind: str
    fields: Fields
    previous: bytes
    hash: bytes
    line_bytes: int = field(default=0, compare=False, repr=False)

    def to_bytes(self) -> bytes:
        """The entry's line in the journal, without the line end."""
        content = {
            "sequence": self.sequence,
            "time": self.time.strftime(_TIME_FORMAT),
            "kind": self.kind,
            "fields": dict(self.fields),
            "previous": self.previous.hex(),
            "hash": self.hash.hex(),
        }
        return _canonical(content)

    @classmethod
    def from_bytes(cls, data: bytes) -> "JournalEntry":
        """Read one entry that stands alone; that it follows its predecessor is not known then.

        Raises:
            RecordError: ``record.damaged``.
        """
        if len(data) >= _MAX_LINE_BYTES:
            raise _damaged(
                f"an entry has {len(data)} bytes, expected at most {_MAX_LINE_BYTES - 1}"
            )
        try:
            found = json.loads(data)
            previous = JournalHead(
                sequence=int(found["sequence"]) - 1, hash=bytes.fromhex(found["previous"])
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise _damaged("an entry is not JSON with the keys of one") from error
        if previous.sequence < 0 or len(previous.hash) != _HASH_BYTES:
            raise _damaged(
                f"an entry has sequence {previous.sequence + 1} or a short hash before it"
            )
        return _parse(data + b"\n", previous)

    def text(self, name: str) -> str:
        """A field that must be a text.

        Raises:
            RecordError: ``record.damaged``.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise _damaged(f"field {name!r} of entry {self.sequence} is no text")
        return value

    def number(self, name: str) -> int:
        """A field that must be a whole number.

        Raises:
            RecordError: ``record.damaged``.
        """
        value = self.fields.get(name)
        if not isinstance(value, int):
            raise _damaged(f"field {name!r} of entry {self.sequence} is no number")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHead:
    """How far a journal goes: its last sequence number (0: empty) and hash, and the bytes of a torn line behind it."""

    sequence: int
    hash: bytes
    torn_bytes: int = 0

    def to_text(self) -> str:
        """``sequence:hash`` to be written down elsewhere."""
        return f"{self.sequence}:{self.hash.hex()}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote.

        Raises:
            RecordError: ``record.head-malformed``.
        """
        match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
        if match is None:
            raise RecordError(
                f"head is {text[:80]!r}, expected sequence:hash", code="record.head-malformed"
            )
        return cls(sequence=int(match[1]), hash=bytes.fromhex(match[2]))


class Journal:
    """A journal that is open for appending, by this process alone."""

    def __init__(self, path: Path, file: BufferedRandom, head: JournalHead) -> None:
        self._path = path
        self._file: BufferedRandom | None = file
        self._head = head

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        replay: Callable[[JournalEntry], None],
        start: JournalPosition = _START,
    ) -> Self:
        """Lock the journal, check it from the start or a position behind it, and hand every entry there to ``replay``.

        Raises:
            RecordError: ``record.locked``, ``record.damaged``, ``record.unreadable``.
        """
        try:
            is_new = not path.exists()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            file = os.fdopen(descriptor, "r+b")
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            lock_exclusively(file, name=str(path))
            if is_new:
                sync_directory(path.parent)
            head = _replay(file, replay, start)
            if head.torn_bytes:
                # The line was never acknowledged, because it never became durable as a whole.
                file.truncate(_size(file) - head.torn_bytes)
                os.fsync(file.fileno())
            file.seek(0, os.SEEK_END)
            return cls(path, file, JournalHead(sequence=head.sequence, hash=head.hash))
        except OSError as error:
            file.close()
            raise _unreadable(path, error) from error
        except BaseException:
            file.close()
            raise

    def fileno(self) -> int:
        """The open file's descriptor: a process that inherits it keeps the lock as long as it lives.

        Raises:
            RecordError: ``record.closed``.
        """
        if self._file is None:
            raise RecordError(f"journal {self._path} is closed", code="record.closed")
        return self._file.fileno()

    @property
    def head(self) -> JournalHead:
        """How far it goes."""
        return self._head

    def append(self, record: Record) -> JournalEntry:
        """Record one thing durably; see ``append_many``."""
        return self.append_many((record,))[0]

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        """Record several things with one write to the disk; once this returns, they are durable.

        Raises:
            RecordError: ``record.write-failed``: nothing may be taken as recorded, and the journal is closed;
                ``record.closed``.
        """
        if self._file is None:
            raise RecordError(f"journal {self._path} is closed", code="record.closed")
        if not records:
            return ()
        entries: list[JournalEntry] = []
        lines: list[bytes] = []
        head = self._head
        for record in records:
            entry, line = _chain(head, record)
            entries.append(entry)
            lines.append(line)
            head = JournalHead(sequence=entry.sequence, hash=entry.hash)
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            # After a failed fsync nobody knows what the disk holds: only a fresh reading can tell.
            self.close()
            raise RecordError(
                f"journal {self._path} cannot be written: {error.strerror}",
                code="record.write-failed",
            ) from error
        self._head = head
        return tuple(entries)

    def close(self) -> None:
        """Let go of file and lock; closing twice is harmless."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                # Closing flushes what a failed write left behind; the failure was told already.
                file.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[JournalEntry]:
    """The entries of a journal, each checked against the one before, without locking or mending anything.

    Raises:
        RecordError: ``record.damaged``, ``record.unreadable``.
    """
    entries: list[JournalEntry] = []
    _read(path, entries.append)
    return iter(entries)


def verify_journal(
    path: Path,
    *,
    known_head: JournalHead | None = None,
    replay: Callable[[JournalEntry], None] = lambda _: None,
    start: JournalPosition = _START,
) -> JournalHead:
    """Check a journal, the whole or from a position on; find edits, gaps, another order and, against a head, a cut tail.

    Every entry is handed to ``replay``; nothing is locked or mended.

    Raises:
        RecordError: ``record.damaged``; ``record.cut``: the known head is not in it; ``record.unreadable``.
    """
    found = known_head is None or known_head.sequence == 0

    def look(entry: JournalEntry) -> None:
        nonlocal found
        if (
            known_head is not None
            and entry.sequence == known_head.sequence
            and entry.hash == known_head.hash
        ):
            found = True
        replay(entry)

    head = _read(path, look, start)
    if known_head is not None and not found:
        raise RecordError(
            f"journal {path} goes to {head.sequence} and does not hold head {known_head.sequence}",
            code="record.cut",
        )
    return head


def _read(
    path: Path, replay: Callable[[JournalEntry], None], start: JournalPosition = _START
) -> JournalHead:
    try:
        with path.open("rb") as file:
            return _replay(file, replay, start)
    except OSError as error:
        raise _unreadable(path, error) from error


def _replay(
    file: Any, replay: Callable[[JournalEntry], None], start: JournalPosition
) -> JournalHead:
    file.seek(start.offset)
    head = JournalHead(sequence=start.sequence, hash=start.hash)
    while line := file.readline(_MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            # A shorter one ended with the file as it was then: whoever writes may be about to go on.
            if len(line) == _MAX_LINE_BYTES and file.read(1):
                raise _damaged(f"the line after entry {head.sequence} is too long")
            return JournalHead(sequence=head.sequence, hash=head.hash, torn_bytes=len(line))
        entry = _parse(line, head)
        replay(entry)
        head = JournalHead(sequence=entry.sequence, hash=entry.hash)
    return head


def _chain(head: JournalHead, record: Record) -> tuple[JournalEntry, bytes]:
    if record.time.tzinfo is None:
        raise RecordError("a record's time has no time zone", code="record.invalid")
    moment = record.time.astimezone(UTC)
    line, digest = _encode(
        head, kind=record.kind, fields=record.fields, time=moment.strftime(_TIME_FORMAT)
    )
    if len(line) > _MAX_LINE_BYTES:
        raise RecordError(
            f"a record has {len(line)} bytes, expected at most {_MAX_LINE_BYTES}",
            code="record.invalid",
        )
    entry = JournalEntry(
        sequence=head.sequence + 1,
        time=moment,
        kind=record.kind,
        fields=MappingProxyType(dict(record.fields)),
        previous=head.hash,
        hash=digest,
        line_bytes=len(line),
    )
    return entry, line


def _parse(line: bytes, head: JournalHead) -> JournalEntry:
    """Read one line strictly: what does not encode to the same bytes again is not ours."""
    where = f"the entry after {head.sequence}"
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(f"{where} is not JSON") from error
    if not isinstance(found, dict) or set(found) != _KEYS:
        raise _damaged(f"{where} has not the keys of an entry")
    fields, kind, time = found["fields"], found["kind"], found["time"]
    stated = found.pop("hash")
    if not isinstance(kind, str) or not isinstance(fields, dict) or not isinstance(time, str):
        raise _damaged(f"{where} has values of other types than an entry's")
    expected, digest = _encode(head, kind=kind, fields=fields, time=time)
    if expected != line:
        # The one right line differs: only which of the reasons it is remains to be said.
        if stated != sha256(_canonical(found)).hexdigest():
            raise _damaged(f"{where} was altered: its hash does not fit")
        if found["sequence"] != head.sequence + 1 or found["previous"] != head.hash.hex():
            raise _damaged(
                f"{where} does not follow it: an entry is missing, added or out of place"
            )
        raise _damaged(f"{where} is not in the one encoding")
    try:
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise _damaged(f"{where} has no time") from error
    if moment.tzinfo is not UTC or moment.strftime(_TIME_FORMAT) != time:
        raise _damaged(f"{where} has no time")
    return JournalEntry(
        sequence=head.sequence + 1,
        time=moment,
        kind=kind,
        fields=MappingProxyType(fields),
        previous=head.hash,
        hash=digest,
        line_bytes=len(line),
    )


def _encode(head: JournalHead, *, kind: str, fields: Fields, time: str) -> tuple[bytes, bytes]:
    """The one line of an entry after ``head``, and its hash, which stands between "fields" and "kind"."""
    before = '{"fields":' + _ENCODER.encode(dict(fields)) + ","
    behind = (
        f'"kind":{json.dumps(kind)},"previous":"{head.hash.hex()}",'
        f'"sequence":{head.sequence + 1},"time":{json.dumps(time)}}}'
    )
    digest = sha256((before + behind).encode())
    line = f'{before}"hash":"{digest.hexdigest()}",{behind}\n'
    return line.encode(), digest.digest()


def _canonical(content: Mapping[str, object]) -> bytes:
    return _ENCODER.encode(content).encode()


def _size(file: BufferedRandom) -> int:
    return os.fstat(file.fileno()).st_size


def _damaged(message: str) -> RecordError:
    return RecordError(
        message,
        code="record.damaged",
        hint="stop signing, keep the file as evidence, and compare it with the last backup",
    )


def _unreadable(path: Path, error: OSError) -> RecordError:
    return RecordError(
        f"journal {path} cannot be opened: {error.strerror}", code="record.unreadable"
    )
