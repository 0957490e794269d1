"""The index of published bundles: what a terminal may fetch. Nothing in it is believed; what was fetched is judged as any bundle is."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Self

from pki.signed.trust_bundle import MAX_TRUST_BUNDLE_BYTES
from verifier.errors import TrustError

__all__ = ["INDEX_FILE", "MAX_INDEX_BYTES", "BundleIndex", "PublishedFile"]

INDEX_FILE: Final = "index.json"
MAX_INDEX_BYTES: Final = 65536

_FORMAT: Final = 1
_MAX_NUMBER: Final = (1 << 63) - 1
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}\.(?:bundle|delta)")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file of the directory."""

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, content: bytes) -> Self:
        """The entry of a file."""
        return cls(name=name, size=len(content), sha256=sha256(content).hexdigest())

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read an entry.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(document, dict) or set(document) != {"name", "size", "sha256"}:
            raise ValueError("an entry names no file")
        name, size, digest = document["name"], document["size"], document["sha256"]
        if (
            not isinstance(name, str)
            or _NAME.fullmatch(name) is None
            or not isinstance(size, int)
            or isinstance(size, bool)
            or not 1 <= size <= MAX_TRUST_BUNDLE_BYTES
            or not isinstance(digest, str)
            or _DIGEST.fullmatch(digest) is None
        ):
            raise ValueError("an entry names no file")
        return cls(name=name, size=size, sha256=digest)

    def to_document(self) -> dict[str, object]:
        """As it stands in the index."""
        return {"name": self.name, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleIndex:
    """What is published: the newest bundle, and deltas by the digest of the bundle that they continue."""

    number: int
    bundle: PublishedFile
    deltas: Mapping[str, PublishedFile]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read ``index.json``; nothing of it is proven.

        Raises:
            TrustError: ``bundle.index-malformed``.
        """
        if len(data) > MAX_INDEX_BYTES:
            raise _malformed(f"it has more than {MAX_INDEX_BYTES} bytes")
        try:
            found: Any = json.loads(data)
            entries = {
                key: PublishedFile.from_document(item) for key, item in found["deltas"].items()
            }
            index = cls(
                number=found["number"],
                bundle=PublishedFile.from_document(found["bundle"]),
                deltas=entries,
            )
            is_ours = found["format"] == _FORMAT and type(index.number) is int
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _malformed("it is not as `bundle publish` writes it") from error
        if not (
            is_ours and 1 <= index.number <= _MAX_NUMBER and all(map(_DIGEST.fullmatch, entries))
        ):
            raise _malformed("it is not as `bundle publish` writes it")
        return index

    def to_bytes(self) -> bytes:
        """The file."""
        document = {
            "format": _FORMAT,
            "number": self.number,
            "bundle": self.bundle.to_document(),
            "deltas": {key: item.to_document() for key, item in self.deltas.items()},
        }
        return (json.dumps(document, indent=1) + "\n").encode()


def _malformed(what: str) -> TrustError:
    return TrustError(f"the index of bundles cannot be read: {what}", code="bundle.index-malformed")
