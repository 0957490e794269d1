"""Which trust bundle is installed in a trust directory: ``bundle.json``, one small file that is replaced as a whole.

bundle.json                  number, digest and times of the bundle that counts, and where it is unpacked
bundles/NUMBER-DIGEST/       the layout of a trust directory (docs/policy.md), and trust.bundle, the signed file itself
clock.json                   the latest time that this terminal knows of (verifier.trust.clock_mark)
approvers.toml               who may approve new trust anchors (verifier.trust.approvals)

A directory without ``bundle.json`` is itself the layout, filled by hand or by `membercard-pki trust export`.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from verifier.errors import TrustError

__all__ = ["BUNDLES", "BUNDLE_FILE", "POINTER", "InstalledBundle", "current_layout", "installed"]

POINTER: Final = "bundle.json"
BUNDLES: Final = "bundles"
BUNDLE_FILE: Final = "trust.bundle"

_FORMAT: Final = 1
_MAX_POINTER_BYTES: Final = 4096
_DIRECTORY: Final = re.compile(r"[1-9][0-9]{0,18}-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledBundle:
    """The bundle that counts in a trust directory."""

    number: int
    sha256: str
    this_update: datetime
    next_update: datetime

    @property
    def directory(self) -> str:
        """The name of the directory below ``bundles/``."""
        return f"{self.number}-{self.sha256[:16]}"

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str) -> Self:
        """Read ``bundle.json``.

        Raises:
            TrustError: ``trust.malformed``.
        """
        try:
            found = json.loads(data)
            result = cls(
                number=int(found["number"]),
                sha256=str(found["sha256"]),
                this_update=datetime.fromisoformat(found["this_update"]),
                next_update=datetime.fromisoformat(found["next_update"]),
            )
        except (ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
            raise _malformed(name) from error
        # What is not as this program writes it was not written by it.
        is_aware = None not in (result.this_update.tzinfo, result.next_update.tzinfo)
        if (
            not is_aware
            or data != result.to_bytes()
            or _DIRECTORY.fullmatch(result.directory) is None
        ):
            raise _malformed(name)
        return result

    def to_bytes(self) -> bytes:
        """The file."""
        document = {
            "format": _FORMAT,
            "number": self.number,
            "sha256": self.sha256,
            "this_update": self.this_update.isoformat(),
            "next_update": self.next_update.isoformat(),
            "directory": f"{BUNDLES}/{self.directory}",
        }
        return (json.dumps(document, indent=2) + "\n").encode()


def installed(directory: Path) -> InstalledBundle | None:
    """What ``bundle.json`` says; ``None`` where there is none.

    Raises:
        TrustError: ``trust.malformed``.
    """
    path = directory / POINTER
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_POINTER_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrustError(f"{path}: cannot be read ({error.strerror})") from error
    return InstalledBundle.from_bytes(data, name=str(path))


def current_layout(directory: Path) -> Path:
    """The directory that holds what is trusted: that of the installed bundle, or the given one itself.

    Raises:
        TrustError: ``trust.malformed``, also where the bundle's directory is gone.
    """
    found = installed(directory)
    if found is None:
        return directory
    layout = directory / BUNDLES / found.directory
    if not layout.is_dir():
        raise TrustError(
            f"{layout} of trust bundle {found.number} is not there",
            code="trust.malformed",
            hint="install the bundle again: membercard-verifier bundle install",
        )
    return layout


def _malformed(name: str) -> TrustError:
    return TrustError(f"{name} is not of format {_FORMAT}", code="trust.malformed")
