"""The files of sealed chip keys that a station was given: which it used stands in its journal, and they end with its day."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from issuer.errors import IssuerRefusedError
from issuer.stations.journal import StationJournal

__all__ = ["DestroyedKeys", "StationKeyFiles"]

_USED: Final = "key-files"
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyedKeys:
    """What was destroyed: the SHA-256 of each file that was used."""

    digests: tuple[str, ...]

    @property
    def detail(self) -> str:
        """What the journal says."""
        digest = hashlib.sha256("".join(self.digests).encode("ascii")).hexdigest()
        return f"{len(self.digests)} files of sealed keys, SHA-256 of their digests {digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationKeyFiles:
    """Remembers files by their path and content, and destroys them."""

    journal: StationJournal

    @property
    def is_empty(self) -> bool:
        """Whether nothing was used since the last time."""
        return not self._used()

    def use(self, files: Sequence[Path], contents: Sequence[bytes]) -> None:
        """Remember, before a key of theirs is used, that these files lie here.

        Raises:
            IssuerUnavailableError: the journal cannot be written.
        """
        used = dict(self._used())
        for file, content in zip(files, contents, strict=True):
            used[str(file.absolute())] = hashlib.sha256(content).hexdigest()
        self.journal.remember(_USED, json.dumps(used))

    def destroy(self) -> DestroyedKeys:
        """Overwrite and remove what was used since the last time; a file that has become another one is left alone.

        Call ``forget`` once the journal has an event of it.

        Raises:
            IssuerRefusedError: a file cannot be removed (``station.keys-left``).
        """
        used = self._used()
        for path, digest in used.items():
            _destroy(Path(path), digest)
        return DestroyedKeys(digests=tuple(sorted(used.values())))

    def forget(self) -> None:
        """Nothing is left to destroy."""
        self.journal.remember(_USED, "{}")

    def _used(self) -> Mapping[str, str]:
        found: Mapping[str, str] = json.loads(self.journal.fact(_USED) or "{}")
        return found


def _destroy(file: Path, digest: str) -> None:
    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            return
        with file.open("r+b") as stream:
            for start in range(0, len(content), _BLOCK):
                stream.write(bytes(min(_BLOCK, len(content) - start)))
            stream.flush()
            os.fsync(stream.fileno())
        file.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise IssuerRefusedError(
            f"{file} holds sealed keys and cannot be removed: {error.strerror}",
            code="station.keys-left",
            hint="remove it, or take the medium out, then close the day again",
        ) from error
