"""HTTP from a terminal's side: every answer is bounded in size and time, nothing is followed, nothing is decoded.

A server may be anybody's. It can refuse to serve, and nothing else: redirections, content encodings, other statuses than
the ones that were asked for, and whatever is too long or too slow, end the exchange with one error.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from verifier.errors import UsageError, VerifierError

__all__ = ["Answer", "HttpClient", "NetworkError", "ServerAddress"]

_MAX_URL_CHARACTERS: Final = 2000
_SILENCE_SECONDS: Final = 20.0
_TOTAL_SECONDS: Final = 600.0
_CHUNK: Final = 65536


class NetworkError(VerifierError):
    """A server could not be reached, or answered something else than was asked for."""

    default_code = "network.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a service is: ``path`` begins with a slash, or is empty."""

    is_tls: bool
    authority: str
    host: str
    port: int
    path: str

    @classmethod
    def from_text(cls, text: str, *, needs_tls: bool) -> "ServerAddress":
        """Read an http or https address; ``needs_tls`` lets plain http reach this computer alone.

        Raises:
            UsageError: ``network.address``.
        """
        wrong = UsageError(
            f"got address {text[:80]!r}, expected one as https://centre.example",
            code="network.address",
        )
        if len(text) > _MAX_URL_CHARACTERS or not text.isascii() or not text.isprintable():
            raise wrong
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise wrong from error
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username is not None
            or parts.query
            or parts.fragment
            or " " in text
        ):
            raise wrong
        is_tls = parts.scheme == "https"
        if needs_tls and not is_tls and not _is_here(parts.hostname):
            raise UsageError(
                f"got address {text[:80]!r}, expected https: what is sent there is nobody else's business",
                code="network.address",
            )
        return cls(
            is_tls=is_tls,
            authority=parts.netloc,
            host=parts.hostname,
            port=port if port is not None else (443 if is_tls else 80),
            path=parts.path.rstrip("/"),
        )

    @property
    def text(self) -> str:
        """The address without a slash at its end."""
        return f"http{'s' if self.is_tls else ''}://{self.authority}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class HttpClient:
    """Exchanges with one server, each over a connection of its own."""

    def __init__(
        self,
        address: ServerAddress,
        *,
        silence_seconds: float = _SILENCE_SECONDS,
        total_seconds: float = _TOTAL_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``tls`` replaces the system's authorities, for a centre with a certificate of its own."""
        self.address = address
        self._silence_seconds = silence_seconds
        self._total_seconds = total_seconds
        self._tls = tls

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int,
    ) -> Answer:
        """One exchange; the whole answer is kept in memory.

        Raises:
            NetworkError: ``network.failed``, ``network.too-slow``, ``network.too-long``, ``network.answer``.
        """
        kept = bytearray()
        with self._exchange(method, path, body, headers) as response:
            for chunk in _chunks(response, max_bytes):
                kept += chunk
            return Answer(status=response.status, headers=_headers(response), body=bytes(kept))

    def download(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        on_headers: Callable[[int, Mapping[str, str]], bool],
        on_chunk: Callable[[bytes], None],
    ) -> int:
        """One GET whose body is handed on as it comes, where ``on_headers`` wants it; gives the status.

        Raises:
            NetworkError: as ``ask``; what came before was handed on.
        """
        with self._exchange("GET", path, None, headers) as response:
            if on_headers(response.status, _headers(response)):
                for chunk in _chunks(response, max_bytes):
                    on_chunk(chunk)
            return response.status

    @contextmanager
    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connection()
        opened = ExitStack()
        overdue = threading.Event()
        sockets: list[socket.socket] = []

        def cut() -> None:
            overdue.set()
            # Wakes whoever waits for the next byte; closing alone would not.
            for each in sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(self._total_seconds, cut)
        watch.daemon = True
        watch.start()
        try:
            connection.connect()
            # The connection lets go of it where the answer ends with the connection.
            sockets.append(connection.sock)
            connection.request(
                method,
                f"{self.address.path}{path}",
                body=body,
                headers={"Accept-Encoding": "identity", "Connection": "close", **(headers or {})},
            )
            response = opened.enter_context(connection.getresponse())
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise NetworkError(
                    "the answer is encoded, expected it plain", code="network.answer"
                )
            yield response
            if overdue.is_set():
                raise self._too_slow()
        except TimeoutError as error:
            raise self._too_slow() from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if overdue.is_set():
                raise self._too_slow() from error
            raise NetworkError(
                f"{self.address.authority} could not be asked ({_reason(error)})",
                hint="is there a network, and does the service run?",
            ) from error
        finally:
            watch.cancel()
            opened.close()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if not self.address.is_tls:
            return http.client.HTTPConnection(host, port, timeout=self._silence_seconds)
        context = ssl.create_default_context() if self._tls is None else self._tls
        return http.client.HTTPSConnection(
            host, port, timeout=self._silence_seconds, context=context
        )

    def _too_slow(self) -> NetworkError:
        return NetworkError(
            f"{self.address.authority} answers too slowly",
            code="network.too-slow",
            hint="try again later; what was loaded of a bundle is kept",
        )


def _chunks(response: http.client.HTTPResponse, max_bytes: int) -> Iterator[bytes]:
    taken = 0
    expected = response.length
    while chunk := response.read1(_CHUNK):
        taken += len(chunk)
        if taken > max_bytes:
            raise NetworkError(
                f"the answer has more than {max_bytes} bytes", code="network.too-long"
            )
        yield chunk
    if expected is not None and taken != expected:
        raise NetworkError(
            f"the answer broke off after {taken} bytes, expected {expected}",
            hint="try again; what was loaded of a bundle is kept",
        )


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
