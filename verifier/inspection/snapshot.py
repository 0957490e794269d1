"""The frozen evidence of one reading: what the card was asked, and what it gave.

A snapshot is everything that a verdict is made from, so that it can be judged again in a dispute. It holds no
password. A file that was asked for leaves evidence even where the card does not have it: otherwise nobody could
tell a file that is not there from one whose evidence was taken away.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final, Self

from verifier.errors import SnapshotError
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.snapshot_values import (
    MAX_CODE_CHARACTERS,
    decode_bytes,
    encode_bytes,
    no_constant,
    object_without_repeats,
    read_fields,
    read_member,
    read_number,
    read_optional_text,
    read_text,
    read_truth,
)
from verifier.inspection.terminal_evidence import TerminalEvidence

__all__ = [
    "MAX_FILE_BYTES",
    "AccessEvidence",
    "AccessOutcome",
    "AccessPath",
    "ActiveAuthenticationEvidence",
    "CardSnapshot",
    "ChipEvidence",
    "ChipOutcome",
    "FileEvidence",
    "FileOutcome",
    "Phase",
    "ReadingProblem",
]

MAX_FILE_BYTES: Final = 65536
"""The longest file that a reading takes (SPEC.md, 4.8)."""

_FORMAT: Final = 1
_MAX_FILES: Final = 32
_MAX_JSON_CHARACTERS: Final = 4_000_000
_MAX_ATR_BYTES: Final = 33
_MAX_NAME_CHARACTERS: Final = 32
_MAX_KEY_BYTES: Final = 2048
_MAX_FALLBACKS: Final = 16


@unique
class FileOutcome(StrEnum):
    """What came of asking for one file."""

    READ = "read"
    ABSENT = "absent"
    """The card answered that there is no such file (6A82)."""
    REFUSED = "refused"
    """The card has it, or might have it, and does not give it."""
    NOT_REQUESTED = "not-requested"
    """The terminal has no right to it, or no need of it, and did not ask (SPEC.md, 5.11)."""
    MALFORMED = "malformed"
    """The card gave bytes that are no file: no or too long a length, or an end too early."""


@unique
class AccessPath(StrEnum):
    """The way into the card that was tried."""

    NONE = "none"
    PACE_CAN = "pace-can"
    PACE_MRZ = "pace-mrz"
    BAC = "bac"
    """Basic access control, which only a policy that names it allows (SPEC.md, 5.7)."""


@unique
class AccessOutcome(StrEnum):
    """How far the way in led."""

    NOT_ATTEMPTED = "not-attempted"
    BROKEN_OFF = "broken-off"
    """The exchange ended before the chip had its say: the snapshot's problem tells why."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - the name of an outcome


@unique
class ChipOutcome(StrEnum):
    """How far chip authentication led (SPEC.md, 5.4)."""

    NOT_ATTEMPTED = "not-attempted"
    REFUSED_BY_CHIP = "refused-by-chip"
    """The chip answered one of its commands with an error, and went on in the old session."""
    FAILED = "failed"
    """The commands went through, and no good answer under the new keys followed."""
    PROVEN = "proven"


