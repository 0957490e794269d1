"""The chain of the audit trail: each record's digest covers the record and the digest before it.

A record is digested as it is stored, field by field and character by character, so that nothing in the table can
be another without the digest being another. The digest is

    SHA-256(``membercard audit record v1`` NUL || digest before || JSON array of the fields)

where the array holds sequence, time, account, action, subject, subject's identifier, organisation or null, and the
details as they are stored, in ASCII, without spaces. The first record's digest before is that of the trail's own
random identity, so that records of one installation fit into no other.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import IssuerUnavailableError

__all__ = [
    "DIGEST_BYTES",
    "MAX_DETAILS_CHARACTERS",
    "TRAIL_ID_BYTES",
    "ChainHead",
    "ChainedRecord",
    "check_record",
    "first_head",
    "link",
]

DIGEST_BYTES: Final = 32
TRAIL_ID_BYTES: Final = 16
MAX_DETAILS_CHARACTERS: Final = 4096

_MAX_DETAILS: Final = 32
_MAX_ACCOUNT_CHARACTERS: Final = 200
_MAX_INTEGER: Final = 2**53 - 1
"""What every reader of JSON reads alike (RFC 8259, 6)."""

_TRAIL_PREFIX: Final = b"membercard audit trail v1\x00"
_RECORD_PREFIX: Final = b"membercard audit record v1\x00"
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
_ACTION = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+", re.ASCII)
_SUBJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", re.ASCII)
_DETAIL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where a trail ends: the sequence number and digest of its last record.

    Attributes:
        trail_id: 16 random bytes that name the trail.
        sequence: 0 where there is no record yet.
        digest: 32 bytes.
    """

    trail_id: bytes
    sequence: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedRecord:
    """One record as it is stored; ``details`` is JSON text.

    What comes from a database may be anything: nothing is checked before the digest is.
    """

    sequence: int
    at: datetime
    account: str
    action: str
    subject: str
    subject_id: str
    organisation: str | None
    details: str
    digest: bytes

    def expected_digest(self, before: bytes) -> bytes:
        """The digest of this record's fields behind the record with digest ``before``."""
        fields = _ENCODER.encode(
            (
                self.sequence,
                self.at.astimezone(UTC).isoformat(timespec="microseconds"),
                self.account,
                self.action,
                self.subject,
                self.subject_id,
                self.organisation,
                self.details,
            )
        )
        return hashlib.sha256(_RECORD_PREFIX + before + fields.encode("ascii")).digest()

    def record(self) -> AuditRecord:
        """The act that it tells of.

        Raises:
            IssuerUnavailableError: the stored text is not what this program writes (``audit.unreadable``).
        """
        try:
            return AuditRecord(
                at=self.at,
                account=AccountName(self.account),
                action=self.action,
                subject=AuditSubject(self.subject),
                subject_id=self.subject_id,
                organisation=None
                if self.organisation is None
                else OrganisationCode(self.organisation),
                details=dict(json.loads(self.details)),
            )
        except (TypeError, ValueError) as error:
            raise IssuerUnavailableError(
                f"record {self.sequence} of the audit trail cannot be read",
                code="audit.unreadable",
                hint="run: membercard-issuer --home DIR audit verify",
            ) from error


def first_head(trail_id: bytes) -> ChainHead:
    """The end of a trail without records."""
    return ChainHead(
        trail_id=trail_id, sequence=0, digest=hashlib.sha256(_TRAIL_PREFIX + trail_id).digest()
    )


def link(head: ChainHead, record: AuditRecord) -> tuple[ChainedRecord, ChainHead]:
    """The record as it will be stored behind ``head``, and the new head.

    Raises:
        ValueError: the record is none: a mistake of the program.
    """
    check_record(record)
    unsealed = ChainedRecord(
        sequence=head.sequence + 1,
        at=record.at.astimezone(UTC),
        account=record.account,
        action=record.action,
        subject=record.subject.value,
        subject_id=record.subject_id,
        organisation=record.organisation,
        details=_details_text(record),
        digest=b"",
    )
    sealed = replace(unsealed, digest=unsealed.expected_digest(head.digest))
    return sealed, ChainHead(trail_id=head.trail_id, sequence=sealed.sequence, digest=sealed.digest)


def check_record(record: AuditRecord) -> None:
    """Whether a record may be appended.

    Raises:
        ValueError: it may not: a mistake of the program.
    """
    _check(record)
    _details_text(record)


def _check(record: AuditRecord) -> None:
    if record.at.tzinfo is None:
        raise ValueError("an audit record has a time without a time zone, expected an aware one")
    if not 1 <= len(record.account) <= _MAX_ACCOUNT_CHARACTERS or not record.account.isprintable():
        raise ValueError("an audit record's account is no name of an account")
    if not _ACTION.fullmatch(record.action) or len(record.action) > 80:
        raise ValueError(f"got audit action {record.action!r}, expected a dotted word")
    if not _SUBJECT_ID.fullmatch(record.subject_id):
        # What was given may be somebody's data: the text does not repeat it.
        raise ValueError(f"the subject of {record.action} is no identifier")


def _details_text(record: AuditRecord) -> str:
    details = dict(record.details)
    if len(details) > _MAX_DETAILS:
        raise ValueError(f"got {len(details)} details of {record.action}, expected {_MAX_DETAILS}")
    for key, value in details.items():
        if not _DETAIL_KEY.fullmatch(key):
            raise ValueError(f"got a detail {key!r} of {record.action}, expected a word")
        _check_detail(record.action, key, value)
    text = json.dumps(details, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_DETAILS_CHARACTERS:
        raise ValueError(
            f"got {len(text)} characters of details of {record.action}, "
            f"expected at most {MAX_DETAILS_CHARACTERS}"
        )
    return text


def _check_detail(action: str, key: str, value: AuditDetail) -> None:
    # A bool is an int to Python, and another thing to everybody who reads the trail.
    if type(value) is int:
        good = -_MAX_INTEGER <= value <= _MAX_INTEGER
    elif isinstance(value, str):
        good = value.isascii() and (not value or value.isprintable())
    else:
        good = value is None
    if not good:
        raise ValueError(
            f"detail {key} of {action} is of {type(value).__name__}, "
            "expected printable ASCII text, an integer or nothing"
        )
