"""The JSON document of a card image: what stands where, and what is refused (docs/card-image.schema.json).

The published schema is made from these models; what a schema cannot say (content within capacity, files of
applications that exist, scalars within their curve) is checked here and written down in docs/card-image.md.
"""

import json
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from card_layout.curves import NamedCurve
from simulators.card.cv_certificate import CvCertificateError, read_trust_point
from simulators.errors import ImageError
from simulators.faults import Fault, FaultKind
from simulators.image_keys import PIN_TRIES, PUK_TRIES

__all__ = [
    "MAX_IMAGE_BYTES",
    "MAX_TRUST_POINTS",
    "WARNING",
    "ImageDocument",
    "PersonalisationKeysDocument",
    "RsaKeyDocument",
    "SigningEcKeyDocument",
    "json_schema",
    "read_document",
]

MAX_IMAGE_BYTES = 4_000_000
"""The longest image file that is read; an issued card's has about 60,000 bytes."""

MAX_TRUST_POINTS = 2
"""How many CVCA keys a card trusts at once: the present one and the one before (TR-03110-3, 2.5)."""

WARNING = (
    "SECRET: this file is the memory of a virtual card and holds its keys and passwords in clear"
)

_MAX_FILES = 64
_MAX_FILE_BYTES = 0xFFFF
_MAX_FAULTS = 64
_MAX_KEYS = 8

_Hex = Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2})*$")]
_ApplicationIdentifier = Annotated[str, Field(pattern=r"^([0-9A-F]{2}){5,16}$")]
_FileIdentifier = Annotated[str, Field(pattern=r"^[0-9A-F]{4}$")]
_Path = Annotated[str, Field(pattern=r"^(3F00|([0-9A-F]{2}){5,16})/[0-9A-F]{4}$")]
_Byte = Annotated[str, Field(pattern=r"^[0-9A-F]{2}$")]
_Key = Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})$")]


_CurveLabel = Literal[
    "secp256r1",
    "secp384r1",
    "secp521r1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class LimitsDocument(_Model):
    """The longest APDUs, in bytes on the wire, header, lengths and status word included."""

    extended_lengths: bool = True
    max_command_bytes: int = Field(default=4096, ge=261, le=65544)
    max_response_bytes: int = Field(default=4096, ge=258, le=65538)


class FileDocument(_Model):
    """One transparent file; `data` is its content in hexadecimal, at most `capacity` bytes.

    Without `capacity` it has room for its content; without `short_identifier` it has the one that its file identifier
    suggests, and with `null` none.
    """

    data: _Hex = ""
    read: Literal["always", "password", "terminal", "never"]
    write: Literal["personalisation"] = "personalisation"
    short_identifier: int | None = Field(default=None, ge=1, le=30)
    capacity: int | None = Field(default=None, ge=1, le=_MAX_FILE_BYTES)

    @property
    def room(self) -> int:
        """The bytes that the file can hold; a file has at least one."""
        return max(len(self.data) // 2, 1) if self.capacity is None else self.capacity

    @property
    def leaves_short_identifier_open(self) -> bool:
        """Whether nothing is said about the short identifier; `null` says that there is none."""
        return "short_identifier" not in self.model_fields_set


class SecretsDocument(_Model):
    """The passwords of PACE, and how often in a row a wrong one was tried."""

    can: Annotated[str, Field(pattern=r"^[0-9]{6}$")] | None = None
    mrz_information: Annotated[str, Field(pattern=r"^[0-9A-Z<]{24}$")] | None = None
    wrong_passwords: int = Field(default=0, ge=0, le=0xFFFF)
    basic_access_control: bool = False
    pin: Annotated[str, Field(pattern=r"^[0-9]{5,12}$")] | None = None
    pin_tries_left: int = Field(default=PIN_TRIES, ge=0, le=PIN_TRIES)
    puk: Annotated[str, Field(pattern=r"^[0-9]{8,12}$")] | None = None
    puk_tries_left: int = Field(default=PUK_TRIES, ge=0, le=PUK_TRIES)

    @model_validator(mode="after")
    def _check_basic_access_control(self) -> Self:
        if self.basic_access_control and self.mrz_information is None:
            raise ValueError("basic access control needs an mrz_information")
        return self


class EcKeyDocument(_Model):
    """A private key; `private_scalar` in hexadecimal."""

    curve: _CurveLabel
    private_scalar: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){1,66}$")]
    key_id: int = Field(ge=0, le=255)
    algorithms: list[Literal["3des", "aes-128", "aes-192", "aes-256"]] = Field(
        default=["aes-128"], min_length=1, max_length=4
    )

    @model_validator(mode="after")
    def _check_scalar(self) -> Self:
        _check_private_scalar(self.curve, self.private_scalar)
        if len(set(self.algorithms)) != len(self.algorithms):
            raise ValueError("a key names an algorithm twice")
        return self


_HashAlgorithm = Literal["sha-1", "sha-224", "sha-256", "sha-384", "sha-512"]


class SigningEcKeyDocument(_Model):
    """The key of active authentication with ECDSA."""

    curve: _CurveLabel
    private_scalar: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){1,66}$")]
    hash_algorithm: _HashAlgorithm = "sha-256"

    @model_validator(mode="after")
    def _check_scalar(self) -> Self:
        _check_private_scalar(self.curve, self.private_scalar)
        return self


