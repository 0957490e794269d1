"""How records of inspections are chained: an edit, a gap or another order shows. Pure.

Each record is canonical JSON; its digest is over the one before and over itself. The first one's predecessor is made
from the identity of the terminal, so that the records of one terminal cannot be passed off as another's. Old records
are dropped from the front only: what is left begins behind a digest that is kept.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Self

from verifier.errors import VerifierError
from verifier.inspection.report import Assurance, Verdict
from verifier.services.terminal_state import HolderAnswer

__all__ = [
    "JournalError",
    "JournalHead",
    "JournalLine",
    "StoredHolder",
    "StoredInspection",
    "first_head",
    "link",
    "verify_chain",
]

_START: Final = b"membercard inspection journal v1\x00"
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_MAX_BODY_BYTES: Final = 8192


class JournalError(VerifierError):
    """The journal of inspections is damaged, or cannot take a record."""

    default_code = "journal.damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInspection:
    """One inspection as it is kept: the card under a pseudonym that only this terminal makes."""

    at: datetime
    terminal: str
    purpose: str
    verdict: Verdict
    assurance: Assurance
    codes: tuple[str, ...]
    notes: tuple[str, ...]
    card: bytes | None
    chip: bytes | None = None
    """The pseudonym of the key that the chip has proven."""

    def to_json(self) -> dict[str, object]:
        """As it is chained and exported."""
        return {
            "kind": "inspection",
            "at": self.at.astimezone(UTC).strftime(_TIME),
            "terminal": self.terminal,
            "purpose": self.purpose,
            "verdict": self.verdict.value,
            "assurance": self.assurance.value,
            "codes": list(self.codes),
            "notes": list(self.notes),
            "card": None if self.card is None else self.card.hex(),
            "chip": None if self.chip is None else self.chip.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHolder:
    """The clerk's answer to an inspection."""

    at: datetime
    terminal: str
    inspection: int
    answer: HolderAnswer

    def to_json(self) -> dict[str, object]:
        """As it is chained and exported."""
        return {
            "kind": "holder",
            "at": self.at.astimezone(UTC).strftime(_TIME),
            "terminal": self.terminal,
            "inspection": self.inspection,
            "holder": self.answer.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHead:
    """Where a journal ends: the number of its last record, and that one's digest (32 bytes)."""

    sequence: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One record in its place; ``body`` is its canonical JSON."""

    sequence: int
    body: str
    digest: bytes

    @property
    def fields(self) -> Mapping[str, Any]:
        """What stands in the body.

        Raises:
            JournalError: it is no JSON object.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise _damaged(self.sequence, "is not JSON") from error
        if not isinstance(found, dict):
            raise _damaged(self.sequence, "is no JSON object")
        return found

    def to_json(self) -> dict[str, object]:
        """As it is exported, for others to check the chain."""
        return {"sequence": self.sequence, **self.fields, "digest": self.digest.hex()}

    @classmethod
    def after(cls, head: JournalHead, record: StoredInspection | StoredHolder) -> Self:
        """The record behind a head."""
        body = json.dumps(
            record.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True
        )
        if len(body) > _MAX_BODY_BYTES:
            raise JournalError(
                f"a record has {len(body)} bytes, expected at most {_MAX_BODY_BYTES}",
                code="journal.record-too-long",
            )
        sequence = head.sequence + 1
        return cls(sequence=sequence, body=body, digest=link(head, body))

    @property
    def head(self) -> JournalHead:
        """Where a journal ends whose last record this is."""
        return JournalHead(sequence=self.sequence, digest=self.digest)


def first_head(terminal: str) -> JournalHead:
    """Where the journal of a terminal begins."""
    return JournalHead(sequence=0, digest=sha256(_START + terminal.encode()).digest())


def link(head: JournalHead, body: str) -> bytes:
    """The digest of the record behind a head."""
    number = (head.sequence + 1).to_bytes(8, "big")
    return sha256(head.digest + number + body.encode()).digest()


def verify_chain(
    lines: Iterable[JournalLine], *, begin: JournalHead, end: JournalHead
) -> JournalHead:
    """Follow the chain; gives its end.

    Raises:
        JournalError: a record was changed, is missing or stands elsewhere (``journal.damaged``), or the end is
            another than the journal says (``journal.end-wrong``).
    """
    head = begin
    for line in lines:
        if line.sequence != head.sequence + 1:
            raise JournalError(
                f"record {line.sequence} follows record {head.sequence}: records are missing or moved"
            )
        if line.digest != link(head, line.body):
            raise _damaged(line.sequence, "does not follow the one before it")
        head = line.head
    if head != end:
        raise JournalError(
            f"the journal ends at record {head.sequence}, expected record {end.sequence}",
            code="journal.end-wrong",
        )
    return head


def _damaged(sequence: int, what: str) -> JournalError:
    return JournalError(f"record {sequence} {what}")
