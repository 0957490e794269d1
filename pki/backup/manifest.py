"""The table of contents of a backup: which files, how long, with which hash, and how far journal and log went."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from pki.errors import PkiDataError, RecordError
from pki.record.journal import JournalHead

__all__ = ["MAX_MANIFEST_BYTES", "REQUESTS_PATH", "Manifest", "Member"]

MAX_MANIFEST_BYTES: Final = 1 << 24
REQUESTS_PATH: Final = "database/requests.jsonl"
"""The copy of the database's requests and decisions; all other paths are the home's."""

_FORMAT: Final = 1
_MAX_MEMBERS: Final = 100_000
_MAX_SIZE: Final = 1 << 44
_MAX_PATH_BYTES: Final = 1024
_MAX_NAME_BYTES: Final = 255
_MODES: Final = frozenset({0o600, 0o644})
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_KEYS: Final = frozenset(
    {"format", "created", "head", "leaves", "root", "root_keystore", "members"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file: ``path`` is relative with ``/``, ``size`` in bytes, ``digest`` its SHA-256, ``mode`` 0600 or 0644."""

    path: str
    size: int
    digest: bytes
    mode: int

    def __post_init__(self) -> None:
        names = self.path.split("/")
        if (
            not all(_is_plain(name) for name in names)
            or len(self.path.encode()) > _MAX_PATH_BYTES
            or not 0 <= self.size <= _MAX_SIZE
            or self.mode not in _MODES
        ):
            raise _malformed(
                f"member {self.path[:80]!r} of {self.size} bytes and mode {self.mode:04o} cannot be"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds, in the order in which it stands there.

    ``head`` is the journal's; the log has ``leaves`` and ``root`` (32 bytes); ``root_keystore`` is the directory of
    the root's keystore among the members, if it is there; ``created`` is aware, in whole seconds.
    """

    created: datetime
    head: JournalHead
    leaves: int
    root: bytes
    root_keystore: str | None
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        paths = {member.path for member in self.members}
        folders = {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}
        if len(paths) != len(self.members) or paths & folders or len(paths) > _MAX_MEMBERS:
            raise _malformed(f"{len(self.members)} members, of which two have one name")
        if self.root_keystore is not None and self.root_keystore not in folders:
            raise _malformed(f"the root's keystore {self.root_keystore[:80]!r} is not in it")

    @property
    def total_bytes(self) -> int:
        """The length of all members."""
        return sum(member.size for member in self.members)

    def to_bytes(self) -> bytes:
        """Canonical JSON.

        Raises:
            PkiDataError: ``backup.malformed``: it is too long.
        """
        content = {
            "format": _FORMAT,
            "created": self.created.astimezone(UTC).strftime(_TIME_FORMAT),
            "head": self.head.to_text(),
            "leaves": self.leaves,
            "root": self.root.hex(),
            "root_keystore": self.root_keystore,
            "members": [
                [member.path, member.size, member.digest.hex(), member.mode]
                for member in self.members
            ],
        }
        encoded = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        if len(encoded) > MAX_MANIFEST_BYTES:
            raise _malformed(f"it has {len(encoded)} bytes, expected at most {MAX_MANIFEST_BYTES}")
        return encoded

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote, and nothing else.

        Raises:
            PkiDataError: ``backup.malformed``.
        """
        if len(data) > MAX_MANIFEST_BYTES:
            raise _malformed(f"it has {len(data)} bytes, expected at most {MAX_MANIFEST_BYTES}")
        try:
            found = json.loads(data)
            if set(found) != _KEYS or found["format"] != _FORMAT:
                raise _malformed("it has not the keys of one, or another format")
            manifest = cls(
                created=datetime.strptime(found["created"], _TIME_FORMAT).replace(tzinfo=UTC),
                head=JournalHead.from_text(found["head"]),
                leaves=_count(found["leaves"]),
                root=_digest(found["root"]),
                root_keystore=None
                if found["root_keystore"] is None
                else _text(found["root_keystore"]),
                members=tuple(
                    Member(
                        path=_text(path),
                        size=_count(size),
                        digest=_digest(digest),
                        mode=_count(mode),
                    )
                    for path, size, digest, mode in found["members"]
                ),
            )
            is_canonical = manifest.to_bytes() == data
        except (ValueError, TypeError, KeyError, RecursionError, RecordError) as error:
            raise _malformed("a value is missing or of another type") from error
        if not is_canonical:
            raise _malformed("it is not in the one encoding")
        return manifest


def _is_plain(name: str) -> bool:
    return (
        name not in {"", ".", ".."}
        # Halves of surrogate pairs are not printable: whatever gets past this can be encoded.
        and name.isprintable()
        and len(name.encode()) <= _MAX_NAME_BYTES
        and "\\" not in name
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(type(value).__name__)
    return value


def _digest(value: object) -> bytes:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise TypeError(type(value).__name__)
    return bytes.fromhex(value)


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"the backup's manifest is malformed: {reason}", code="backup.malformed")