class RsaKeyDocument(_Model):
    """The key of active authentication with RSA; the first bit of `modulus` is set."""

    modulus: Annotated[str, Field(pattern=r"^[89A-Fa-f][0-9A-Fa-f]([0-9A-Fa-f]{2}){127,511}$")]
    private_exponent: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){1,512}$")]
    hash_algorithm: _HashAlgorithm = "sha-1"

    @model_validator(mode="after")
    def _check_exponent(self) -> Self:
        if not 1 < int(self.private_exponent, 16) < int(self.modulus, 16):
            raise ValueError("private_exponent is not between 1 and the modulus")
        return self


class PersonalisationKeysDocument(_Model):
    """The three SCP03 keys of one set, in hexadecimal: 16, 24 or 32 bytes, all alike."""

    key_version: int = Field(ge=1, le=255)
    enc: _Key
    mac: _Key
    dek: _Key
    wrong_authentications: int = Field(default=0, ge=0, le=255)

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if not len(self.enc) == len(self.mac) == len(self.dek):
            raise ValueError("the keys of one set have different lengths")
        return self


class KeysDocument(_Model):
    """All keys of the chip."""

    chip_authentication: list[EcKeyDocument] = Field(default_factory=list, max_length=_MAX_KEYS)
    active_authentication: SigningEcKeyDocument | RsaKeyDocument | None = None
    personalisation: PersonalisationKeysDocument | None = None
    further_key_sets: list[PersonalisationKeysDocument] = Field(default_factory=list, max_length=3)
    challenge_bytes: Literal[8, 16] = 8

    @model_validator(mode="after")
    def _check_key_sets(self) -> Self:
        first = () if self.personalisation is None else (self.personalisation,)
        versions = [each.key_version for each in (*first, *self.further_key_sets)]
        if len(set(versions)) != len(versions) or (self.further_key_sets and not first):
            raise ValueError(
                "two key sets have the same key_version, or only further ones are there"
            )
        return self

    @model_validator(mode="after")
    def _check_identifiers(self) -> Self:
        identifiers = [key.key_id for key in self.chip_authentication]
        if len(set(identifiers)) != len(identifiers):
            raise ValueError("two keys have the same key_id")
        return self


class FaultDocument(_Model):
    """One fault; `at` counts commands on the wire from 1 since the card was put in, absent means always."""

    kind: Literal[
        "tear-before",
        "tear-during",
        "tear-after",
        "flip-bit",
        "delay",
        "drop",
        "wrong-status-word",
        "endless-61",
        "endless-6c",
        "short-response",
        "rubbish",
        "replace",
        "other-answer",
        "swap",
        "shrinking-file",
        "overlong-length",
        "instruction-refused",
    ]
    at: int | None = Field(default=None, ge=1)
    instruction: _Byte | None = None
    p1: _Byte | None = None
    path: _Path | None = None
    status_word: _FileIdentifier = "6F00"
    bit: int = Field(default=0, ge=0)
    milliseconds: int = Field(default=0, ge=0, le=60_000)
    response: _Hex = ""

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.kind in {"overlong-length", "shrinking-file"} and self.path is None:
            raise ValueError(f"a fault of kind {self.kind} needs a path")
        if self.kind == "replace" and len(self.response) < 4:
            raise ValueError("a replace fault needs a response of two bytes at least")
        if self.kind == "instruction-refused" and self.instruction is None:
            raise ValueError("an instruction-refused fault needs an instruction")
        return self

    def to_fault(self) -> Fault:
        """The fault itself."""
        return Fault(
            kind=FaultKind(self.kind),
            at=self.at,
            instruction=None if self.instruction is None else int(self.instruction, 16),
            p1=None if self.p1 is None else int(self.p1, 16),
            path=self.path,
            status_word=int(self.status_word, 16),
            bit=self.bit,
            milliseconds=self.milliseconds,
            response=bytes.fromhex(self.response),
        )


class TimingFiguresDocument(_Model):
    """How long this chip takes; every figure is that of one operation."""

    bits_per_second: int = Field(ge=1_000, le=100_000_000)
    command_milliseconds: float = Field(ge=0, le=10_000, allow_inf_nan=False)
    written_byte_microseconds: float = Field(ge=0, le=10_000, allow_inf_nan=False)
    multiplication_milliseconds: float = Field(ge=0, le=10_000, allow_inf_nan=False)
    key_pair_milliseconds: float = Field(ge=0, le=100_000, allow_inf_nan=False)
    rsa_milliseconds: float = Field(ge=0, le=10_000, allow_inf_nan=False)


