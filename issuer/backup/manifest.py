"""What stands in front of a backup: when it was made, of which database, and how far the audit trail went."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from issuer.domain.audit_chain import DIGEST_BYTES, TRAIL_ID_BYTES
from issuer.errors import IssuerDataError

__all__ = ["MAX_MANIFEST_BYTES", "BackupManifest", "DatabaseKind"]

MAX_MANIFEST_BYTES: Final = 65_536
_FORMAT: Final = 1
_KEYS: Final = frozenset(
    {"format", "created", "database", "revision", "trail", "sequence", "digest"}
)
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
_REVISION: Final = re.compile(r"[0-9a-z_]{1,64}")


class DatabaseKind(StrEnum):
    """In which form the database stands in a backup; it comes back into the same kind of database."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """The manifest of a backup.

    Attributes:
        created: when, in whole seconds (aware UTC).
        database: the kind of database.
        revision: the schema's revision.
        trail_id: which audit trail (16 bytes).
        sequence: the number of the last record of the audit trail that is in it for certain.
        digest: that record's digest (32 bytes).
    """

    created: datetime
    database: DatabaseKind
    revision: str
    trail_id: bytes
    sequence: int
    digest: bytes

    def to_bytes(self) -> bytes:
        """JSON with sorted keys, without spaces."""
        return json.dumps(
            {
                "format": _FORMAT,
                "created": self.created.astimezone(UTC).strftime(_TIME_FORMAT),
                "database": self.database.value,
                "revision": self.revision,
                "trail": self.trail_id.hex(),
                "sequence": self.sequence,
                "digest": self.digest.hex(),
            },
            sort_keys=True,
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote, and nothing else.

        Raises:
            IssuerDataError: ``backup.malformed``.
        """
        try:
            found = json.loads(data)
            is_ours = set(found) == _KEYS and found["format"] == _FORMAT
            manifest = cls(
                created=datetime.strptime(found["created"], _TIME_FORMAT).replace(tzinfo=UTC),
                database=DatabaseKind(found["database"]),
                revision=_revision(found["revision"]),
                trail_id=_octets(found["trail"], TRAIL_ID_BYTES),
                sequence=_count(found["sequence"]),
                digest=_octets(found["digest"], DIGEST_BYTES),
            )
            is_canonical = manifest.to_bytes() == data
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _malformed() from error
        if not is_ours or not is_canonical:
            raise _malformed()
        return manifest


def _revision(value: Any) -> str:
    if not isinstance(value, str) or not _REVISION.fullmatch(value):
        raise ValueError("no revision")
    return value


def _octets(value: Any, length: int) -> bytes:
    found = bytes.fromhex(value)
    if len(found) != length:
        raise ValueError("another length")
    return found


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError("no count")
    return value


def _malformed() -> IssuerDataError:
    return IssuerDataError(
        "the backup's manifest is not one that this version of membercard writes",
        code="backup.malformed",
    )
