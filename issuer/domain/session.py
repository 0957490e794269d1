"""Sessions: what the server keeps of somebody who has logged in."""

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Self

from issuer.domain.account import AccountId
from issuer.errors import IssuerDataError

__all__ = [
    "SESSION_TOKEN_BYTES",
    "Face",
    "LoginMethod",
    "Restriction",
    "Session",
    "SessionId",
    "SessionLifetime",
    "SessionToken",
]

SESSION_TOKEN_BYTES: Final = 32

SessionId = NewType("SessionId", uuid.UUID)


class Face(StrEnum):
    """Where somebody logged in; a session holds there and nowhere else."""

    CONSOLE = "console"
    COMMAND_LINE = "command-line"


class LoginMethod(StrEnum):
    """How somebody said who they are."""

    PASSWORD = "password"  # noqa: S105 - the name of a method, no password
    OIDC = "oidc"


class Restriction(StrEnum):
    """What must be done first; until then the session has no role."""

    PASSWORD_CHANGE_DUE = "password-change-due"  # noqa: S105 - no password
    SECOND_FACTOR_DUE = "second-factor-due"


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What the browser, or the session file, holds: 32 random bytes; the server keeps only their digest."""

    secret: bytes = field(repr=False)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``text`` wrote.

        Raises:
            IssuerDataError: ``session.token-malformed``.
        """
        try:
            secret = bytes.fromhex(text) if len(text) == 2 * SESSION_TOKEN_BYTES else b""
        except ValueError:
            # The library's text would quote the token.
            secret = b""
        if len(secret) != SESSION_TOKEN_BYTES or secret.hex() != text:
            raise IssuerDataError(
                f"a session token of {len(text)} characters, "
                f"expected {2 * SESSION_TOKEN_BYTES} hexadecimal digits",
                code="session.token-malformed",
            )
        return cls(secret)

    @property
    def text(self) -> str:
        """The token in 64 lower-case hexadecimal digits."""
        return self.secret.hex()

    @property
    def digest(self) -> bytes:
        """What is stored: SHA-256; the token has 256 random bits, so no salt and no slow hash is needed."""
        return hashlib.sha256(self.secret).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLifetime:
    """How long a session lasts: in all, and without use."""

    absolute: timedelta
    idle: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session.

    Attributes:
        session_id: what records say of it; it opens nothing.
        token_digest: SHA-256 of the token.
        account_id: whose it is.
        face: where it holds.
        method: how it began.
        created_at: when somebody logged in (aware UTC); kept when the token is changed.
        expires_at: when it ends, however much it is used.
        seen_at: when it was last used, as far as that is written down.
        stepped_up_at: when a second factor was last shown in it.
        restriction: what must be done before it has any role.
    """

    session_id: SessionId
    token_digest: bytes = field(repr=False)
    account_id: AccountId
    face: Face
    method: LoginMethod
    created_at: datetime
    expires_at: datetime
    seen_at: datetime
    stepped_up_at: datetime | None = None
    restriction: Restriction | None = None

    @property
    def rests_on_password(self) -> bool:
        """Whether the only thing that was shown in place of a second factor is the password that it began with."""
        return self.method is LoginMethod.PASSWORD and self.stepped_up_at == self.created_at

    def is_alive(self, now: datetime, *, idle: timedelta) -> bool:
        """Whether it may still be used."""
        return now < self.expires_at and now - self.seen_at <= idle

    def stepped_up(self, token: SessionToken, now: datetime) -> Self:
        """The same session after a second factor: another token, and the old one opens nothing."""
        kept = None if self.restriction is Restriction.SECOND_FACTOR_DUE else self.restriction
        return replace(
            self,
            token_digest=token.digest,
            seen_at=now,
            stepped_up_at=now,
            restriction=kept,
        )
