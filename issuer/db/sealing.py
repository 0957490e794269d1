"""Sealing of what the database must not show: AES-256-GCM, bound to the row and the column (NIST SP 800-38D)."""

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from issuer.errors import IssuerUnavailableError

__all__ = ["SEALING_KEY_BYTES", "Sealer"]

SEALING_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Two keys of 32 bytes: one encrypts, the other makes digests by which secrets are kept unique."""

    encryption_key: bytes = field(repr=False)
    digest_key: bytes = field(repr=False)
    # Setting up the cipher and the keyed hash costs more than a short value does, so they are kept.
    _cipher: AESGCM = field(init=False, repr=False, compare=False)
    _keyed_hash: hmac.HMAC = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESGCM(self.encryption_key))
        object.__setattr__(self, "_keyed_hash", hmac.new(self.digest_key, digestmod="sha256"))

    def seal(self, plain: bytes, *, purpose: str, row: bytes) -> bytes:
        """Nonce, ciphertext and tag; it opens only with the same ``purpose`` and ``row``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _context(purpose, row))

    def seal_all(
        self, texts: Iterable[str | None], *, purpose: str, rows: Sequence[bytes]
    ) -> list[bytes | None]:
        """Seal one text of each row as ``seal`` does; nothing stays nothing.

        The nonces are drawn together: to ask the system for each costs nearly as much as sealing does.
        """
        drawn = secrets.token_bytes(_NONCE_BYTES * len(rows))
        nonces = (drawn[at : at + _NONCE_BYTES] for at in range(0, len(drawn), _NONCE_BYTES))
        prefix, encrypt = _prefix(purpose), self._cipher.encrypt
        return [
            None if text is None else nonce + encrypt(nonce, text.encode(), prefix + row)
            for text, row, nonce in zip(texts, rows, nonces, strict=True)
        ]

    def open(self, sealed: bytes, *, purpose: str, row: bytes) -> bytes:
        """What was sealed.

        Raises:
            IssuerUnavailableError: it was altered, moved from another row, or sealed under another key
                (``production.seal-broken``).
        """
        return self.opener(purpose)(sealed, row)

    def opener(self, purpose: str) -> Callable[[bytes, bytes], bytes]:
        """``open`` for many values of one purpose, each with its row: what they have in common is looked up once."""
        prefix, decrypt = _prefix(purpose), self._cipher.decrypt

        def opened(sealed: bytes, row: bytes) -> bytes:
            try:
                return decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], prefix + row)
            except (InvalidTag, ValueError) as error:
                raise IssuerUnavailableError(
                    f"the sealed {purpose} of {row.hex()} cannot be opened with this keystore",
                    code="production.seal-broken",
                ) from error

        return opened

    def digest(self, value: str, *, purpose: str) -> bytes:
        """A keyed SHA-256 that tells whether a secret was used before, and nothing else."""
        keyed = self._keyed_hash.copy()
        keyed.update(_context(purpose, value.encode()))
        return keyed.digest()


def _context(purpose: str, row: bytes) -> bytes:
    return _prefix(purpose) + row


@lru_cache(maxsize=256)
def _prefix(purpose: str) -> bytes:
    return purpose.encode("ascii") + b"\x00"
