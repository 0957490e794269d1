"""One question to the signer process, and its answer, on a connection of its own."""

import socket
from pathlib import Path

from pki.errors import KeystoreError
from pki.signer_service.frames import LENGTH_BYTES, frame, frame_length
from pki.signer_service.protocol import MAX_ANSWER_BYTES

__all__ = ["ask_once"]


def ask_once(path: Path, request: bytes, *, timeout: float) -> bytes:
    """The content of the answer.

    Raises:
        KeystoreError: ``signer.unreachable``.
        ProtocolError: ``protocol.frame-length``.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(frame(request))
            head = _receive(connection, LENGTH_BYTES)
            return _receive(connection, frame_length(head, maximum=MAX_ANSWER_BYTES))
    except OSError as error:
        raise KeystoreError(
            f"the signer cannot be reached: {error.strerror or 'no answer in time'}",
            code="signer.unreachable",
            hint="membercard-pki --home DIR signer serve --socket PATH",
        ) from error


def _receive(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionResetError(0, "it closed the connection")
        received += part
    return bytes(received)
