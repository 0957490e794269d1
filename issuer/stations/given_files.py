"""The sealed files that a station was given, keys and orders: which it used stands in its journal, and they end with its day."""

import enum
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from issuer.errors import IssuerRefusedError
from issuer.stations.journal import StationJournal

__all__ = ["DestroyedFiles", "GivenFiles", "GivenKind"]

_BLOCK: Final = 1 << 20


class GivenKind(enum.StrEnum):
    """What is in the files; the value names the fact of the journal that lists them."""

    KEYS = "key-files"
    """Sealed keys of chips."""
    ORDERS = "order-files"
    """Orders: what is to be written to cards, sealed to the station."""

    @property
    def words(self) -> str:
        """What people read."""
        return {GivenKind.KEYS: "sealed keys", GivenKind.ORDERS: "orders"}[self]

    @property
    def destroyed(self) -> str:
        """The code of the journal's event."""
        return {
            GivenKind.KEYS: "station.keys-destroyed",
            GivenKind.ORDERS: "station.orders-destroyed",
        }[self]

    @property
    def left(self) -> str:
        """The code of the refusal where one cannot be destroyed."""
        return {GivenKind.KEYS: "station.keys-left", GivenKind.ORDERS: "station.orders-left"}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyedFiles:
    """What was destroyed: the SHA-256 of each file that was used, and how many of them were not found as they were."""

    kind: GivenKind
    digests: tuple[str, ...]
    missing: int

    @property
    def detail(self) -> str:
        """What the journal says."""
        digest = hashlib.sha256("".join(self.digests).encode("ascii")).hexdigest()
        gone = f", {self.missing} of them gone or another by then" if self.missing else ""
        return f"{len(self.digests)} files of {self.kind.words}{gone}, SHA-256 of their digests {digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFiles:
    """Remembers files of one kind by their path and content, and destroys them."""

    journal: StationJournal
    kind: GivenKind

    @property
    def is_empty(self) -> bool:
        """Whether nothing was used since the last time."""
        return not self._used()

    def use(self, files: Sequence[Path], contents: Sequence[bytes]) -> None:
        """Remember, before anything of theirs is used, that these files lie here.

        Raises:
            IssuerUnavailableError: the journal cannot be written.
        """
        used = dict(self._used())
        for file, content in zip(files, contents, strict=True):
            used[str(file.absolute())] = hashlib.sha256(content).hexdigest()
        self.journal.remember(self.kind, json.dumps(used))

    def destroy(self) -> DestroyedFiles:
        """Overwrite and remove what was used since the last time; a file that has become another one is left alone.

        Call ``forget`` once the journal has an event of it.

        Raises:
            IssuerRefusedError: a file cannot be removed (``station.keys-left``, ``station.orders-left``).
        """
        used = self._used()
        found = [self._destroy(Path(path), digest) for path, digest in used.items()]
        return DestroyedFiles(
            kind=self.kind, digests=tuple(sorted(used.values())), missing=found.count(False)
        )

    def forget(self) -> None:
        """Nothing is left to destroy."""
        self.journal.remember(self.kind, "{}")

    def _used(self) -> Mapping[str, str]:
        found: Mapping[str, str] = json.loads(self.journal.fact(self.kind) or "{}")
        return found

    def _destroy(self, file: Path, digest: str) -> bool:
        """Whether the file was there, with the content that was used."""
        try:
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                return False
            with file.open("r+b") as stream:
                for start in range(0, len(content), _BLOCK):
                    stream.write(bytes(min(_BLOCK, len(content) - start)))
                stream.flush()
                os.fsync(stream.fileno())
            file.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise IssuerRefusedError(
                f"{file} holds {self.kind.words} and cannot be removed: {error.strerror}",
                code=self.kind.left,
                hint="remove it, or take the medium out, then close the day again",
            ) from error
        return True
