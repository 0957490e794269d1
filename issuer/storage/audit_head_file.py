"""Keeps the last head of the audit trail that was found whole in a file beside the database, and outside its backups."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from issuer.domain.audit_chain import ChainHead
from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["FileHeadMark"]

_FILE: Final = "head.json"
_FORMAT: Final = 1
_MAX_BYTES: Final = 4096


class FileHeadMark:
    """Implements ``HeadMark`` in one folder."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE

    def read(self) -> ChainHead | None:
        """See ``HeadMark.read``."""
        try:
            with self._path.open("rb") as file:
                content = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(self._path, error) from error
        return _from_bytes(content)

    def written_at(self) -> datetime | None:
        """See ``HeadMark.written_at``."""
        try:
            return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(self._path, error) from error

    def write(self, head: ChainHead) -> None:
        """See ``HeadMark.write``."""
        try:
            write_durably(self._path, _to_bytes(head))
        except OSError as error:
            raise _unavailable(self._path, error) from error


def _to_bytes(head: ChainHead) -> bytes:
    document = {
        "format": _FORMAT,
        "trail": head.trail_id.hex(),
        "sequence": head.sequence,
        "digest": head.digest.hex(),
    }
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


def _from_bytes(content: bytes) -> ChainHead:
    try:
        found = json.loads(content)
        head = ChainHead(
            trail_id=bytes.fromhex(found["trail"]),
            sequence=found["sequence"],
            digest=bytes.fromhex(found["digest"]),
        )
        is_whole = type(head.sequence) is int and _to_bytes(head) == content
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _malformed(content) from error
    if not is_whole:
        raise _malformed(content)
    return head


def _malformed(content: bytes) -> IssuerDataError:
    return IssuerDataError(
        f"the mark of the audit trail has {len(content)} bytes that are not one",
        code="audit.mark-malformed",
        hint="docs/audit-trail.md, 'The mark'",
    )


def _unavailable(path: Path, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"{path} cannot be read or written: {error.strerror}", code="audit.mark-unavailable"
    )
