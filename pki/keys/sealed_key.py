"""One secret at rest: sealed with AES-256-GCM under a key that scrypt (RFC 7914) makes of a passphrase."""

import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pki.errors import KeystoreError

__all__ = ["SealedKey"]

_LOG2_N: Final = 15
"""32 MB and a tenth of a second for each guess at the passphrase."""

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MAX_SEALED_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A sealed secret with what is needed, beside the passphrase, to open it."""

    salt: bytes = field(repr=False)
    sealed: bytes = field(repr=False)

    @classmethod
    def seal(cls, secret: bytes, *, passphrase: str, purpose: str) -> Self:
        """Seal a secret for one purpose: under another purpose it does not open."""
        salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
        box = _stretch(passphrase, salt)
        return cls(salt=salt, sealed=nonce + box.encrypt(nonce, secret, purpose.encode()))

    def open(self, *, passphrase: str, purpose: str) -> bytes:
        """The secret.

        Raises:
            KeystoreError: ``keystore.passphrase-wrong``.
        """
        nonce, content = self.sealed[:_NONCE_BYTES], self.sealed[_NONCE_BYTES:]
        try:
            return _stretch(passphrase, self.salt).decrypt(nonce, content, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise KeystoreError(
                "the passphrase does not open the sealed key, or it was changed",
                code="keystore.passphrase-wrong",
            ) from error

    def to_json(self) -> dict[str, str | int]:
        """The sealed secret as it stands in a file."""
        return {
            "kdf": "scrypt",
            "log2_n": _LOG2_N,
            "salt": self.salt.hex(),
            "sealed": self.sealed.hex(),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            KeystoreError: ``keystore.damaged``.
        """
        form = value if isinstance(value, dict) else {}
        try:
            salt, sealed = bytes.fromhex(form["salt"]), bytes.fromhex(form["sealed"])
        except (KeyError, TypeError, ValueError) as error:
            raise KeystoreError("a sealed key cannot be read", code="keystore.damaged") from error
        if (form.get("kdf"), form.get("log2_n")) != ("scrypt", _LOG2_N):
            raise KeystoreError("a sealed key has another form", code="keystore.damaged")
        if len(salt) != _SALT_BYTES or not _NONCE_BYTES < len(sealed) <= _MAX_SEALED_BYTES:
            raise KeystoreError("a sealed key has another length", code="keystore.damaged")
        return cls(salt=salt, sealed=sealed)


def _stretch(passphrase: str, salt: bytes) -> AESGCM:
    scrypt = Scrypt(salt=salt, length=32, n=1 << _LOG2_N, r=8, p=1)
    return AESGCM(scrypt.derive(passphrase.encode()))
