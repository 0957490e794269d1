"""Publishing bundles: the newest, deltas to it from those before, and one index that names them.

``index.json`` is replaced last, so that whoever reads it finds every file that it names. Nothing in it is believed: it only
says what to fetch; what was fetched is judged as any bundle is.

NUMBER-DIGEST.bundle          a whole bundle; the name has 16 digits of its SHA-256
FROM-TO-DIGEST.delta          what leads from one bundle to a later one
"""

import re
from pathlib import Path
from typing import Final

from pki.durable import replace_file
from pki.errors import PkiError
from pki.signed.trust_bundle import TrustBundle
from pki.signed.trust_bundle_delta import TrustBundleDelta
from verifier.errors import TrustError
from verifier.trust.bundle_index import INDEX_FILE, BundleIndex, PublishedFile
from verifier.trust.bundle_install import read_bundle_file

__all__ = ["publish_bundle"]

_KEPT: Final = 31
_BUNDLE_NAME: Final = re.compile(r"([1-9][0-9]{0,18})-[0-9a-f]{16}\.bundle")


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
