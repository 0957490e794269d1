"""A card image: the non-volatile memory of a virtual chip, as a value and as a JSON file (docs/card-image.md).

The file is replaced as a whole and atomically, so that a process killed at any moment leaves the image of before or
of after a command, as a real chip would. An image holds keys and passwords in clear and says so in its first field.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Self

from card_layout.atr import LifeCycle, encode_atr
from card_layout.curves import NamedCurve
from simulators.errors import ImageError
from simulators.faults import Fault
from simulators.image_document import (
    MAX_IMAGE_BYTES,
    WARNING,
    PersonalisationKeysDocument,
    RsaKeyDocument,
    SigningEcKeyDocument,
    read_document,
)
from simulators.image_keys import (
    PIN_TRIES,
    PUK_TRIES,
    ActiveAuthenticationKey,
    EcKey,
    HashAlgorithm,
    Keys,
    PersonalisationKeys,
    RsaKey,
    Secrets,
    SessionAlgorithm,
    SigningEcKey,
)

__all__ = [
    "MASTER_FILE",
    "PIN_TRIES",
    "PUK_TRIES",
    "ActiveAuthenticationKey",
    "Applet",
    "CardImage",
    "EcKey",
    "HashAlgorithm",
    "ImageFile",
    "Keys",
    "Limits",
    "PersonalisationKeys",
    "ReadRule",
    "RsaKey",
    "Secrets",
    "SessionAlgorithm",
    "SigningEcKey",
    "Timing",
    "TimingFigures",
    "WriteRule",
    "file_path",
]

MASTER_FILE = "3F00"
"""How paths name the master file; paths of an application begin with its AID in hexadecimal."""


class ReadRule(StrEnum):
    """Who may read a file (SPEC.md, 8.4)."""

    ALWAYS = "always"
    PASSWORD = "password"  # noqa: S105 -- the name of a rule
    TERMINAL = "terminal"
    NEVER = "never"


class WriteRule(StrEnum):
    """Who may write a file (SPEC.md, 8.4)."""

    PERSONALISATION = "personalisation"


class Applet(StrEnum):
    """Which personality the card has: our own, or the open-source passport applet on a Java Card (SPEC.md, 11)."""

    NATIVE = "native"
    JMRTD = "jmrtd"


class Timing(StrEnum):
    """Whether the card answers as fast as it can, or as slowly as a chip of a named profile."""

    OFF = "off"
    CHIP = "chip"
    CONTACTLESS_FAST = "contactless-fast"
    CONTACTLESS_SLOW = "contactless-slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingFigures:
    """How long a chip takes; its named profiles and their sources stand in docs/performance.md."""

    bits_per_second: int
    command_milliseconds: float
    written_byte_microseconds: float
    multiplication_milliseconds: float
    key_pair_milliseconds: float
    rsa_milliseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """One transparent file: ``data`` is its content up to the highest byte ever written, at most ``capacity`` bytes."""

    data: bytes = field(default=b"", repr=False)
    read: ReadRule = ReadRule.PASSWORD
    write: WriteRule = WriteRule.PERSONALISATION
    short_identifier: int | None = None
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The longest APDUs that the card takes and gives, in bytes on the wire (SPEC.md, 4.1)."""

    extended_lengths: bool = True
    max_command_bytes: int = 4096
    max_response_bytes: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CardImage:
    """Everything that a card remembers without power.

    ``applications`` names the file identifier of each application; ``files`` are named ``3F00/011C`` or
    ``A0000002471001/0101``. A file left out is a file that the card does not have.
    """

    profile: str
    state: LifeCycle
    serial: bytes
    atr: bytes
    applet: Applet = Applet.NATIVE
    card_reference: bytes | None = None
    limits: Limits = field(default_factory=Limits)
    applications: Mapping[bytes, int] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, ImageFile] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Secrets = field(default_factory=Secrets)
    keys: Keys = field(default_factory=Keys)
    trust_points: tuple[bytes, ...] = ()
    current_date: str | None = None
    faults: tuple[Fault, ...] = ()
    timing: Timing | TimingFigures = Timing.OFF

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an image file.

        Raises:
            ImageError: there is no such file (``image.not-found``), or it is not a card image (``image.malformed``).
        """
        try:
            with path.open("rb") as stream:
                encoded = stream.read(MAX_IMAGE_BYTES + 1)
        except FileNotFoundError as error:
            raise ImageError(f"there is no card image {path}", code="image.not-found") from error
        except OSError as error:
            raise ImageError(
                f"card image {path} cannot be read: {error.strerror}", code="image.unreadable"
            ) from error
        try:
            return cls.from_json(encoded)
        except ImageError as error:
            raise ImageError(f"{path}: {error}", code=error.code) from error

    def save(self, path: Path) -> None:
        """Replace the file atomically: it holds the old image or this one, whenever the power fails.

        Raises:
            ImageError: the file cannot be written (``image.unwritable``); the old one is as it was.
        """
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            try:
                # An image holds secrets: nobody but its owner reads it.
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as stream:
                    stream.write(self.to_json().encode())
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_directory(path.parent)
        except OSError as error:
            raise ImageError(
                f"card image {path} cannot be written: {error.strerror}", code="image.unwritable"
            ) from error

    @classmethod
    def from_json(cls, encoded: str | bytes) -> Self:
        """Read the JSON of an image.

        Raises:
            ImageError: it is not what docs/card-image.md and docs/card-image.schema.json say.
        """
        document = read_document(encoded)
        reference = document.card_reference
        short_identifiers = document.short_identifiers()
        return cls(
            profile=document.profile,
            state=LifeCycle[document.state.upper()],
            serial=bytes.fromhex(document.serial),
            atr=bytes.fromhex(document.atr),
            applet=Applet(document.applet),
            card_reference=None if reference is None else bytes.fromhex(reference),
            limits=Limits(**document.limits.model_dump()),
            applications={
                bytes.fromhex(identifier): int(fid, 16)
                for identifier, fid in document.applications.items()
            },
            files={
                path: ImageFile(
                    data=bytes.fromhex(file.data),
                    read=ReadRule(file.read),
                    write=WriteRule(file.write),
                    short_identifier=short_identifiers[path],
                    capacity=file.room,
                )
                for path, file in document.files.items()
            },
            secrets=Secrets(**document.secrets.model_dump()),
            keys=Keys(
                chip_authentication=tuple(
                    EcKey(
                        curve=_CURVES[key.curve],
                        private_scalar=int(key.private_scalar, 16),
                        key_id=key.key_id,
                        algorithms=tuple(map(SessionAlgorithm, key.algorithms)),
                    )
                    for key in document.keys.chip_authentication
                ),
                active_authentication=_signing_key(document.keys.active_authentication),
                personalisation=_personalisation_keys(document.keys.personalisation),
                further_key_sets=tuple(map(_key_set, document.keys.further_key_sets)),
                challenge_bytes=document.keys.challenge_bytes,
            ),
            trust_points=tuple(bytes.fromhex(item) for item in document.trust_points),
            current_date=document.current_date,
            faults=tuple(fault.to_fault() for fault in document.faults),
            timing=(
                Timing(document.timing)
                if isinstance(document.timing, str)
                else TimingFigures(**document.timing.model_dump())
            ),
        )

    def to_json(self) -> str:
        """The JSON of the image, ``warning`` first."""
        document = {
            "warning": WARNING,
            "format": 1,
            "profile": self.profile,
            "state": self.state.name.lower(),
            "atr": _hex(self.atr),
            "serial": _hex(self.serial),
            "applet": str(self.applet),
            "card_reference": _hex(self.card_reference),
            "limits": {
                "extended_lengths": self.limits.extended_lengths,
                "max_command_bytes": self.limits.max_command_bytes,
                "max_response_bytes": self.limits.max_response_bytes,
            },
            "applications": {
                _hex(identifier): f"{fid:04X}" for identifier, fid in self.applications.items()
            },
            "files": {
                path: {
                    "data": _hex(file.data),
                    "read": str(file.read),
                    "write": str(file.write),
                    "short_identifier": file.short_identifier,
                    "capacity": file.capacity,
                }
                for path, file in self.files.items()
            },
            "secrets": {
                "can": self.secrets.can,
                "mrz_information": self.secrets.mrz_information,
                "wrong_passwords": self.secrets.wrong_passwords,
                "basic_access_control": self.secrets.basic_access_control,
                "pin": self.secrets.pin,
                "pin_tries_left": self.secrets.pin_tries_left,
                "puk": self.secrets.puk,
                "puk_tries_left": self.secrets.puk_tries_left,
            },
            "keys": {
                "chip_authentication": [
                    {
                        "curve": key.curve.label,
                        "private_scalar": _scalar(key),
                        "key_id": key.key_id,
                        "algorithms": [str(algorithm) for algorithm in key.algorithms],
                    }
                    for key in self.keys.chip_authentication
                ],
                "active_authentication": _signing_json(self.keys.active_authentication),
                "personalisation": _personalisation_json(self.keys.personalisation),
                "further_key_sets": [
                    _personalisation_json(each) for each in self.keys.further_key_sets
                ],
                "challenge_bytes": self.keys.challenge_bytes,
            },
            "trust_points": [_hex(certificate) for certificate in self.trust_points],
            "current_date": self.current_date,
            "faults": [_fault_json(fault) for fault in self.faults],
            "timing": str(self.timing) if isinstance(self.timing, Timing) else asdict(self.timing),
        }
        return json.dumps(document, indent=1) + "\n"

    def with_state(self, state: LifeCycle) -> Self:
        """The same memory in another state, whose ATR tells it (SPEC.md, 4.2)."""
        atr = encode_atr(state, extended_lengths=self.limits.extended_lengths)
        return replace(self, state=state, atr=atr)

    def with_file(self, path: str, file: ImageFile) -> Self:
        """The same memory with one file added or replaced."""
        return replace(self, files={**self.files, path: file})


def file_path(application: bytes | None, file_identifier: int) -> str:
    """How an image names a file of an application, or of the master file (``None``)."""
    directory = MASTER_FILE if application is None else application.hex().upper()
    return f"{directory}/{file_identifier:04X}"


def _personalisation_keys(
    document: PersonalisationKeysDocument | None,
) -> PersonalisationKeys | None:
    return None if document is None else _key_set(document)


def _key_set(document: PersonalisationKeysDocument) -> PersonalisationKeys:
    return PersonalisationKeys(
        key_version=document.key_version,
        enc=bytes.fromhex(document.enc),
        mac=bytes.fromhex(document.mac),
        dek=bytes.fromhex(document.dek),
        wrong_authentications=document.wrong_authentications,
    )


def _signing_key(
    document: SigningEcKeyDocument | RsaKeyDocument | None,
) -> ActiveAuthenticationKey | None:
    match document:
        case None:
            return None
        case SigningEcKeyDocument():
            return SigningEcKey(
                curve=_CURVES[document.curve],
                private_scalar=int(document.private_scalar, 16),
                hash_algorithm=HashAlgorithm(document.hash_algorithm),
            )
        case RsaKeyDocument():
            return RsaKey(
                modulus=int(document.modulus, 16),
                private_exponent=int(document.private_exponent, 16),
                hash_algorithm=HashAlgorithm(document.hash_algorithm),
            )


def _signing_json(key: ActiveAuthenticationKey | None) -> dict[str, object] | None:
    match key:
        case None:
            return None
        case SigningEcKey():
            numbers = {"curve": key.curve.label, "private_scalar": _scalar(key)}
        case RsaKey():
            size = (key.modulus.bit_length() + 7) // 8
            numbers = {
                "modulus": f"{key.modulus:0{2 * size}X}",
                "private_exponent": f"{key.private_exponent:0{2 * size}X}",
            }
    return {**numbers, "hash_algorithm": str(key.hash_algorithm)}


def _scalar(key: EcKey | SigningEcKey) -> str:
    return f"{key.private_scalar:0{2 * key.curve.field_bytes}X}"


_CURVES = {curve.label: curve for curve in NamedCurve}


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex().upper()


def _personalisation_json(keys: PersonalisationKeys | None) -> dict[str, object] | None:
    if keys is None:
        return None
    return {
        "key_version": keys.key_version,
        "enc": _hex(keys.enc),
        "mac": _hex(keys.mac),
        "dek": _hex(keys.dek),
        "wrong_authentications": keys.wrong_authentications,
    }


def _fault_json(fault: Fault) -> dict[str, object]:
    entry: dict[str, object] = {"kind": str(fault.kind)}
    if fault.at is not None:
        entry["at"] = fault.at
    if fault.instruction is not None:
        entry["instruction"] = f"{fault.instruction:02X}"
    if fault.p1 is not None:
        entry["p1"] = f"{fault.p1:02X}"
    if fault.path is not None:
        entry["path"] = fault.path
    return (
        entry
        | {
            "status_word": f"{fault.status_word:04X}",
            "bit": fault.bit,
            "milliseconds": fault.milliseconds,
        }
        | ({"response": fault.response.hex().upper()} if fault.response else {})
    )


def _sync_directory(directory: Path) -> None:
    """Make the rename itself survive a loss of power."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
