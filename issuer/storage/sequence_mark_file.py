"""Keeps the mark of bundles in a file beside the mark of card numbers, outside the database and its backups."""

import json
from pathlib import Path
from typing import Final

from issuer.domain.instances import MAX_SEQUENCE, parse_instance_name
from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.services.bundle_ports import SequenceMark
from issuer.storage.durable import write_durably

__all__ = ["FileSequenceMarkStore"]

_FILE: Final = "bundles.json"
_FORMAT: Final = 1
_MAX_BYTES: Final = 1 << 20


class FileSequenceMarkStore:
    """Implements ``SequenceMarkStore`` in one folder."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE

    def read(self) -> SequenceMark:
        """See ``SequenceMarkStore.read``."""
        try:
            with self._path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return SequenceMark()
        except OSError as error:
            raise IssuerUnavailableError(
                f"{self._path} cannot be read: {error.strerror}", code="bundle.mark-unavailable"
            ) from error
        return _from_bytes(content)

    def write(self, mark: SequenceMark) -> None:
        """See ``SequenceMarkStore.write``."""
        try:
            write_durably(self._path, _to_bytes(mark))
        except OSError as error:
            raise IssuerUnavailableError(
                f"{self._path} cannot be written: {error.strerror}", code="bundle.mark-unavailable"
            ) from error


def _to_bytes(mark: SequenceMark) -> bytes:
    document = {"format": _FORMAT, "sent": dict(mark.sent)}
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


def _from_bytes(content: bytes) -> SequenceMark:
    try:
        sent = json.loads(content if len(content) <= _MAX_BYTES else b"")["sent"]
        mark = SequenceMark(
            sent={parse_instance_name(name): _sequence(count) for name, count in sent.items()}
        )
    except (
        IssuerDataError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        raise _malformed(content) from error
    if _to_bytes(mark) != content:
        raise _malformed(content)
    return mark


def _sequence(value: object) -> int:
    if type(value) is not int or not 0 < value <= MAX_SEQUENCE:
        raise ValueError("not a sequence number")
    return value


def _malformed(content: bytes) -> IssuerDataError:
    return IssuerDataError(
        f"the mark of bundles has {len(content)} bytes that are not one",
        code="bundle.mark-malformed",
        hint="docs/bundles.md, 'A register from a backup'",
    )
