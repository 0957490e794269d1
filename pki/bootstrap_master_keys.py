"""Puts the work with master keys together from a home, and reads the files that people bring to it."""

import contextlib
import csv
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pki.certificates.certificate import MAX_CERTIFICATE_BYTES
from pki.durable import create_file
from pki.errors import KeystoreError, PkiDataError, PkiRefusedError, RecordError
from pki.home import Home
from pki.keys.open import open_keystore
from pki.keys.process_protection import protect_memory
from pki.services.master_keys import MasterKeyService
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.signed.authorisation import MAX_AUTHORISATION_BYTES
from pki.signed.chip_keys import MAX_CHIPS
from pki.signer_service.client import SocketDocumentSigner

__all__ = ["open_master_keys", "read_check_value", "read_component", "read_serials", "wrap_to_file"]

_MAX_COMPONENT_BYTES: Final = 1024
_MAX_LIST_BYTES: Final = 1024 * 1024
_COMPONENT: Final = re.compile(rb"[0-9A-Fa-f]{64}")
_CHECK_VALUE: Final = re.compile(r"[0-9A-Fa-f]{10}")
_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{20}")


@contextlib.contextmanager
def open_master_keys(home: Home, *, pin_file: Path | None = None) -> Iterator[MasterKeyService]:
    """The master keys of a home, which it owns until the context ends; core files are off from here on.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``.
        KeystoreError: the PIN or the keystore is wrong.
    """
    protect_memory()
    pin = home.read_pin(pin_file)
    with (
        open_record(home) as journal,
        contextlib.closing(open_keystore(home.keystore, pin=pin)) as keystore,
    ):
        recorder = Recorder(journal=journal, state=journal.state, now=lambda: datetime.now(UTC))
        yield MasterKeyService(keystore=keystore, recorder=recorder)


def read_component(path: Path) -> bytes:
    """A custodian's component: 64 hexadecimal digits in a file that nobody else can read.

    Raises:
        PkiDataError: ``master-key.component-unreadable``; the text never quotes what stands there.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_COMPONENT_BYTES).strip()
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise _component(f"component {path} cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & 0o077:
        raise _component(
            f"component {path} has mode {mode & 0o777:04o}, expected nobody but its owner to have rights"
        )
    if not _COMPONENT.fullmatch(content):
        raise _component(f"component {path} is not 64 hexadecimal digits")
    return bytes.fromhex(content.decode("ascii"))


def read_check_value(text: str) -> bytes:
    """A check value as the chip maker writes it: ten hexadecimal digits.

    Raises:
        PkiDataError: ``master-key.check-value-malformed``.
    """
    if not _CHECK_VALUE.fullmatch(text):
        raise PkiDataError(
            f"check value is {text[:40]!r}, expected 10 hexadecimal digits",
            code="master-key.check-value-malformed",
        )
    return bytes.fromhex(text)


def read_serials(path: Path) -> list[bytes]:
    """The serials of a list of chips: CSV with a column ``serial`` of 20 hexadecimal digits.

    Raises:
        PkiDataError: ``chip-keys.list-malformed``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_LIST_BYTES + 1)
        rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines(), strict=True))
    except OSError as error:
        raise _list(f"list of chips {path} cannot be read: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise _list(f"list of chips {path} is not CSV in UTF-8") from error
    serials = [row.get("serial") or "" for row in rows]
    if len(content) > _MAX_LIST_BYTES or not 1 <= len(serials) <= MAX_CHIPS:
        raise _list(f"list of chips {path} has {len(serials)} rows, expected 1 to {MAX_CHIPS}")
    for number, serial in enumerate(serials, start=1):
        if not _SERIAL.fullmatch(serial):
            raise _list(
                f"row {number} of {path} has serial {serial[:40]!r}, expected 20 hexadecimal digits"
            )
    return [bytes.fromhex(serial) for serial in serials]


def wrap_to_file(
    socket: Path,
    out: Path,
    *,
    authorisation: Path,
    station: Path,
    serials: Sequence[bytes],
    transport: int | None,
) -> int:
    """Have the signer process seal the keys of chips to a station's certificate; give back the file's size.

    Raises:
        RecordError: ``chip-keys.unwritable``: before anything is asked for, if the name is taken.
        PkiError: the signer cannot be reached, or refuses.
    """
    if out.exists():
        raise _unwritable(out, "there is a file already")
    certificate = _read(station, MAX_CERTIFICATE_BYTES)
    terms = _read(authorisation, MAX_AUTHORISATION_BYTES)
    with SocketDocumentSigner(socket, authorisation=terms) as signer:
        sealed = signer.wrap(serials, station=certificate, transport=transport)
    try:
        create_file(out, sealed)
    except OSError as error:
        raise _unwritable(out, error.strerror or "unknown") from error
    return len(sealed)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise KeystoreError(
            f"{path} cannot be read: {error.strerror}", code="chip-keys.input-unreadable"
        ) from error
    if len(content) > limit:
        raise PkiRefusedError(
            f"{path} has more than {limit} bytes", code="chip-keys.input-unreadable"
        )
    return content


def _component(message: str) -> PkiDataError:
    return PkiDataError(message, code="master-key.component-unreadable")


def _list(message: str) -> PkiDataError:
    return PkiDataError(message, code="chip-keys.list-malformed")


def _unwritable(path: Path, reason: str) -> RecordError:
    return RecordError(
        f"sealed keys {path} cannot be written: {reason}",
        code="chip-keys.unwritable",
        hint="what the signer sealed counts as given away",
    )
