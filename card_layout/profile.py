"""The card profile: everything about the card that is data and not code (SPEC.md, 3; docs/card-profile.md).

The profiles that come with the package are **assumed**: no public text fixes the chip of the card. The real one
is another TOML file of the same schema, given by its path.
"""

import tomllib
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from card_layout.curves import NamedCurve
from card_layout.errors import CardDataError
from card_layout.files.registry import TAG_OF_GROUP

__all__ = [
    "MASTER_FILE",
    "AccessRule",
    "CardProfile",
    "FileProfile",
    "PersonalisationDialect",
    "PersonalisationProfile",
    "ProfileError",
    "load_profile",
    "packaged_profiles",
]

MASTER_FILE = 0x3F00
"""File identifier of the master file."""

_MASTER_PREFIX = f"{MASTER_FILE:04X}/"
_MAX_FILE_BYTES = 65536
_CURVES = {curve.label: curve for curve in NamedCurve}


class ProfileError(CardDataError):
    """A profile that cannot be read, or contradicts itself or SPEC.md."""

    default_code = "profile.malformed"


class AccessRule(IntEnum):
    """Who may read a file (SPEC.md, 8.4)."""

    ALWAYS = 0x00
    PASSWORD = 0x01
    TERMINAL = 0x02
    NEVER = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProfile:
    """One elementary file: ``path`` is its directory and FID, as in ``3F00/011C`` or ``A0000002471001/0101``.

    ``tag`` is that of the whole content, ``None`` where it has several; ``capacity`` is in bytes.
    """

    name: str
    path: str
    file_identifier: int
    short_identifier: int | None
    tag: int | None
    data_group: int | None
    capacity: int
    read: AccessRule


