"""A process of its own for the keys: it opens one keystore, signs what it is told, and does nothing else.

The PKCS#11 library lives and dies there, while the process that keeps the journal composes the next cards. The two
are joined by a socket pair; the PIN comes through it. The keys' process ends when the other end closes, however
that came about, and until then it holds what it inherited: the lock on the journal, so that no second process can
open the token while it is still at work.

Frames have a length of four bytes before them. The first carries the keystore's directory and PIN, every other one
a letter: ``P`` for a public key, ``S`` for signatures over messages, ``D`` for keys derived from master keys.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from pki.errors import KeystoreError, PkiError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.derivation import Derivation
from pki.keys.keystore import Keystore
from pki.keys.open import open_keystore
from pki.keys.process_protection import protect_memory

__all__ = ["TokenProcess", "TokenProcessSigner", "main"]

_MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
_BUFFER_BYTES: Final = 512 * 1024
_LENGTH: Final = struct.Struct(">I")
_SHORT: Final = struct.Struct(">H")
_PUBLIC_KEY: Final = b"P"
_SIGN: Final = b"S"
_DERIVE: Final = b"D"
_DONE: Final = b"\x00"
_FAILED: Final = b"\x01"
_OPENING_SECONDS: Final = 60.0


class TokenProcess:
    """The end of the process that gives orders; used by one thread."""

    def __init__(self, directory: Path, *, pin: str, inherited: Sequence[int] = ()) -> None:
        """Start the process and have it open the keystore; it inherits the descriptors in ``inherited``.

        Raises:
            KeystoreError: as ``open_keystore``; ``keystore.process-failed``.
        """
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-m", "pki.keys.token_process", str(theirs.fileno())],
                pass_fds=(theirs.fileno(), *inherited),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._socket = ours
        try:
            ours.settimeout(_OPENING_SECONDS)
            opening = {"keystore": str(directory.resolve()), "pin": pin}
            self._ask(json.dumps(opening).encode())
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor that is readable when ``collect`` will not wait."""
        return self._socket.fileno()

    def signer(self, key_id: str) -> "TokenProcessSigner":
        """A key to sign with; only while nothing that was submitted is left to be collected.

        Raises:
            KeystoreError: ``keystore.key-unknown``, ``keystore.key-damaged``, ``keystore.process-failed``.
        """
        encoded = self._ask(_PUBLIC_KEY + key_id.encode())
        try:
            public_key = load_der_public_key(encoded)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _gone() from error
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise _gone()
        return TokenProcessSigner(process=self, key_id=key_id, public_key=public_key)

    def submit(self, key_id: str, messages: Sequence[bytes]) -> None:
        """Ask for signatures over messages; the answers are collected in the order of asking.

        Raises:
            KeystoreError: ``keystore.process-failed``.
        """
        name = key_id.encode()
        parts = [_SIGN, _SHORT.pack(len(name)), name]
        for message in messages:
            parts += (_SHORT.pack(len(message)), message)
        self._send(b"".join(parts))

    def submit_derivations(self, derivations: Sequence[Derivation]) -> None:
        """Ask for derived keys, which are collected like signatures.

        Raises:
            KeystoreError: ``keystore.process-failed``.
        """
        parts = [_DERIVE]
        for each in derivations:
            for part in (each.key_id.encode(), each.label, each.context, bytes((each.length,))):
                parts += (_SHORT.pack(len(part)), part)
        self._send(b"".join(parts))

    def collect(self) -> list[bytes]:
        """The DER signatures, or the keys, for the oldest ``submit`` that was not collected yet.

        Raises:
            KeystoreError: the key failed, and the process goes on; ``keystore.process-failed``: it is gone.
        """
        return list(_split(self._receive(), 0))

    def close(self) -> None:
        """End the process and wait for it; closing twice is harmless."""
        self._socket.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            # A library that hangs must not hold the lock for ever.
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, content: bytes) -> bytes:
        self._send(content)
        return self._receive()

    def _send(self, content: bytes) -> None:
        try:
            self._socket.sendall(_LENGTH.pack(len(content)) + content)
        except OSError as error:
            raise _gone() from error

    def _receive(self) -> bytes:
        try:
            content = _read_frame(self._socket)
        except OSError as error:
            raise _gone() from error
        if content is None or not content:
            raise _gone()
        if content[:1] == _DONE:
            return content[1:]
        try:
            message, code, hint = json.loads(content[1:])
        except ValueError as error:
            raise _gone() from error
        raise KeystoreError(message, code=code, hint=hint)


