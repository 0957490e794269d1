"""An OpenID provider over HTTPS: discovery, code for token, and the ID token judged (joserfc, authlib)."""

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.oidc_login import OidcAttempt

__all__ = ["OidcClient", "OpenIdProvider"]

_ALGORITHMS: Final = ("ES256", "ES384", "PS256", "PS384", "RS256", "EdDSA")
"""Signatures by keys that are published; never ``none``, and never HMAC with a key that is public."""

_MAX_ANSWER_BYTES: Final = 262_144
_TIMEOUT_SECONDS: Final = 10
_KEEP: Final = timedelta(hours=1)
_LEEWAY_SECONDS: Final = 60
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcClient:
    """What was agreed with the provider.

    Attributes:
        issuer: the provider's identifier, a URL.
        client_id: our name there.
        client_secret: our password there.
        redirect_uri: where it sends browsers back.
        account_claim: the claim of the ID token that is the account's name.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    account_claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metadata:
    authorisation: str
    token: str
    keys: KeySet
    read_at: datetime


class OpenIdProvider:
    """See ``issuer.services.oidc_login.IdentityProvider``; safe to share among threads."""

    def __init__(self, client: OidcClient, *, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._metadata: _Metadata | None = None
        self._lock = threading.Lock()
        # No redirects, and no proxy that a variable names: the client's secret goes where the settings say.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def authorisation_url(self, attempt: OidcAttempt) -> str:
        """See ``IdentityProvider``."""
        return str(
            add_params_to_uri(
                self._known().authorisation,
                [
                    ("response_type", "code"),
                    ("scope", "openid profile"),
                    ("client_id", self._client.client_id),
                    ("redirect_uri", self._client.redirect_uri),
                    ("state", attempt.state),
                    ("nonce", attempt.nonce),
                    ("code_challenge", create_s256_code_challenge(attempt.verifier)),
                    ("code_challenge_method", "S256"),
                ],
            )
        )

    def identify(self, attempt: OidcAttempt, code: str) -> str:
        """See ``IdentityProvider``."""
        known = self._known()
        answer = self._redeem(known, attempt, code)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _unavailable("gave no ID token")
        claims = self._judge(token, known, attempt)
        name = claims.get(self._client.account_claim)
        if not isinstance(name, str):
            raise _token_refused(f"it has no claim {self._client.account_claim}")
        return name

    def _redeem(self, known: _Metadata, attempt: OidcAttempt, code: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        # RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
        pair = f"{quote_plus(self._client.client_id)}:{quote_plus(self._client.client_secret)}"
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            known.token,
            data=urlencode(form).encode(),
            headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
        )
        try:
            return self._ask(request)
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise IssuerRefusedError(
                    "the provider does not take the code",
                    code="oidc.code-refused",
                    hint="begin again",
                ) from error
            raise _unavailable(f"answered {error.code}") from error

    def _judge(self, token: str, known: _Metadata, attempt: OidcAttempt) -> Mapping[str, Any]:
        """OpenID Connect Core, 3.1.3.7."""
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._client.issuer},
            aud={"essential": True, "value": self._client.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": attempt.nonce},
        )
        try:
            found = jwt.decode(token, known.keys, algorithms=list(_ALGORITHMS))
            rules.validate(found.claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            # The provider may have changed its keys since we read them: whoever tries again gets the new ones.
            with self._lock:
                self._metadata = None
            raise _token_refused(type(error).__name__) from error
        # Further audiences, which we do not trust, and then whom it was made for.
        if found.claims["aud"] not in (self._client.client_id, [self._client.client_id]):
            raise _token_refused("it is for others as well")
        if found.claims.get("azp", self._client.client_id) != self._client.client_id:
            raise _token_refused("it was made for somebody else")
        return found.claims

    def _known(self) -> _Metadata:
        with self._lock:
            known, now = self._metadata, self._clock()
            if known is None or not timedelta(0) <= now - known.read_at < _KEEP:
                known = self._metadata = self._discover(now)
            return known

    def _discover(self, now: datetime) -> _Metadata:
        issuer = self._client.issuer
        found = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise _unavailable("says that it is another one")
        try:
            keys = KeySet.import_key_set(self._get(_url(found, "jwks_uri")))  # type: ignore[arg-type]  # judged there
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unavailable("published keys that cannot be read") from error
        return _Metadata(
            authorisation=_url(found, "authorization_endpoint"),
            token=_url(found, "token_endpoint"),
            keys=keys,
            read_at=now,
        )

    def _get(self, url: str) -> Mapping[str, Any]:
        try:
            return self._ask(urllib.request.Request(_checked(url)))  # noqa: S310 - checked
        except urllib.error.HTTPError as error:
            raise _unavailable(f"answered {error.code}") from error

    def _ask(self, request: urllib.request.Request) -> Mapping[str, Any]:
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                content = answer.read(_MAX_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise
        except (OSError, ValueError) as error:
            raise _unavailable("cannot be reached") from error
        if len(content) > _MAX_ANSWER_BYTES:
            raise _unavailable(f"answered more than {_MAX_ANSWER_BYTES} bytes")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _unavailable("answered what is no JSON") from error
        if not isinstance(found, dict):
            raise _unavailable("answered what is no JSON object")
        return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is an error."""

    def redirect_request(self, *_: Any) -> None:
        """Go nowhere."""


def _url(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise _unavailable(f"has no {name}")
    return _checked(value)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    except ValueError:
        is_good = False
    if not is_good:
        raise _unavailable("has an address that is not https")
    return url


def _unavailable(what: str) -> IssuerUnavailableError:
    return IssuerUnavailableError(f"the identity provider {what}", code="oidc.unavailable")


def _token_refused(why: str) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"the identity provider's token does not hold: {why}", code="oidc.token-refused"
    )
