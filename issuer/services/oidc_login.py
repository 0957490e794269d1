"""Logging in by another service's word (OpenID Connect Core 1.0, code flow, with PKCE, state and nonce).

Accounts must be there already: the provider says who somebody is, and never what they may do. Between the two halves nothing
is kept on the server: state, nonce and PKCE verifier are derived from a secret in a cookie of the browser that began.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from issuer.domain.account import is_account_name
from issuer.domain.rights import AccountName
from issuer.domain.session import Face, LoginMethod
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.log_in import LogIn, OpenedSession

__all__ = ["BegunOidcLogin", "IdentityProvider", "OidcAttempt", "OidcLogin"]

_SECRET_BYTES: Final = 32
_MAX_CODE_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class OidcAttempt:
    """One log-in that is under way; only the browser that began it has its secret."""

    secret: bytes = field(repr=False)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``text`` wrote into the cookie.

        Raises:
            IssuerDataError: ``oidc.attempt-malformed``.
        """
        try:
            secret = bytes.fromhex(text) if len(text) == 2 * _SECRET_BYTES else b""
        except ValueError:
            # The library's text would quote the secret.
            secret = b""
        if secret.hex() != text or not secret:
            raise IssuerDataError(
                "the browser did not begin this log-in, or its cookie is gone",
                code="oidc.attempt-malformed",
                hint="begin again",
            )
        return cls(secret)

    @property
    def text(self) -> str:
        """What the cookie holds."""
        return self.secret.hex()

    @property
    def state(self) -> str:
        """Comes back with the code: the answer is for this browser (RFC 6749, 10.12)."""
        return self._derive(b"state")

    @property
    def nonce(self) -> str:
        """Stands in the ID token: it was made for this log-in (OpenID Connect Core, 3.1.2.1)."""
        return self._derive(b"nonce")

    @property
    def verifier(self) -> str:
        """Whoever stole the code lacks it (RFC 7636, 4.1)."""
        return self._derive(b"verifier")

    def _derive(self, purpose: bytes) -> str:
        return hmac.digest(self.secret, b"membercard oidc " + purpose, hashlib.sha256).hex()


class IdentityProvider(Protocol):
    """The service that says who somebody is."""

    def authorisation_url(self, attempt: OidcAttempt) -> str:
        """Where the browser is sent.

        Raises:
            IssuerUnavailableError: the provider cannot be reached, or says what cannot be (``oidc.unavailable``).
        """

    def identify(self, attempt: OidcAttempt, code: str) -> str:
        """The name that the provider gives whoever came back with this code.

        Raises:
            IssuerRefusedError: the code or the ID token does not hold (``oidc.code-refused``, ``oidc.token-refused``).
            IssuerUnavailableError: ``oidc.unavailable``.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunOidcLogin:
    """What the browser gets: a cookie (``HttpOnly``, ``Secure``, ``SameSite=Lax``, minutes), and where to go."""

    attempt: OidcAttempt
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcLogin:
    """The use case in its two halves."""

    provider: IdentityProvider
    log_in: LogIn
    random_bytes: Callable[[int], bytes]

    def begin(self) -> BegunOidcLogin:
        """The first half.

        Raises:
            IssuerUnavailableError: ``oidc.unavailable``.
        """
        attempt = OidcAttempt(self.random_bytes(_SECRET_BYTES))
        return BegunOidcLogin(attempt=attempt, url=self.provider.authorisation_url(attempt))

    def finish(
        self, attempt: OidcAttempt, *, state: str, code: str | None, face: Face = Face.CONSOLE
    ) -> OpenedSession:
        """The second half: the provider sent the browser back with ``state``, and a code unless it refused.

        Raises:
            IssuerRefusedError: ``oidc.state-differs``, ``oidc.provider-refused``, ``oidc.code-refused``,
                ``oidc.token-refused``; there is no such active account (``login.refused``).
            IssuerUnavailableError: ``oidc.unavailable``.
        """
        if not hmac.compare_digest(attempt.state.encode(), state.encode("utf-8", "replace")):
            raise IssuerRefusedError(
                "the answer of the provider belongs to another log-in",
                code="oidc.state-differs",
                hint="begin again",
            )
        if code is None or not 1 <= len(code) <= _MAX_CODE_CHARACTERS:
            raise IssuerRefusedError(
                "the provider gave no code: it does not know who this is",
                code="oidc.provider-refused",
            )
        name = self.provider.identify(attempt, code)
        if not is_account_name(name):
            raise IssuerRefusedError("account or password is wrong", code="login.refused")
        return self.log_in.log_in_as(AccountName(name), method=LoginMethod.OIDC, face=face)
