"""A ``DocumentSigner`` behind a Unix socket: what an issuer uses, so that no key is in its process."""

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pki.errors import KeystoreError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.services.document_signer import SigningRequest
from pki.services.wrapping import WrappingRequest
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.chip_keys import MAX_CHIPS
from pki.signer_service.frames import LENGTH_BYTES, frame, frame_length
from pki.signer_service.protocol import (
    MAX_ANSWER_BYTES,
    MAX_CARDS_IN_REQUEST,
    MAX_REQUEST_BYTES,
    AuthorisedAnswer,
    AuthoriseRequest,
    SignRequest,
    WrapRequest,
    read_signed,
    read_wrapped,
)

__all__ = ["SocketDocumentSigner"]

_TIMEOUT_SECONDS: Final = 60.0


class SocketDocumentSigner:
    """A connection to the signer process, for one batch; used by one thread; a context manager."""

    def __init__(
        self, path: Path, *, authorisation: bytes, timeout: float = _TIMEOUT_SECONDS
    ) -> None:
        """Connect, and present the bytes of a batch authorisation's file.

        Raises:
            AuthorisationError: ``authorisation.malformed``.
            KeystoreError: ``signer.unreachable``.
            PkiError: the signer refuses the authorisation, or this process.
        """
        BatchAuthorisation.from_bytes(authorisation)
        self._path = path
        self._socket: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._connect(self._socket)
            answer = self._ask(AuthoriseRequest(authorisation=authorisation).to_bytes())
            self._authorised = AuthorisedAnswer.from_bytes(answer)
        except BaseException:
            self.close()
            raise

    @property
    def authorised(self) -> AuthorisedAnswer:
        """What stands behind the batch, as of the beginning."""
        return self._authorised

    @property
    def hash_algorithm(self) -> HashAlgorithm:
        """The hash of the signer's key."""
        return self._authorised.hash_algorithm

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""
        return self._authorised.certificate

    def sign(self, request: SigningRequest) -> bytes:
        """One security object; see ``sign_many``."""
        return self.sign_many([request])[0]

    def sign_many(self, requests: Sequence[SigningRequest]) -> list[bytes]:
        """At most 500 security objects, in the same order; all are checked before any is recorded or signed.

        Raises:
            PkiRefusedError: nothing was signed.
            KeystoreError: ``signer.unreachable``: whether the references count as used is unknown.
            RecordError, PkiDataError: the same.
        """
        if not requests:
            return []
        if len(requests) > MAX_CARDS_IN_REQUEST:
            raise PkiRefusedError(
                f"got {len(requests)} cards at once, expected at most {MAX_CARDS_IN_REQUEST}",
                code="signing.request-invalid",
            )
        content = SignRequest(batch=self._authorised.batch, cards=requests).to_bytes()
        if len(content) > MAX_REQUEST_BYTES:
            raise PkiRefusedError(
                f"the request has {len(content)} bytes, expected at most {MAX_REQUEST_BYTES}",
                code="signing.request-invalid",
            )
        return read_signed(self._ask(content), expected=len(requests))

    def wrap(
        self, serials: Sequence[bytes], *, station: bytes, transport: int | None = None
    ) -> bytes:
        """The keys of at most 500 chips, sealed to a station's certificate (DER): the file's content.

        Raises:
            PkiRefusedError: nothing was recorded or sealed.
            KeystoreError: ``signer.unreachable``: whether the chips count as given away is unknown.
            RecordError, PkiDataError: the same.
        """
        wrapping = WrappingRequest(
            batch=self._authorised.batch, station=station, serials=serials, transport=transport
        )
        if not 1 <= len(serials) <= MAX_CHIPS:
            raise PkiRefusedError(
                f"got {len(serials)} chips at once, expected 1 to {MAX_CHIPS}",
                code="chip-keys.request-invalid",
            )
        return read_wrapped(self._ask(WrapRequest(wrapping=wrapping).to_bytes()))

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self, connection: socket.socket) -> None:
        try:
            connection.connect(str(self._path))
        except OSError as error:
            raise self._unreachable(error.strerror or "no answer in time") from error

    def _ask(self, content: bytes) -> bytes:
        """One question, one answer; a connection that failed is not used again."""
        if self._socket is None:
            raise self._unreachable("the connection is closed")
        try:
            # A signer that closed may have said why before it did.
            with contextlib.suppress(BrokenPipeError):
                self._socket.sendall(frame(content))
            head = self._receive(LENGTH_BYTES)
            return self._receive(frame_length(head, maximum=MAX_ANSWER_BYTES))
        except OSError as error:
            self.close()
            raise self._unreachable(error.strerror or "no answer in time") from error
        except BaseException:
            # An answer that was not read would be taken for the answer to the next question.
            self.close()
            raise

    def _receive(self, count: int) -> bytes:
        if self._socket is None:
            raise self._unreachable("the connection is closed")
        buffer = bytearray(count)
        view = memoryview(buffer)
        filled = 0
        while filled < count:
            received = self._socket.recv_into(view[filled:])
            if not received:
                raise ConnectionResetError(0, "it closed the connection")
            filled += received
        return bytes(buffer)

    def _unreachable(self, reason: str) -> KeystoreError:
        return KeystoreError(
            f"the signer at {self._path} cannot be reached: {reason}",
            code="signer.unreachable",
            hint="membercard-pki --home DIR signer serve --socket PATH",
        )
