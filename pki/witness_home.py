"""The directory of a witness: another machine than the authority's, with a key of its own.

witness.json    name, the log that it watches, its own public key, the PIN file, the sealed private key
seen.json       the last checkpoint that it cosigned, and when
evidence/       checkpoints that convict the log: signed by it, and of another history than the one seen
lock            held by whoever cosigns
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki.durable import create_file, replace_file
from pki.errors import KeystoreError, PkiDataError, RecordError
from pki.keys.open import create_pin_file, read_pin_file
from pki.keys.sealed_key import SealedKey
from pki.record.lock import lock_exclusively
from pki.record.transparency_cosignature import WitnessKey
from pki.record.transparency_note import NoteKey
from pki.services.witness import SeenCheckpoint, Witness

__all__ = ["WitnessHome", "WitnessSettings"]

_FORMAT: Final = 1
_MAX_FILE_BYTES: Final = 16384
_MAX_EVIDENCE: Final = 1000
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSettings:
    """Who the witness is, what it watches, and where its PIN and its sealed key are."""

    key: WitnessKey
    log: NoteKey
    pin_file: Path
    sealed_key: SealedKey


@dataclass(frozen=True, slots=True)
class WitnessHome:
    """One witness's directory; a ``WitnessShelf``."""

    directory: Path

    def create(self, *, name: str, log: NoteKey, pin_file: Path) -> WitnessSettings:
        """Make the directory and a key.

        Raises:
            RecordError: ``witness.exists``, ``witness.unusable``.
            KeystoreError: ``keystore.pin-file``.
            PkiDataError: ``log.key-malformed``: the name cannot stand in a note.
        """
        private_key = Ed25519PrivateKey.generate()
        key = WitnessKey(name=name, public_key=private_key.public_key().public_bytes_raw())
        if self._settings_file.exists():
            raise _exists(self.directory)
        sealed = SealedKey.seal(
            private_key.private_bytes_raw(),
            passphrase=create_pin_file(pin_file),
            purpose=key.to_text(),
        )
        settings = WitnessSettings(key=key, log=log, pin_file=pin_file.resolve(), sealed_key=sealed)
        content = {
            "format": _FORMAT,
            "key": key.to_text(),
            "log": log.to_text(),
            "pin_file": str(settings.pin_file),
            "sealed_key": sealed.to_json(),
        }
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.directory.chmod(0o700)
            create_file(self._settings_file, _encode(content))
        except FileExistsError as error:
            raise _exists(self.directory) from error
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be written") from error
        return settings

    def settings(self) -> WitnessSettings:
        """Read the settings.

        Raises:
            RecordError: ``witness.missing``, ``witness.unusable``.
        """
        if not self._settings_file.exists():
            raise RecordError(
                f"{self.directory} is no directory of a witness",
                code="witness.missing",
                hint="membercard-pki log witness create",
            )
        found = self._read_json(self._settings_file)
        try:
            return WitnessSettings(
                key=WitnessKey.from_text(_text(found, "key")),
                log=NoteKey.from_text(_text(found, "log")),
                pin_file=Path(_text(found, "pin_file")),
                sealed_key=SealedKey.from_json(found.get("sealed_key")),
            )
        except (PkiDataError, KeystoreError) as error:
            raise self._unusable(str(error)) from error

    @contextmanager
    def open(self, *, pin_file: Path | None = None) -> Iterator[Witness]:
        """The witness, who owns its directory until the context ends.

        Raises:
            RecordError: ``witness.missing``, ``witness.unusable``; ``record.locked``.
            KeystoreError: ``keystore.pin-file``, ``keystore.passphrase-wrong``.
        """
        settings = self.settings()
        pin = read_pin_file(settings.pin_file if pin_file is None else pin_file)
        try:
            lock = (self.directory / "lock").open("ab")
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be locked") from error
        with lock:
            lock_exclusively(lock, name=str(self.directory))
            private_key = self._private_key(settings, pin)
            yield Witness(
                key=settings.key,
                log=settings.log,
                shelf=self,
                sign=private_key.sign,
                now=lambda: datetime.now(UTC),
            )

    def read_seen(self) -> SeenCheckpoint | None:
        """See ``pki.services.witness.WitnessShelf``."""
        if not self._seen_file.exists():
            return None
        found = self._read_json(self._seen_file)
        size = found.get("size")
        try:
            root = bytes.fromhex(_text(found, "root"))
            moment = datetime.strptime(_text(found, "time"), _TIME_FORMAT).replace(tzinfo=UTC)
        except (PkiDataError, ValueError) as error:
            raise self._unusable("what it has seen cannot be read") from error
        if type(size) is not int or size < 0 or len(root) != sha256().digest_size:
            raise self._unusable("what it has seen has no size or no root")
        return SeenCheckpoint(size=size, root=root, time=moment)

    def write_seen(self, seen: SeenCheckpoint) -> None:
        """See ``pki.services.witness.WitnessShelf``."""
        content = {
            "format": _FORMAT,
            "size": seen.size,
            "root": seen.root.hex(),
            "time": seen.time.astimezone(UTC).strftime(_TIME_FORMAT),
        }
        try:
            replace_file(self._seen_file, _encode(content))
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be written") from error

    def keep_evidence(self, note: bytes) -> None:
        """See ``pki.services.witness.WitnessShelf``; the same checkpoint is kept once, and of many the first ones."""
        directory = self.directory / "evidence"
        path = directory / f"{sha256(note).hexdigest()}.checkpoint"
        try:
            directory.mkdir(exist_ok=True, mode=0o700)
            if not path.exists() and len(list(directory.iterdir())) < _MAX_EVIDENCE:
                create_file(path, note)
        except OSError as error:
            raise self._unusable(error.strerror or "evidence cannot be kept") from error

    @property
    def _settings_file(self) -> Path:
        return self.directory / "witness.json"

    @property
    def _seen_file(self) -> Path:
        return self.directory / "seen.json"

    def _private_key(self, settings: WitnessSettings, pin: str) -> Ed25519PrivateKey:
        secret = settings.sealed_key.open(passphrase=pin, purpose=settings.key.to_text())
        private_key = Ed25519PrivateKey.from_private_bytes(secret)
        if private_key.public_key().public_bytes_raw() != settings.key.public_key:
            raise self._unusable("its key is not the one that it says")
        return private_key

    def _read_json(self, path: Path) -> dict[str, Any]:
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(_MAX_FILE_BYTES))
        except (OSError, ValueError, RecursionError) as error:
            raise self._unusable(f"{path.name} cannot be read") from error
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise self._unusable(f"{path.name} is not of format {_FORMAT}")
        return found

    def _unusable(self, reason: str) -> RecordError:
        return RecordError(
            f"directory {self.directory} of a witness cannot be used: {reason}",
            code="witness.unusable",
        )


def _exists(directory: Path) -> RecordError:
    return RecordError(f"there is a witness in {directory} already", code="witness.exists")


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise PkiDataError(f"{name} is no text", code="witness.unusable")
    return value


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode() + b"\n"