class PersonalisationDialect(StrEnum):
    """How a plan is said to chips of a profile (SPEC.md, 8 and 11)."""

    NATIVE = "native"
    JMRTD = "jmrtd"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalisationProfile:
    """How chips are written: the dialect, and how long their keys are, in bytes; ``jmrtd`` knows no keys."""

    dialect: PersonalisationDialect = PersonalisationDialect.NATIVE
    key_bytes: int = 16
    transport_key_bytes: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CardProfile:
    """One kind of card. ``is_assumed`` tells that the real card may differ; show it wherever the name is shown.

    ``pace_curve`` is ``None`` for cards that know basic access control alone. ``is_development`` is for those and
    for others that nobody may be given: an issuer makes them only where it was told to.
    """

    name: str
    is_assumed: bool
    arc: str
    application_identifier: bytes
    application_file_identifier: int
    files: tuple[FileProfile, ...]
    pace_curve: NamedCurve | None
    chip_authentication_curve: NamedCurve
    extended_lengths: bool
    max_command_bytes: int
    max_response_bytes: int
    portrait_min_bytes: int
    portrait_max_bytes: int
    document_code: str = "CM"
    issuing_state: str = "VNM"
    personalisation: PersonalisationProfile = PersonalisationProfile()
    is_development: bool = False
    master_files: tuple[FileProfile, ...] = field(init=False, repr=False, compare=False)
    """The files of the master file, in the order of the profile."""
    application_files: tuple[FileProfile, ...] = field(init=False, repr=False, compare=False)
    """The files of the application, in the order of the profile."""

    def __post_init__(self) -> None:
        # Set apart once: whoever makes cards asks for them several times a card.
        for name, is_master in (("master_files", True), ("application_files", False)):
            there = [f for f in self.files if f.path.startswith(_MASTER_PREFIX) is is_master]
            object.__setattr__(self, name, tuple(there))
        prefix = f"{self.application_identifier.hex().upper()}/"
        for what in ("name", "path"):
            values = [getattr(file, what) for file in self.files]
            if len(set(values)) != len(values):
                raise ProfileError(f"profile {self.name}: two files have the same {what}")
        for file in self.files:
            if file.path not in (
                f"{_MASTER_PREFIX}{file.file_identifier:04X}",
                f"{prefix}{file.file_identifier:04X}",
            ):
                raise ProfileError(
                    f"profile {self.name}: path of {file.name} is {file.path}, expected a file of the "
                    "master file or of the application"
                )
            if file.data_group is not None and file.tag != TAG_OF_GROUP[file.data_group]:
                raise ProfileError(
                    f"profile {self.name}: {file.name} is not tagged {TAG_OF_GROUP[file.data_group]:02X}"
                )
        for files in (self.master_files, self.application_files):
            identifiers = [
                file.short_identifier for file in files if file.short_identifier is not None
            ]
            if len(set(identifiers)) != len(identifiers):
                raise ProfileError(
                    f"profile {self.name}: two files of one directory have the same short identifier"
                )
        if self.portrait_min_bytes > self.portrait_max_bytes:
            raise ProfileError(
                f"profile {self.name}: the least portrait is longer than the longest"
            )
        self._require_access_and_dialect_to_fit()

    def _require_access_and_dialect_to_fit(self) -> None:
        if self.pace_curve is None:
            has_offer = any(file.name == "EF.CardAccess" for file in self.files)
            if has_offer or not self.is_development:
                raise ProfileError(
                    f"profile {self.name}: a card without PACE has no EF.CardAccess and is for development"
                )
        if self.personalisation.dialect is PersonalisationDialect.JMRTD:
            has_others = self.master_files or any(file.name == "EF.CVCA" for file in self.files)
            if self.pace_curve is not None or self.extended_lengths or has_others:
                raise ProfileError(
                    f"profile {self.name}: dialect jmrtd has no PACE, no extended lengths, no files of the "
                    "master file and no EF.CVCA"
                )
        if self.personalisation.key_bytes > self.personalisation.transport_key_bytes:
            raise ProfileError(
                f"profile {self.name}: keys of {8 * self.personalisation.key_bytes} bits would travel under "
                f"transport keys of {8 * self.personalisation.transport_key_bytes}"
            )

    def file(self, name: str) -> FileProfile:
        """The file of that name.

        Raises:
            ProfileError: there is none; code ``profile.no-such-file``.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise ProfileError(f"profile {self.name} has no file {name}", code="profile.no-such-file")


def packaged_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with the package, sorted."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in _profiles_directory().iterdir()
            if entry.name.endswith(".toml")
        )
    )


def load_profile(name_or_path: str) -> CardProfile:
    """The packaged profile of that name, or the one in the TOML file of that path (ending in ``.toml``).

    Raises:
        ProfileError: no such profile (``profile.not-found``), or not a profile (``profile.malformed``).
    """
    try:
        if name_or_path.endswith(".toml"):
            text = Path(name_or_path).read_text(encoding="utf-8")
        elif name_or_path in packaged_profiles():
            text = (_profiles_directory() / f"{name_or_path}.toml").read_text(encoding="utf-8")
        else:
            raise ProfileError(
                f"got profile {name_or_path!r}, expected one of {', '.join(packaged_profiles())} or "
                "the path of a .toml file",
                code="profile.not-found",
            )
    except (OSError, ValueError) as error:
        raise ProfileError(
            f"profile {name_or_path!r} cannot be read", code="profile.not-found"
        ) from error
    try:
        return _ProfileDocument.model_validate(tomllib.loads(text)).to_profile()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ProfileError(f"profile {name_or_path!r}: {place}: {first['msg'].lower()}") from error
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: a number of more than 4300 digits is a bare ValueError.
        raise ProfileError(f"profile {name_or_path!r} is not toml: {error}") from error


def _profiles_directory() -> resources.abc.Traversable:
    return resources.files("card_layout") / "profiles"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Hex = Annotated[str, Field(pattern=r"^([0-9A-F]{2})+$", max_length=32)]
_FileIdentifier = Annotated[str, Field(pattern=r"^[0-9A-F]{4}$")]
_CurveName = Literal[
    "secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"
]
_ApduBytes = Annotated[int, Field(ge=261, le=65538)]
_FileBytes = Annotated[int, Field(ge=1, lt=_MAX_FILE_BYTES)]


class _ApplicationTable(_Table):
    identifier: Annotated[_Hex, Field(min_length=10)]
    file_identifier: _FileIdentifier


class _AccessTable(_Table):
    pace_curve: _CurveName | None = None
    basic_access_control: bool = False
    chip_authentication_curve: _CurveName

    @model_validator(mode="after")
    def _check_one_way_in(self) -> Self:
        if (self.pace_curve is None) is not self.basic_access_control:
            raise ValueError("expected either pace_curve or basic_access_control = true")
        return self


class _PersonalisationTable(_Table):
    dialect: Literal["native", "jmrtd"] = "native"
    key_bits: Literal[128, 192, 256] = 128
    transport_key_bits: Literal[128, 192, 256] = 128

    def to_profile(self) -> PersonalisationProfile:
        return PersonalisationProfile(
            dialect=PersonalisationDialect(self.dialect),
            key_bytes=self.key_bits // 8,
            transport_key_bytes=self.transport_key_bits // 8,
        )


class _ApduTable(_Table):
    extended_lengths: bool
    max_command_bytes: _ApduBytes
    max_response_bytes: _ApduBytes


class _PortraitTable(_Table):
    min_bytes: _FileBytes
    max_bytes: _FileBytes


class _FileTable(_Table):
    name: Annotated[str, Field(pattern=r"^EF\.[A-Za-z0-9/]{1,20}$")]
    path: Annotated[str, Field(pattern=r"^[0-9A-F]{4,32}/[0-9A-F]{4}$")]
    short_identifier: Annotated[str, Field(pattern=r"^(0[1-9A-F]|1[0-9A-E])$")] | None = None
    tag: Annotated[_Hex, Field(max_length=6)] | None = None
    data_group: Annotated[int, Field(ge=1, le=16)] | None = None
    capacity: _FileBytes
    read: Literal["always", "password", "terminal", "never"]

    def to_profile(self) -> FileProfile:
        return FileProfile(
            name=self.name,
            path=self.path,
            file_identifier=int(self.path.rpartition("/")[2], 16),
            short_identifier=None
            if self.short_identifier is None
            else int(self.short_identifier, 16),
            tag=None if self.tag is None else int(self.tag, 16),
            data_group=self.data_group,
            capacity=self.capacity,
            read=AccessRule[self.read.upper()],
        )


class _ProfileDocument(_Table):
    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    is_assumed: bool
    is_development: bool = False
    arc: Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9][0-9]{0,8})){1,16}$")]
    document_code: Annotated[str, Field(pattern=r"^[ACI][A-Z0-9]?$")]
    issuing_state: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    application: _ApplicationTable
    access: _AccessTable
    personalisation: _PersonalisationTable = _PersonalisationTable()
    apdu: _ApduTable
    portrait: _PortraitTable
    files: Annotated[list[_FileTable], Field(min_length=1, max_length=64)]

    def to_profile(self) -> CardProfile:
        return CardProfile(
            name=self.name,
            is_assumed=self.is_assumed,
            arc=self.arc,
            application_identifier=bytes.fromhex(self.application.identifier),
            application_file_identifier=int(self.application.file_identifier, 16),
            files=tuple(file.to_profile() for file in self.files),
            pace_curve=None if self.access.pace_curve is None else _CURVES[self.access.pace_curve],
            chip_authentication_curve=_CURVES[self.access.chip_authentication_curve],
            extended_lengths=self.apdu.extended_lengths,
            max_command_bytes=self.apdu.max_command_bytes,
            max_response_bytes=self.apdu.max_response_bytes,
            portrait_min_bytes=self.portrait.min_bytes,
            portrait_max_bytes=self.portrait.max_bytes,
            document_code=self.document_code,
            issuing_state=self.issuing_state,
            personalisation=self.personalisation.to_profile(),
            is_development=self.is_development,
        )
