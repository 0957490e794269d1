"""A snapshot of what a journal adds up to at one of its entries: so that opening it need not begin at its first line.

A snapshot never replaces the journal. It holds where the journal was then, which of its lines still have to be read
(all but those of the cards), and what the others add up to. The journal's next entry holds the snapshot's SHA-256: a snapshot that is
damaged, older or somebody else's fits no journal, and the journal is read from its beginning, as if there was none.

    "membercard-pki snapshot 1" LF | header, one line of canonical JSON | offsets of lines, 8 bytes each | rows of references
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from pki.errors import RecordError
from pki.record.journal_position import JournalPosition
from pki.record.transparency_store import TreeHead

__all__ = ["OFFSET_BYTES", "Snapshot"]

OFFSET_BYTES: Final = 8
_MAGIC: Final = b"membercard-pki snapshot 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known of a journal up to ``position``.

    ``tree`` and ``acknowledged`` are the log's; ``offsets`` are the bytes at which lines begin that are replayed, and
    ``lines_digest`` (32 bytes) is over the hashes of their entries; ``counts`` and ``references`` are what the others add up to.
    """

    position: JournalPosition
    tree: TreeHead
    acknowledged: int
    lines_digest: bytes
    offsets: bytes = field(repr=False)
    counts: Mapping[str, int] = field(repr=False)
    references: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The one encoding: the same state has the same bytes."""
        header = {
            "sequence": self.position.sequence,
            "hash": self.position.hash.hex(),
            "offset": self.position.offset,
            "line_offset": self.position.line_offset,
            "leaves": self.tree.size,
            "root": self.tree.root.hex(),
            "acknowledged": self.acknowledged,
            "lines_digest": self.lines_digest.hex(),
            "lines": len(self.offsets) // OFFSET_BYTES,
            "counts": dict(self.counts),
        }
        line = json.dumps(header, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        return _MAGIC + line + self.offsets + self.references

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a snapshot whose digest is known to be right.

        Raises:
            RecordError: ``record.damaged``.
        """
        end = data.find(b"\n", len(_MAGIC)) + 1
        try:
            found = json.loads(data[len(_MAGIC) : end])
            lines_end = end + found["lines"] * OFFSET_BYTES
            snapshot = cls(
                position=JournalPosition(
                    sequence=found["sequence"],
                    hash=bytes.fromhex(found["hash"]),
                    offset=found["offset"],
                    line_offset=found["line_offset"],
                ),
                tree=TreeHead(size=found["leaves"], root=bytes.fromhex(found["root"])),
                acknowledged=found["acknowledged"],
                lines_digest=bytes.fromhex(found["lines_digest"]),
                offsets=data[end:lines_end],
                counts=found["counts"],
                references=data[lines_end:],
            )
            is_ours = snapshot.to_bytes() == data
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _damaged() from error
        if not is_ours:
            raise _damaged()
        return snapshot

    @staticmethod
    def digest(data: bytes) -> bytes:
        """What the journal's next entry holds of a snapshot."""
        return sha256(data).digest()


def _damaged() -> RecordError:
    return RecordError("a snapshot is not as this program writes it", code="record.damaged")
