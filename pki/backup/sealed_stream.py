"""A stream that only a passphrase opens: scrypt, then AES-256-GCM in chunks whose order and end are authenticated.

    "membercard-pki backup 1" LF | scrypt's log2(N), 1 byte | salt, 16 bytes | HMAC-SHA-256 of these, 32 bytes
    chunks: 65536 bytes of content (the last one 0 to 65536) and a tag of 16 bytes, each

A chunk's nonce is its number (11 bytes) and 1 for the last one, else 0 (the STREAM construction), so that chunks cannot
be left out, moved, repeated or cut off at the end. The HMAC tells a wrong passphrase from damage.
"""

from typing import BinaryIO, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pki.errors import PkiDataError, PkiRefusedError

__all__ = ["DEFAULT_COST", "MIN_COST", "SealedReader", "SealedWriter"]

DEFAULT_COST: Final = 17
"""log2(N) of scrypt: 128 MiB of memory for each guess."""

MIN_COST: Final = 15
_MAX_COST: Final = 20
_MAGIC: Final = b"membercard-pki backup 1\n"
"""The PKI's own backups; another product's stream has another line of the same length."""

_SALT_BYTES: Final = 16
_MAC_BYTES: Final = 32
_HEADER_BYTES: Final = len(_MAGIC) + 1 + _SALT_BYTES
_CHUNK_BYTES: Final = 65536
_TAG_BYTES: Final = 16


class SealedWriter:
    """Seals what is written to it; only ``finish`` makes the stream whole."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        passphrase: bytes,
        salt: bytes,
        cost: int = DEFAULT_COST,
        magic: bytes = _MAGIC,
    ) -> None:
        """Begin a stream; ``salt`` is 16 random bytes that were never used before."""
        if (
            len(salt) != _SALT_BYTES
            or len(magic) != len(_MAGIC)
            or not MIN_COST <= cost <= _MAX_COST
        ):
            raise ValueError(f"got a salt of {len(salt)} bytes and a cost of {cost}")
        self._file = file
        self._header = magic + bytes([cost]) + salt
        self._cipher, mac = _open_key(self._header, passphrase)
        self._number = 0
        self._waiting = bytearray()
        file.write(self._header + mac.finalize())

    def write(self, content: bytes) -> None:
        """Seal some bytes."""
        self._waiting += content
        while len(self._waiting) > _CHUNK_BYTES:
            self._seal(bytes(self._waiting[:_CHUNK_BYTES]), is_last=False)
            del self._waiting[:_CHUNK_BYTES]

    def finish(self) -> None:
        """Seal the last chunk; nothing may be written after it."""
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _seal(self, content: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._file.write(self._cipher.encrypt(nonce, content, self._header))
        self._number += 1


class SealedReader:
    """Opens a sealed stream; every byte that it gives out is authenticated."""

    def __init__(self, file: BinaryIO, *, passphrase: bytes, magic: bytes = _MAGIC) -> None:
        """Read the head of a stream.

        Raises:
            PkiDataError: ``backup.malformed``: it is no backup.
            PkiRefusedError: ``backup.passphrase-wrong``.
        """
        self._file = file
        self._header = file.read(_HEADER_BYTES)
        stated = file.read(_MAC_BYTES)
        if len(stated) != _MAC_BYTES or not self._header.startswith(magic):
            raise PkiDataError(
                f"the file does not begin as a backup does, expected {magic.decode().strip()!r}",
                code="backup.malformed",
            )
        cost = self._header[len(_MAGIC)]
        if not MIN_COST <= cost <= _MAX_COST:
            raise PkiDataError(
                f"scrypt's cost is {cost}, expected {MIN_COST} to {_MAX_COST}",
                code="backup.malformed",
            )
        self._cipher, mac = _open_key(self._header, passphrase)
        try:
            mac.verify(stated)
        except InvalidSignature as error:
            raise PkiRefusedError(
                "the passphrase is not the backup's, or its head was changed",
                code="backup.passphrase-wrong",
            ) from error
        self._number = 0
        self._opened = bytearray()
        self._sealed = file.read(_CHUNK_BYTES + _TAG_BYTES)
        self._is_ended = False

    def read(self, count: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            PkiDataError: ``backup.damaged``: the stream was changed or cut, or holds fewer.
        """
        while len(self._opened) < count:
            if self._is_ended:
                raise _damaged(f"it ends {count - len(self._opened)} bytes too early")
            self._open_chunk()
        content = bytes(self._opened[:count])
        del self._opened[:count]
        return content

    def expect_end(self) -> None:
        """Make sure that nothing follows.

        Raises:
            PkiDataError: ``backup.damaged``.
        """
        while not self._is_ended:
            self._open_chunk()
        if self._opened:
            raise _damaged("it holds more than its manifest says")

    def _open_chunk(self) -> None:
        following = self._file.read(_CHUNK_BYTES + _TAG_BYTES)
        self._is_ended = not following
        nonce = _nonce(self._number, is_last=self._is_ended)
        try:
            self._opened += self._cipher.decrypt(nonce, self._sealed, self._header)
        except InvalidTag as error:
            raise _damaged(f"chunk {self._number} was changed, moved or cut off") from error
        self._number += 1
        self._sealed = following


def _open_key(header: bytes, passphrase: bytes) -> tuple[AESGCM, HMAC]:
    cost, salt = header[len(_MAGIC)], header[len(_MAGIC) + 1 :]
    keys = Scrypt(salt=salt, length=64, n=1 << cost, r=8, p=1).derive(passphrase)
    mac = HMAC(keys[32:], SHA256())
    mac.update(header)
    return AESGCM(keys[:32]), mac


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _damaged(reason: str) -> PkiDataError:
    return PkiDataError(
        f"the backup is damaged: {reason}",
        code="backup.damaged",
        hint="take another backup, and find out what happened to this one",
    )
