"""Tables of people: accounts, their roles and second factors, sessions, and what is remembered of log-ins."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = [
    "AccountProposalRow",
    "AccountRow",
    "AssignmentRow",
    "LoginAttemptRow",
    "SecondFactorRow",
    "SessionRow",
]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class AccountRow(Base):
    """One account; none is ever deleted."""

    __tablename__ = "accounts"
    __table_args__ = (
        sa.CheckConstraint("state IN ('active', 'disabled')", name="state"),
        sa.CheckConstraint(
            "(password_hash IS NULL) = (password_set_at IS NULL)"
            " AND (password_hash IS NULL) = (password_is_provisional IS NULL)",
            name="password",
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), unique=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    password_hash: Mapped[str | None] = mapped_column(sa.String(256))
    password_set_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_is_provisional: Mapped[bool | None] = mapped_column(sa.Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AssignmentRow(Base):
    """One role of an account, for one organisation and all below it, or for the whole register."""

    __tablename__ = "account_assignments"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "position"),
        sa.Index("ix_account_assignments_role_organisation", "role", "organisation"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    role: Mapped[str] = mapped_column(sa.String(32))
    organisation: Mapped[str | None] = mapped_column(sa.String(32))


class AccountProposalRow(Base):
    """What one administrator proposed for an account; the row goes when another one confirms it."""

    __tablename__ = "account_proposals"
    __table_args__ = (
        sa.CheckConstraint(
            "act IN ('give-role', 'enable', 'reset-password', 'remove-second-factors')", name="act"
        ),
        sa.CheckConstraint(
            "(act = 'give-role') = (role IS NOT NULL)"
            " AND (role IS NOT NULL OR organisation IS NULL)",
            name="role",
        ),
        sa.Index("ix_account_proposals_account_id", "account_id"),
        # A number that somebody wrote down never comes to mean another proposal.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    act: Mapped[str] = mapped_column(sa.String(32))
    role: Mapped[str | None] = mapped_column(sa.String(32))
    organisation: Mapped[str | None] = mapped_column(sa.String(32))
    proposed_by: Mapped[str] = mapped_column(sa.String(200))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SecondFactorRow(Base):
    """One WebAuthn credential of an account."""

    __tablename__ = "second_factors"
    __table_args__ = (
        sa.CheckConstraint(
            "(operator IS NULL) = (operator_registration IS NULL)"
            " AND (operator IS NOT NULL OR operator_certificate IS NULL)",
            name="operator",
        ),
        sa.Index("ix_second_factors_account_id", "account_id"),
    )

    credential_id: Mapped[bytes] = mapped_column(sa.LargeBinary(1023), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    label: Mapped[str] = mapped_column(sa.String(64))
    algorithm: Mapped[int] = mapped_column(sa.Integer)
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary(1024))
    counter: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    operator: Mapped[str | None] = mapped_column(sa.String(64))
    operator_registration: Mapped[bytes | None] = mapped_column(sa.LargeBinary(16384))
    operator_certificate: Mapped[bytes | None] = mapped_column(sa.LargeBinary(2048))


class SessionRow(Base):
    """One session; whoever reads this table can open none of them."""

    __tablename__ = "sessions"
    __table_args__ = (
        sa.CheckConstraint("face IN ('console', 'command-line')", name="face"),
        sa.CheckConstraint(
            "(challenge IS NULL) = (challenge_expires_at IS NULL)", name="challenge"
        ),
        sa.Index("ix_sessions_account_id_created_at", "account_id", "created_at"),
        sa.Index("ix_sessions_expires_at", "expires_at"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    token_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    face: Mapped[str] = mapped_column(sa.String(16))
    method: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stepped_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    restriction: Mapped[str | None] = mapped_column(sa.String(32))
    challenge: Mapped[bytes | None] = mapped_column(sa.LargeBinary(64))
    challenge_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginAttemptRow(Base):
    """What is remembered of failed log-ins for one name or one address."""

    __tablename__ = "login_attempts"
    __table_args__ = (sa.Index("ix_login_attempts_last_at", "last_at"),)

    attempt_key: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    blocked_until: Mapped[datetime] = mapped_column(UtcDateTime)