@unique
class Phase(StrEnum):
    """The parts of a reading, in their order."""

    CONNECT = "connect"
    ACCESS = "access"
    CHIP = "chip"
    FILES = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvidence:
    """One file that was asked for, by its name in the profile (``EF.DG1``)."""

    name: str
    outcome: FileOutcome
    content: bytes | None = field(default=None, repr=False)
    code: str | None = None
    """Why it was not read, where the card did not just lack it."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= _MAX_NAME_CHARACTERS:
            raise SnapshotError(
                f"a file's name has {len(self.name)} characters, expected 1 to {_MAX_NAME_CHARACTERS}"
            )
        if (self.content is not None) != (self.outcome is FileOutcome.READ):
            raise SnapshotError(
                f"{self.name} is {self.outcome.value}, expected content where it was read, and only there"
            )
        if self.content is not None and len(self.content) > MAX_FILE_BYTES:
            raise SnapshotError(
                f"{self.name} has {len(self.content)} bytes, expected at most {MAX_FILE_BYTES}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvidence:
    """The way in: what was tried, with which parameters (a DER PACEInfo), and what came of it.

    ``is_password_of_data`` tells whether the MRZ that opened PACE is the one in EF.DG1; ``None`` where the password
    was no MRZ or EF.DG1 was not read. The password itself is not evidence and is not kept.
    """

    path: AccessPath = AccessPath.NONE
    outcome: AccessOutcome = AccessOutcome.NOT_ATTEMPTED
    pace_info: bytes | None = None
    is_password_of_data: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipEvidence:
    """Chip authentication: the outcome, and the key (a DER SubjectPublicKeyInfo) that it was done with."""

    outcome: ChipOutcome = ChipOutcome.NOT_ATTEMPTED
    public_key: bytes | None = field(default=None, repr=False)
    key_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAuthenticationEvidence:
    """The challenge that a chip with EF.DG15 was asked to sign, and what it answered; ``None``: it did not sign."""

    challenge: bytes
    signature: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingProblem:
    """What broke the reading off, and in which phase."""

    phase: Phase
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSnapshot:
    """All evidence of one reading.

    ``is_complete`` says that the reading came to its end, whatever it found, and ``problem`` what broke it off
    otherwise; ``phase_seconds`` are wall-clock durations by phase. ``fallbacks`` are the codes of what the chip refused
    and was then done in another way, so that no second choice is silent.
    """

    profile: str
    read_at: datetime
    atr: bytes | None
    files: Mapping[str, FileEvidence] = field(repr=False)
    access: AccessEvidence = AccessEvidence()
    chip: ChipEvidence = ChipEvidence()
    active_authentication: ActiveAuthenticationEvidence | None = None
    terminal: TerminalEvidence | None = None
    portrait: PortraitOutcome | None = None
    fallbacks: tuple[str, ...] = ()
    is_complete: bool = False
    problem: ReadingProblem | None = None
    apdu_count: int = 0
    phase_seconds: Mapping[Phase, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.read_at.tzinfo is None:
            raise SnapshotError("the time of reading has no time zone, expected an aware time")
        if self.atr is not None and len(self.atr) > _MAX_ATR_BYTES:
            raise SnapshotError(
                f"the ATR has {len(self.atr)} bytes, expected at most {_MAX_ATR_BYTES}"
            )
        if len(self.files) > _MAX_FILES:
            raise SnapshotError(f"there are {len(self.files)} files, expected at most {_MAX_FILES}")
        if self.is_complete and self.problem is not None:
            raise SnapshotError("the reading came to its end and broke off, expected one of these")
        for name, evidence in self.files.items():
            if name != evidence.name:
                raise SnapshotError(f"the evidence under {name} is about {evidence.name}")
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))
        object.__setattr__(self, "phase_seconds", MappingProxyType(dict(self.phase_seconds)))

    def content(self, name: str) -> bytes | None:
        """The bytes of a file, ``None`` unless it was read."""
        evidence = self.files.get(name)
        return None if evidence is None else evidence.content

    def to_json(self) -> str:
        """The stored form: versioned, one JSON object, bytes in base64. It holds the holder's data, and no password."""
        document: dict[str, object] = {
            "format": _FORMAT,
            "profile": self.profile,
            "read_at": self.read_at.astimezone(UTC).isoformat(),
            "atr": encode_bytes(self.atr),
            "access": {
                "path": self.access.path.value,
                "outcome": self.access.outcome.value,
                "pace_info": encode_bytes(self.access.pace_info),
                "is_password_of_data": self.access.is_password_of_data,
            },
            "chip": {
                "outcome": self.chip.outcome.value,
                "public_key": encode_bytes(self.chip.public_key),
                "key_id": self.chip.key_id,
            },
            "files": [
                {
                    "name": item.name,
                    "outcome": item.outcome.value,
                    "content": encode_bytes(item.content),
                    "code": item.code,
                }
                for item in self.files.values()
            ],
            "is_complete": self.is_complete,
            "problem": None
            if self.problem is None
            else {"phase": self.problem.phase.value, "code": self.problem.code},
            "apdu_count": self.apdu_count,
            "phase_seconds": {
                phase.value: seconds for phase, seconds in self.phase_seconds.items()
            },
        }
        if self.active_authentication is not None:
            # Only cards of a variant have it: snapshots of all others stay as they were.
            document["active_authentication"] = {
                "challenge": encode_bytes(self.active_authentication.challenge),
                "signature": encode_bytes(self.active_authentication.signature),
            }
        if self.terminal is not None:
            document[_TERMINAL] = self.terminal.to_document()
        if self.portrait is not None:
            document[_PORTRAIT] = self.portrait.value
        if self.fallbacks:
            document[_FALLBACKS] = list(self.fallbacks)
        return json.dumps(document, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Take a stored snapshot back, exactly as its format says.

        Raises:
            SnapshotError: anything else: no JSON, another version, a key too many or too few, a bound broken.
        """
        if len(text) > _MAX_JSON_CHARACTERS:
            raise SnapshotError(
                f"the snapshot has {len(text)} characters, expected at most {_MAX_JSON_CHARACTERS}"
            )
        try:
            document = json.loads(
                text, object_pairs_hook=object_without_repeats, parse_constant=no_constant
            )
        except (ValueError, RecursionError) as error:
            raise SnapshotError("the snapshot is not JSON") from error
        optional = tuple(
            key
            for key in (_ACTIVE_AUTHENTICATION, _TERMINAL, _PORTRAIT, _FALLBACKS)
            if isinstance(document, dict) and key in document
        )
        fields = read_fields(document, "the snapshot", (*_SNAPSHOT_KEYS, *optional))
        if fields["format"] != _FORMAT or isinstance(fields["format"], bool):
            raise SnapshotError(f"got format {fields['format']!r:.20}, expected {_FORMAT}")
        return cls(
            profile=read_text(fields["profile"], "profile", 256),
            read_at=_time(fields["read_at"]),
            atr=decode_bytes(fields["atr"], "atr", _MAX_ATR_BYTES),
            access=_access(fields["access"]),
            chip=_chip(fields["chip"]),
            active_authentication=_active_authentication(fields[_ACTIVE_AUTHENTICATION])
            if _ACTIVE_AUTHENTICATION in optional
            else None,
            terminal=TerminalEvidence.from_document(fields[_TERMINAL])
            if _TERMINAL in optional
            else None,
            portrait=read_member(PortraitOutcome, fields[_PORTRAIT], "the portrait")
            if _PORTRAIT in optional
            else None,
            fallbacks=_fallbacks(fields[_FALLBACKS]) if _FALLBACKS in optional else (),
            files=_files(fields["files"]),
            is_complete=read_truth(fields["is_complete"], "is_complete"),
            problem=_problem(fields["problem"]),
            apdu_count=read_number(fields["apdu_count"], "apdu_count"),
            phase_seconds=_phases(fields["phase_seconds"]),
        )


_ACTIVE_AUTHENTICATION: Final = "active_authentication"
_TERMINAL: Final = "terminal_authentication"
_PORTRAIT: Final = "portrait"
_FALLBACKS: Final = "fallbacks"
_SNAPSHOT_KEYS: Final = (
    "format",
    "profile",
    "read_at",
    "atr",
    "access",
    "chip",
    "files",
    "is_complete",
    "problem",
    "apdu_count",
    "phase_seconds",
)


def _time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(read_text(value, "read_at", 40))
    except ValueError as error:
        raise SnapshotError("read_at is not a time as ISO 8601 writes it") from error
    if moment.tzinfo is None:
        raise SnapshotError("read_at has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise SnapshotError("read_at is outside the calendar") from error


def _access(value: object) -> AccessEvidence:
    fields = read_fields(value, "access", ("path", "outcome", "pace_info", "is_password_of_data"))
    is_password_of_data = fields["is_password_of_data"]
    return AccessEvidence(
        path=read_member(AccessPath, fields["path"], "the path of access"),
        outcome=read_member(AccessOutcome, fields["outcome"], "the outcome of access"),
        pace_info=decode_bytes(fields["pace_info"], "pace_info", _MAX_KEY_BYTES),
        is_password_of_data=None
        if is_password_of_data is None
        else read_truth(is_password_of_data, "is_password_of_data"),
    )


def _chip(value: object) -> ChipEvidence:
    fields = read_fields(value, "chip", ("outcome", "public_key", "key_id"))
    key_id = fields["key_id"]
    return ChipEvidence(
        outcome=read_member(ChipOutcome, fields["outcome"], "the outcome of chip authentication"),
        public_key=decode_bytes(fields["public_key"], "public_key", _MAX_KEY_BYTES),
        key_id=None if key_id is None else read_number(key_id, "key_id"),
    )


def _active_authentication(value: object) -> ActiveAuthenticationEvidence:
    fields = read_fields(value, _ACTIVE_AUTHENTICATION, ("challenge", "signature"))
    challenge = decode_bytes(fields["challenge"], "challenge", _MAX_KEY_BYTES)
    if challenge is None:
        raise SnapshotError("active_authentication has no challenge")
    return ActiveAuthenticationEvidence(
        challenge=challenge,
        signature=decode_bytes(fields["signature"], "signature", _MAX_KEY_BYTES),
    )


def _files(value: object) -> dict[str, FileEvidence]:
    if not isinstance(value, list) or len(value) > _MAX_FILES:
        raise SnapshotError(f"files is not a list of at most {_MAX_FILES}")
    found: dict[str, FileEvidence] = {}
    for item in value:
        fields = read_fields(item, "a file", ("name", "outcome", "content", "code"))
        name = read_text(fields["name"], "a file's name", _MAX_NAME_CHARACTERS)
        if name in found:
            raise SnapshotError(f"{name} stands twice among the files")
        found[name] = FileEvidence(
            name=name,
            outcome=read_member(FileOutcome, fields["outcome"], f"the outcome of {name}"),
            content=decode_bytes(fields["content"], name, MAX_FILE_BYTES),
            code=read_optional_text(fields["code"], f"the code of {name}", MAX_CODE_CHARACTERS),
        )
    return found


def _fallbacks(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_FALLBACKS:
        raise SnapshotError(f"fallbacks is not a list of 1 to {_MAX_FALLBACKS}")
    codes = tuple(read_text(item, "the code of a fallback", MAX_CODE_CHARACTERS) for item in value)
    if len(set(codes)) != len(codes):
        raise SnapshotError("fallbacks holds a code twice")
    return codes


def _problem(value: object) -> ReadingProblem | None:
    if value is None:
        return None
    fields = read_fields(value, "problem", ("phase", "code"))
    return ReadingProblem(
        phase=read_member(Phase, fields["phase"], "the phase of the problem"),
        code=read_text(fields["code"], "the code of the problem", MAX_CODE_CHARACTERS),
    )


def _phases(value: object) -> dict[Phase, float]:
    if not isinstance(value, dict) or len(value) > len(Phase):
        raise SnapshotError("phase_seconds is not an object of phases")
    found: dict[Phase, float] = {}
    for name, seconds in value.items():
        phase = read_member(Phase, name, "a phase")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise SnapshotError(f"the duration of {phase.value} is not a number")
        if not 0 <= seconds <= 86400:
            raise SnapshotError(f"the duration of {phase.value} is not between 0 and 86400 seconds")
        found[phase] = float(seconds)
    return found
