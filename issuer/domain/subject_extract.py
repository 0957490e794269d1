"""What is told to a person about all that is held about them: one document, for people and for programs."""

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from typing import Any, Final

from issuer.domain.audit import AuditRecord
from issuer.domain.card import Card
from issuer.domain.data_subjects import KEPT_BECAUSE, Disclosure, Erasure, KeptItem
from issuer.domain.decisions import Decision
from issuer.domain.member import Member
from issuer.domain.member_change import MemberChange
from issuer.domain.requests import CardRequest, RequestEvent

__all__ = [
    "DESTROYED_PARTS",
    "SALT_BYTES",
    "AskedFor",
    "DeletionProof",
    "SubjectExtract",
    "content_digest",
]

SALT_BYTES: Final = 32
DESTROYED_PARTS: Final = (
    "member_id",
    "recorded_at",
    "statement",
    "portrait",
    "portrait_digest",
    "changes",
    "cards",
)
"""The members of the extract that a proof of deletion is about."""

_EXTRACT_FORMAT: Final = "membercard subject extract 1"
_PROOF_FORMAT: Final = "membercard deletion proof 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """A card that was asked for.

    Attributes:
        request: the request as it is now.
        time_line: what happened to it, in order.
        decision: in which decision it stands, or by which it came; ``None`` where there is none.
    """

    request: CardRequest
    time_line: tuple[RequestEvent, ...]
    decision: Decision | None

    def document(self) -> dict[str, Any]:
        """It as JSON, without who of the office took which step."""
        return {
            "request_id": str(self.request.request_id),
            "organisation": self.request.organisation_code,
            "kind": self.request.kind.value,
            "reason": _plain(self.request.reason),
            "ordinal": self.request.ordinal,
            "state": self.request.state.value,
            "card_number": self.request.card_number,
            "decision": None
            if self.decision is None
            else {
                "number": self.decision.number,
                "date": self.decision.decided_on.isoformat(),
                "committee": self.decision.committee,
            },
            "time_line": [
                {"at": each.at.isoformat(), "what": each.kind.value, "remark": each.remark}
                for each in self.time_line
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectExtract:
    """Everything that is held about one person.

    Attributes:
        taken_at: when it was put together (aware UTC).
        member: the record.
        portrait: the picture that the card holds; ``None`` where it is lost.
        changes: what changed in the record, the newest first.
        cards: every card that was ever bound to them.
        requests: every card that was asked for, the oldest first.
        disclosures: to whom their data was given.
        acts: what was done with their record, newest first.
        acts_left_out: whether there were more.
    """

    taken_at: datetime
    member: Member
    portrait: bytes | None = field(repr=False)
    changes: tuple[MemberChange, ...]
    cards: tuple[Card, ...]
    requests: tuple[AskedFor, ...]
    disclosures: tuple[Disclosure, ...]
    acts: tuple[AuditRecord, ...]
    acts_left_out: bool = False

    def document(self) -> dict[str, Any]:
        """It as JSON; the picture in hexadecimal."""
        return {
            "format": _EXTRACT_FORMAT,
            "taken_at": self.taken_at.isoformat(),
            "member_id": str(self.member.member_id),
            "recorded_at": self.member.recorded_at.isoformat(),
            "statement": _plain(self.member.statement),
            "portrait": None if self.portrait is None else self.portrait.hex(),
            "portrait_digest": self.member.portrait.hex(),
            "portrait_source_digest": self.member.portrait_source.hex(),
            "changes": [_change_document(each) for each in self.changes],
            "cards": [_plain(each) for each in self.cards],
            "requests": [each.document() for each in self.requests],
            "disclosures": [
                {
                    "at": each.at.isoformat(),
                    "recipient": each.recipient,
                    "ground": each.ground.value,
                    "reference": each.reference,
                    "what": each.what,
                }
                for each in self.disclosures
            ],
            "acts": [
                {
                    "at": each.at.isoformat(),
                    "action": each.action,
                    "organisation": each.organisation,
                }
                for each in self.acts
            ],
            "acts_left_out": self.acts_left_out,
        }

    def destroyed_document(self) -> dict[str, Any]:
        """The part that is destroyed when the record is deleted."""
        document = self.document()
        return {name: document[name] for name in DESTROYED_PARTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionProof:
    """What the person is given: whoever has the extract of before and this can show what was destroyed.

    The register keeps the digest and forgets the salt, so that nobody can try out whose record it was.
    """

    erasure: Erasure
    salt: bytes
    audit_trail: bytes
    destroyed: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        return {
            "format": _PROOF_FORMAT,
            "member_id": str(self.erasure.member_id),
            "at": self.erasure.at.isoformat(),
            "ground": self.erasure.ground.value,
            "reference": self.erasure.reference,
            "destroyed": dict(self.destroyed),
            "digest": self.erasure.digest.hex(),
            "salt": self.salt.hex(),
            "audit_trail": self.audit_trail.hex(),
            "kept": {item.value: KEPT_BECAUSE[item] for item in KeptItem},
        }


def content_digest(document: Mapping[str, Any], *, salt: bytes) -> bytes:
    """SHA-256 over the salt and the document as JSON with sorted members, in ASCII, without spaces."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(salt + text.encode("ascii")).digest()


def _change_document(change: MemberChange) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(),
        "kind": change.kind.value,
        "effective": _plain(change.effective),
        "field": change.change.column.value,
        "old": change.change.old,
        "new": change.change.new,
        "reason": change.reason,
        "evidence": _plain(change.evidence),
    }


def _plain(value: Any) -> Any:
    """A value of the domain as JSON holds it: every field under its own name, so that none is forgotten."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, int) else str(value)
