"""What is written to a chip and in which order, as a pure value (SPEC.md 8.5, 8.6).

A plan says *what*; how a step is said to a given chip is its dialect's matter. Every step may be repeated, so a
torn plan is carried out again from its start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from card_layout.profile import CardProfile, FileProfile
from issuer.domain.card import CardReference
from issuer.domain.card_secrets import CardSecrets
from issuer.errors import IssuerRefusedError

__all__ = [
    "CHIP_KEY_ID",
    "TRUST_POINTS_FILE",
    "CreateApplication",
    "CreateFile",
    "GenerateKeyPair",
    "PutPasswords",
    "PutReference",
    "PutTrustPoints",
    "ReplaceKeys",
    "SelectApplication",
    "SetStatus",
    "Step",
    "WriteFile",
    "initialisation_plan",
    "personalisation_plan",
]

TRUST_POINTS_FILE = "EF.CVCA"
"""The file that the chip writes by itself (SPEC.md 3.12)."""

CHIP_KEY_ID = 1
"""The key identifier of the chip-authentication key (SPEC.md 3.11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceKeys:
    """Put our personalisation keys, of this version, in the place of the transport keys."""

    key_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFile:
    """Make one transparent file in the current directory."""

    file: FileProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApplication:
    """Make the application's directory, which becomes current."""

    file_identifier: int
    application_identifier: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectApplication:
    """Make the application's directory current."""

    application_identifier: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Write the whole content of a file of the current directory."""

    file: FileProfile
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateKeyPair:
    """Let the chip make its chip-authentication key."""

    curve: NamedCurve
    key_id: int = CHIP_KEY_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class PutReference:
    """Give the chip its card reference; from here on it is that card or none."""

    reference: CardReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPasswords:
    """Give the chip the two passwords of PACE."""

    mrz_information: str = field(repr=False)
    can: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutTrustPoints:
    """Give the chip the CVCA certificates that it is to trust, the newest first, and its current date.

    The chip writes EF.CVCA by itself (SPEC.md 3.12).
    """

    certificates: tuple[bytes, ...]
    current_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus:
    """Move the chip's life cycle."""

    life_cycle: LifeCycle


Step = (
    ReplaceKeys
    | CreateFile
    | CreateApplication
    | SelectApplication
    | WriteFile
    | GenerateKeyPair
    | PutReference
    | PutPasswords
    | PutTrustPoints
    | SetStatus
)


def initialisation_plan(
    profile: CardProfile,
    *,
    master_file_contents: Mapping[str, bytes],
    replace_keys_by: int | None,
) -> tuple[Step, ...]:
    """Everything from a blank chip to one that made its key (SPEC.md 8.5).

    ``SetStatus`` stands last, and alone behind ``GenerateKeyPair``: the key is recorded between the two.

    Args:
        profile: the files to make.
        master_file_contents: what the files of the master file hold, by name; they are the same on all cards.
        replace_keys_by: the version of the keys that replace the transport keys; ``None`` where that was done.
    """
    steps: list[Step] = (
        [] if replace_keys_by is None else [ReplaceKeys(key_version=replace_keys_by)]
    )
    for file in profile.master_files:
        steps.append(CreateFile(file=file))
        steps.append(_write(file, master_file_contents))
    steps.append(
        CreateApplication(
            file_identifier=profile.application_file_identifier,
            application_identifier=profile.application_identifier,
        )
    )
    steps.extend(CreateFile(file=file) for file in profile.application_files)
    steps.append(GenerateKeyPair(curve=profile.chip_authentication_curve))
    steps.append(SetStatus(life_cycle=LifeCycle.INITIALISED))
    return tuple(steps)


def personalisation_plan(
    profile: CardProfile,
    *,
    reference: CardReference,
    secrets: CardSecrets,
    mrz_information: str,
    contents: Mapping[str, bytes],
    trust_points: PutTrustPoints | None = None,
) -> tuple[Step, ...]:
    """Everything from an initialised chip to one that quality control can read (SPEC.md 8.6).

    ``trust_points`` is what a chip gets whose profile has EF.CVCA; any other gets none.
    """
    has_trust_points = any(file.name == TRUST_POINTS_FILE for file in profile.application_files)
    if has_trust_points != (trust_points is not None):
        raise IssuerRefusedError(
            f"profile {profile.name} {'has' if has_trust_points else 'has no'} trust points",
            code="trust-point.missing",
        )
    return (
        PutReference(reference=reference),
        PutPasswords(mrz_information=mrz_information, can=secrets.can),
        *(() if trust_points is None else (trust_points,)),
        SelectApplication(application_identifier=profile.application_identifier),
        *(
            _write(file, contents)
            for file in profile.application_files
            if file.name != TRUST_POINTS_FILE
        ),
        SetStatus(life_cycle=LifeCycle.PERSONALISED),
    )


def _write(file: FileProfile, contents: Mapping[str, bytes]) -> WriteFile:
    content = contents.get(file.name, b"")
    if not 1 <= len(content) <= file.capacity:
        # A file that does not fit is found before the first APDU, not by the chip in the middle of the plan.
        raise IssuerRefusedError(
            f"{file.name} has {len(content)} bytes, expected 1 to {file.capacity}",
            code="personalisation.file-size",
        )
    return WriteFile(file=file, content=content)
