"""A station's messages over HTTPS: what is sealed and signed goes through TLS as well, and every answer is bounded."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = ["MESSAGES_PATH", "https_transport"]

MESSAGES_PATH: Final = "/v1/stations/messages"
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_TIMEOUT_SECONDS: Final = 15.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The centre answers where it was asked, or not at all."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nowhere."""


def https_transport(url: str, *, authorities: Path | None) -> Callable[[bytes], bytes]:
    """What brings a message to the centre at this address and gives back its answer.

    Args:
        url: ``https://HOST`` or ``https://HOST:PORT``.
        authorities: certificates, PEM, one of which must vouch for the server; else those of the system.

    Raises:
        IssuerDataError: the address is none (``station.api-url``).
        IssuerUnavailableError: the certificates cannot be read (``station.api-authorities``).
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise IssuerDataError(
            f"got address {url[:80]!r}, expected https://HOST or https://HOST:PORT",
            code="station.api-url",
        )
    try:
        context = ssl.create_default_context(
            cafile=None if authorities is None else str(authorities)
        )
    except (OSError, ssl.SSLError) as error:
        raise IssuerUnavailableError(
            f"{authorities} holds no certificates that can be read", code="station.api-authorities"
        ) from error
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=context),
        _NoRedirect(),
    )
    address = f"https://{parts.netloc}{MESSAGES_PATH}"

    def carry(message: bytes) -> bytes:
        body = json.dumps({"message": base64.b64encode(message).decode("ascii")}).encode()
        request = urllib.request.Request(
            address, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                content = answer.read(_MAX_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except (OSError, HTTPException) as error:
            raise _no_answer(parts.netloc, error) from error
        return _message_of(content)

    return carry


def _no_answer(server: str, error: OSError | HTTPException) -> IssuerUnavailableError:
    """Why nothing came back; whoever cannot prove to be the centre was not told anything."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return IssuerUnavailableError(
            f"the server at {server} does not prove to be it: {cause.verify_message}",
            code="station.server-not-trusted",
            hint="settings.toml, [station]: api_url names the host of its certificate, api_authorities who issued it",
        )
    return IssuerUnavailableError(
        f"the centre at {server} does not answer: {type(cause).__name__}",
        code="station.no-answer",
    )


def _message_of(content: bytes) -> bytes:
    try:
        # What was cut at the bound is no JSON.
        return base64.b64decode(json.loads(content[:_MAX_ANSWER_BYTES])["message"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise IssuerUnavailableError(
            "the centre's answer is in no form of one", code="station.answer-invalid"
        ) from error


def _refusal(error: urllib.error.HTTPError) -> IssuerUnavailableError:
    """A problem document is no proof of anything: it is shown, and the station goes on with what it has."""
    try:
        code = json.loads(error.read(65_536)).get("code")
    except (ValueError, AttributeError, OSError, HTTPException):
        code = None
    if not isinstance(code, str) or len(code) > 80:
        code = "none"
    return IssuerUnavailableError(
        f"the centre answered with status {error.code} and code {code}", code="station.no-answer"
    )
