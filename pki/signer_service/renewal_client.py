"""Asking the signer process for a terminal's next certificate: one connection, one question, one answer."""

import socket
from pathlib import Path
from typing import Final

from pki.errors import KeystoreError, PkiRefusedError
from pki.signer_service.protocol import (
    LENGTH_BYTES,
    MAX_ANSWER_BYTES,
    MAX_CV_REQUEST_BYTES,
    RenewRequest,
    frame,
    frame_length,
    read_renewed,
)

__all__ = ["renew_over_socket"]

_TIMEOUT_SECONDS: Final = 15.0


def renew_over_socket(path: Path, request: bytes, *, timeout: float = _TIMEOUT_SECONDS) -> bytes:
    """The terminal's next CV certificate.

    Raises:
        PkiRefusedError, PkiDataError: the signer refuses the request.
        KeystoreError: ``signer.unreachable``: ask again with the same request.
        RecordError: the signer's journal failed.
    """
    if len(request) > MAX_CV_REQUEST_BYTES:
        raise PkiRefusedError(
            f"the request has {len(request)} bytes, expected at most {MAX_CV_REQUEST_BYTES}",
            code="signing.request-invalid",
        )
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(frame(RenewRequest(request=request).to_bytes()))
            head = _receive(connection, LENGTH_BYTES)
            content = _receive(connection, frame_length(head, maximum=MAX_ANSWER_BYTES))
    except OSError as error:
        raise KeystoreError(
            f"the signer cannot be reached: {error.strerror or 'no answer in time'}",
            code="signer.unreachable",
            hint="membercard-pki --home DIR signer serve --socket PATH",
        ) from error
    return read_renewed(content)


def _receive(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionResetError(0, "it closed the connection")
        received += part
    return bytes(received)