class TokenProcessSigner:
    """A ``Signer`` whose key is in the other process."""

    def __init__(
        self, *, process: TokenProcess, key_id: str, public_key: ec.EllipticCurvePublicKey
    ) -> None:
        self._process = process
        self._key_id = key_id
        self._public_key = public_key
        self._algorithm = SignatureAlgorithm.for_curve(public_key.curve)

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm that fits the key's curve."""
        return self._algorithm

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """A DER signature over ``message``; only while nothing else is under way."""
        self._process.submit(self._key_id, [message])
        return self._process.collect()[0]


def main(descriptor: int) -> int:
    """The process itself: serve the other end until it closes."""
    # Whoever stops both from a terminal means the other one, which lets us finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    protect_memory(for_good=True)
    with socket.socket(fileno=descriptor) as connection:
        connection.settimeout(None)
        opening = _read_frame(connection)
        if opening is None:
            return 0
        where = json.loads(opening)
        try:
            keystore = open_keystore(Path(where["keystore"]), pin=where["pin"])
        except PkiError as error:
            _answer(connection, _failure(error))
            return 2
        _answer(connection, _DONE)
        signers = {}
        try:
            while (frame := _read_frame(connection)) is not None:
                try:
                    letter, rest = frame[:1], frame[1:]
                    if letter == _PUBLIC_KEY:
                        key_id = rest.decode()
                        signers[key_id] = keystore.signer(key_id)
                        answer = _DONE + signers[key_id].public_key.public_bytes(
                            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
                        )
                    elif letter == _DERIVE:
                        answer = _derive(keystore, rest)
                    else:
                        size = _SHORT.unpack_from(rest)[0]
                        sign = signers[rest[2 : 2 + size].decode()].sign
                        parts = [_DONE]
                        for message in _split(rest, 2 + size):
                            signature = sign(message)
                            parts += (_SHORT.pack(len(signature)), signature)
                        answer = b"".join(parts)
                except PkiError as error:
                    answer = _failure(error)
                _answer(connection, answer)
        except (BrokenPipeError, ConnectionResetError):
            # The other end was killed: nobody waits for an answer.
            pass
        finally:
            keystore.close()
    return 0


def _derive(keystore: Keystore, content: bytes) -> bytes:
    """The answer to ``submit_derivations``: four pieces name each key."""
    pieces = list(_split(content, 0))
    parts = [_DONE]
    for position in range(0, len(pieces), 4):
        key_id, label, context, length = pieces[position : position + 4]
        derived = keystore.derive(key_id.decode(), label=label, context=context, length=length[0])
        parts += (_SHORT.pack(len(derived)), derived)
    return b"".join(parts)


def _read_frame(connection: socket.socket) -> bytes | None:
    """One frame, or ``None`` where the other end has closed."""
    head = _read_exactly(connection, _LENGTH.size)
    if head is None:
        return None
    length = _LENGTH.unpack(head)[0]
    if length > _MAX_FRAME_BYTES:
        raise ConnectionResetError
    return _read_exactly(connection, length)


def _read_exactly(connection: socket.socket, count: int) -> bytes | None:
    buffer = bytearray(count)
    view = memoryview(buffer)
    filled = 0
    while filled < count:
        received = connection.recv_into(view[filled:])
        if not received:
            return None
        filled += received
    return bytes(buffer)


def _split(content: bytes, position: int) -> Iterator[bytes]:
    """Pieces with a length of two bytes before each; both ends are ours."""
    while position < len(content):
        length = _SHORT.unpack_from(content, position)[0]
        position += _SHORT.size
        yield content[position : position + length]
        position += length


def _answer(connection: socket.socket, content: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(content)) + content)


def _failure(error: PkiError) -> bytes:
    return _FAILED + json.dumps([str(error), error.code, error.hint]).encode()


def _gone() -> KeystoreError:
    return KeystoreError(
        "the process that holds the keys has ended", code="keystore.process-failed"
    )


if __name__ == "__main__":
    status = main(int(sys.argv[1]))
    sys.stdout.flush()
    # The PKCS#11 library's own exit handlers have nothing left to do, and some of them hang.
    os._exit(status)
