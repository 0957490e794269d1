"""Every table of the service: requests and decisions, which live here alone, and the projection of the journal."""

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pki.db.base import Base, UtcDateTime

__all__ = [
    "PROJECTED",
    "Base",
    "CertificateRow",
    "CheckpointRow",
    "CredentialRow",
    "CvCertificateRow",
    "DecisionRow",
    "HolderBlockRow",
    "ListRow",
    "LogRow",
    "PositionRow",
    "RequestRow",
    "TakenRequestRow",
]

_DIGEST = sa.LargeBinary(32)
# SQLite numbers rows by itself only in a column of type INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class RequestRow(Base):
    """What an operator asked for; ``content`` is canonical JSON, ``digest`` its SHA-256, and neither changes."""

    __tablename__ = "requests"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected')", name="state"),
        sa.UniqueConstraint("requester", "request_key"),
        sa.Index("ix_requests_state_number", "state", "number"),
    )

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    content: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[bytes] = mapped_column(_DIGEST)
    requester: Mapped[str] = mapped_column(sa.String(32))
    request_key: Mapped[str] = mapped_column(sa.String(64))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(sa.String(16))
    version: Mapped[int]


class DecisionRow(Base):
    """One person's word on a request; one a person."""

    __tablename__ = "decisions"
    __table_args__ = (
        sa.CheckConstraint("verdict IN ('approve', 'reject')", name="verdict"),
        sa.UniqueConstraint("request_number", "operator"),
        sa.UniqueConstraint("operator", "decision_key"),
    )

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    request_number: Mapped[int] = mapped_column(sa.ForeignKey("requests.number"))
    operator: Mapped[str] = mapped_column(sa.String(32))
    verdict: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(200))
    decision_key: Mapped[str] = mapped_column(sa.String(64))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PositionRow(Base):
    """How far the projection has followed the journal: one row."""

    __tablename__ = "journal_position"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[bytes] = mapped_column(_DIGEST)
    offset: Mapped[int] = mapped_column(sa.BigInteger)
    line_offset: Mapped[int] = mapped_column(sa.BigInteger)


class CertificateRow(Base):
    """An X.509 certificate; the reason of its revocation is for operators and stands in no CRL."""

    __tablename__ = "certificates"
    __table_args__ = (
        sa.UniqueConstraint("kind", "name"),
        sa.Index("ix_certificates_serial_number", "serial_number"),
        sa.Index("ix_certificates_subject_position", "subject", "position"),
    )

    position: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(_DIGEST, unique=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    name: Mapped[str] = mapped_column(sa.String(80))
    serial_number: Mapped[str] = mapped_column(sa.String(40))
    subject: Mapped[str] = mapped_column(sa.String(400))
    issuer: Mapped[str] = mapped_column(sa.String(400))
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(sa.String(400))
    is_compromised: Mapped[bool]
    der: Mapped[bytes] = mapped_column(sa.LargeBinary)


class CvCertificateRow(Base):
    """A CV certificate of the terminals' hierarchy."""

    __tablename__ = "cv_certificates"
    __table_args__ = (
        sa.Index("ix_cv_certificates_role_position", "role", "position"),
        sa.Index("ix_cv_certificates_holder_position", "holder", "position"),
    )

    position: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(_DIGEST, unique=True)
    holder: Mapped[str] = mapped_column(sa.String(16))
    holder_reference: Mapped[str] = mapped_column(sa.String(16))
    authority_reference: Mapped[str] = mapped_column(sa.String(16))
    role: Mapped[str] = mapped_column(sa.String(32))
    effective: Mapped[date]
    expires: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)


class HolderBlockRow(Base):
    """A terminal that lost its good standing."""

    __tablename__ = "holder_blocks"

    holder: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    blocked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(sa.String(400))


class CredentialRow(Base):
    """An operator's WebAuthn credential."""

    __tablename__ = "operator_credentials"
    __table_args__ = (sa.Index("ix_operator_credentials_operator", "operator"),)

    credential_id: Mapped[bytes] = mapped_column(sa.LargeBinary(1023), primary_key=True)
    operator: Mapped[str] = mapped_column(sa.String(32))
    origin: Mapped[str] = mapped_column(sa.String(300))
    rp_id: Mapped[str] = mapped_column(sa.String(253))
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ListRow(Base):
    """A signed list: a CRL, a stop list, a master list."""

    __tablename__ = "lists"

    series: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(_DIGEST, unique=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)


class LogRow(Base):
    """The transparency log's name and key: one row, once there is a log."""

    __tablename__ = "transparency_log"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(sa.String(400))
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary)


class CheckpointRow(Base):
    """A checkpoint that was signed, or about to be, over so many leaves."""

    __tablename__ = "checkpoints"

    position: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TakenRequestRow(Base):
    """A request that the journal says was used up; it stands beside its request, whose row may be gone."""

    __tablename__ = "taken_requests"

    request_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)


PROJECTED = (
    CertificateRow,
    CvCertificateRow,
    HolderBlockRow,
    CredentialRow,
    ListRow,
    LogRow,
    CheckpointRow,
    TakenRequestRow,
)
"""The tables that can be made anew from the journal; its position, one row, is set back then."""
