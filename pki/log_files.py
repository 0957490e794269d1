"""Files of the transparency log at the edge of the command line: notes, proofs, keys, policies."""

from pathlib import Path
from typing import Final

from pki.durable import replace_file
from pki.errors import PkiDataError, RecordError
from pki.record.transparency_cosignature import WitnessKey
from pki.record.transparency_note import NoteKey

__all__ = ["read_file", "read_log_key", "read_witness_key", "write_file"]

_MAX_KEY_BYTES: Final = 4096


def read_file(path: Path, limit: int) -> bytes:
    """A file of at most so many bytes, and one more where it is longer, so that it is refused and not cut.

    Raises:
        RecordError: ``log.unreadable``.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read: {error.strerror}", code="log.unreadable"
        ) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file that others may read.

    Raises:
        RecordError: ``log.unwritable``.
    """
    try:
        replace_file(path, content, mode=0o644)
    except OSError as error:
        raise RecordError(
            f"{path} cannot be written: {error.strerror}", code="log.unwritable"
        ) from error


def read_log_key(path: Path) -> NoteKey:
    """A log's public key, as ``log key`` shows it.

    Raises:
        PkiDataError: ``log.key-malformed``.
        RecordError: ``log.unreadable``.
    """
    return NoteKey.from_text(_read_key(path))


def read_witness_key(path: Path) -> WitnessKey:
    """A witness's public key, as ``log witness key`` shows it.

    Raises:
        PkiDataError: ``log.key-malformed``.
        RecordError: ``log.unreadable``.
    """
    return WitnessKey.from_text(_read_key(path))


def _read_key(path: Path) -> str:
    try:
        return read_file(path, _MAX_KEY_BYTES).decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise PkiDataError(f"{path} holds no key of a log", code="log.key-malformed") from error
