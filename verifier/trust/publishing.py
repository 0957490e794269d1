"""Publishing bundles: the newest, deltas to it from those before, and one index that names them.

``index.json`` is replaced last, so that whoever reads it finds every file that it names. Nothing in it is believed: it only
says what to fetch; what was fetched is judged as any bundle is.

NUMBER-DIGEST.bundle          a whole bundle; the name has 16 digits of its SHA-256
FROM-TO-DIGEST.delta          what leads from one bundle to a later one
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from pki.durable import replace_file
from pki.errors import PkiError
from pki.signed.trust_bundle import MAX_TRUST_BUNDLE_BYTES, TrustBundle
from pki.signed.trust_bundle_delta import TrustBundleDelta
from verifier.errors import TrustError
from verifier.trust.bundle_install import read_bundle_file

__all__ = ["INDEX_FILE", "MAX_INDEX_BYTES", "BundleIndex", "PublishedFile", "publish_bundle"]

INDEX_FILE: Final = "index.json"
MAX_INDEX_BYTES: Final = 65536

_FORMAT: Final = 1
_KEPT: Final = 31
_MAX_NUMBER: Final = (1 << 63) - 1
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}\.(?:bundle|delta)")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BUNDLE_NAME: Final = re.compile(r"([1-9][0-9]{0,18})-[0-9a-f]{16}\.bundle")


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


def publish_bundle(path: Path, directory: Path) -> BundleIndex:
    """Put a signed bundle and the deltas to it into a directory of files; older ones than the last 31 are removed.

    Raises:
        TrustError: ``trust-bundle.malformed``, ``bundle.not-newer``, ``bundle.unwritable``, ``trust.malformed``.
    """
    try:
        newest = TrustBundle.from_bytes(read_bundle_file(path))
        directory.mkdir(parents=True, exist_ok=True)
        earlier = _earlier(directory)
        if earlier and newest.number <= max(earlier):
            raise TrustError(
                f"the bundle has number {newest.number}, expected more than {max(earlier)}, which is published",
                code="bundle.not-newer",
            )
        name = f"{newest.number}-{newest.fingerprint[:16]}.bundle"
        replace_file(directory / name, newest.der, mode=0o644)
        deltas: dict[str, PublishedFile] = {}
        kept = {name}
        for number in sorted(earlier)[-_KEPT:]:
            base = TrustBundle.from_bytes(read_bundle_file(earlier[number]))
            content = TrustBundleDelta.between(base, newest).to_bytes()
            kept.add(earlier[number].name)
            if len(content) >= len(newest.der):
                continue
            delta = f"{number}-{newest.number}-{newest.fingerprint[:16]}.delta"
            replace_file(directory / delta, content, mode=0o644)
            kept.add(delta)
            deltas[base.fingerprint] = PublishedFile.of(delta, content)
        index = BundleIndex(
            number=newest.number, bundle=PublishedFile.of(name, newest.der), deltas=deltas
        )
        replace_file(directory / INDEX_FILE, index.to_bytes(), mode=0o644)
        for old in (*directory.glob("*.bundle"), *directory.glob("*.delta")):
            if old.name not in kept:
                old.unlink()
    except PkiError as error:
        raise TrustError(str(error), code=error.code, hint=error.hint) from error
    except OSError as error:
        raise TrustError(
            f"{directory} cannot be written: {error.strerror}", code="bundle.unwritable"
        ) from error
    return index


def _earlier(directory: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in directory.glob("*.bundle"):
        match = _BUNDLE_NAME.fullmatch(path.name)
        if match is not None:
            found[int(match[1])] = path
    return found