class ImageDocument(_Model):
    """The memory of a virtual membership card (docs/card-image.md)."""

    warning: Literal[
        "SECRET: this file is the memory of a virtual card and holds its keys and passwords in clear"
    ] = "SECRET: this file is the memory of a virtual card and holds its keys and passwords in clear"
    format: int = Field(ge=1, le=1)
    profile: str = Field(min_length=1, max_length=64)
    state: Literal[
        "blank", "initialised", "personalising", "personalised", "operational", "terminated"
    ]
    atr: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){2,33}$")]
    serial: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{20}$")]
    applet: Literal["native", "jmrtd"] = "native"
    card_reference: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{32}$")] | None = None
    limits: LimitsDocument = Field(default_factory=LimitsDocument)
    applications: dict[_ApplicationIdentifier, _FileIdentifier] = Field(
        default_factory=dict, max_length=8
    )
    files: dict[_Path, FileDocument] = Field(default_factory=dict, max_length=_MAX_FILES)
    secrets: SecretsDocument = Field(default_factory=SecretsDocument)
    keys: KeysDocument = Field(default_factory=KeysDocument)
    trust_points: list[_Hex] = Field(default_factory=list, max_length=MAX_TRUST_POINTS)
    current_date: Annotated[str, Field(pattern=r"^20[0-9]{6}$")] | None = None
    faults: list[FaultDocument] = Field(default_factory=list, max_length=_MAX_FAULTS)
    timing: (
        Literal["off", "chip", "contactless-fast", "contactless-slow"] | TimingFiguresDocument
    ) = "off"

    @model_validator(mode="after")
    def _check_terminal_authentication(self) -> Self:
        try:
            points = [read_trust_point(bytes.fromhex(item)) for item in self.trust_points]
        except CvCertificateError as error:
            raise ValueError(f"a trust point cannot be used: {error}") from error
        if len({point.holder_reference for point in points}) != len(points):
            raise ValueError("two trust points have the same holder reference")
        if self.current_date is not None:
            try:
                date.fromisoformat(self.current_date)
            except ValueError as error:
                raise ValueError("current_date is no day of the calendar") from error
        return self

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        short_identifiers: set[tuple[str, int]] = set()
        for path, file in self.files.items():
            directory = path.partition("/")[0]
            if directory != "3F00" and directory not in self.applications:
                raise ValueError(f"file {path} belongs to no application of the card")
            if len(file.data) // 2 > min(file.room, _MAX_FILE_BYTES):
                raise ValueError(
                    f"file {path} holds {len(file.data) // 2} bytes, "
                    f"expected at most {min(file.room, _MAX_FILE_BYTES)}"
                )
            if file.short_identifier is not None:
                key = (directory, file.short_identifier)
                if key in short_identifiers:
                    raise ValueError(f"file {path} shares its short identifier with another")
                short_identifiers.add(key)
        if len(set(self.applications.values())) != len(self.applications):
            raise ValueError("two applications have the same file identifier")
        return self

    def short_identifiers(self) -> dict[str, int | None]:
        """The short identifier of each file.

        A file that leaves its own open has the low five bits of its file identifier, as the files of the application
        and of the master file do (SPEC.md, 3.1 and 3.2), unless those are no short identifier or another file of the
        directory has them.
        """
        found = {path: file.short_identifier for path, file in self.files.items()}
        taken = {
            (path.partition("/")[0], number) for path, number in found.items() if number is not None
        }
        for path, file in self.files.items():
            directory, _, identifier = path.partition("/")
            number = int(identifier, 16) & 0x1F
            is_free = (directory, number) not in taken and number not in (0, 0x1F)
            if file.leaves_short_identifier_open and is_free:
                found[path] = number
                taken.add((directory, number))
        return found


def _check_private_scalar(label: str, scalar: str) -> None:
    order = next(curve.n for curve in NamedCurve if curve.label == label)
    if not 1 <= int(scalar, 16) < order:
        raise ValueError("private_scalar is not between 1 and the order of the curve")


def read_document(encoded: str | bytes) -> ImageDocument:
    """Parse and check the JSON of an image.

    Raises:
        ImageError: it is too long, not JSON, or breaks a rule.
    """
    if len(encoded) > MAX_IMAGE_BYTES:
        raise ImageError(f"the image is longer than {MAX_IMAGE_BYTES} bytes")
    try:
        content = json.loads(encoded, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"the image is not JSON: {_reason(error)}") from error
    try:
        return ImageDocument.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "image"
        raise ImageError(f"{place}: {_lower(first['msg'])}") from error


def json_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) that docs/card-image.schema.json publishes."""
    schema = ImageDocument.model_json_schema()
    for name in ("applications", "files"):
        # The generated schema says what fitting names hold, and not that others are refused.
        schema["properties"][name]["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:membercard:card-image:1",
        **schema,
    }


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a field stands twice in one object")
    return content


def _reason(error: Exception) -> str:
    return _lower(error.msg) if isinstance(error, json.JSONDecodeError) else _lower(str(error))


def _lower(text: str) -> str:
    text = text.removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:]
