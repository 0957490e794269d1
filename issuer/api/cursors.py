"""Cursors: where a page of a list ends, sealed so that nobody reads a name out of it or makes one up.

A cursor opens only for the account, the list and the selection that it was given for.
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from issuer.api.problems import ApiError
from issuer.domain.rights import AccountName

__all__ = ["CURSOR_KEY_BYTES", "MAX_CURSOR_CHARACTERS", "CursorScope", "Cursors"]

CURSOR_KEY_BYTES: Final = 32
MAX_CURSOR_CHARACTERS: Final = 3000
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorScope:
    """Which list, for whom, of which selection."""

    listing: str
    account: AccountName
    selection: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """What the cursor is bound to."""
        text = json.dumps([self.listing, self.account, sorted(self.selection.items())])
        return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals and opens cursors (AES-256-GCM) under one key, which every process of the service shares."""

    key: bytes = field(repr=False)

    def seal(self, position: bytes, scope: CursorScope) -> str:
        """The cursor of a position."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + AESGCM(self.key).encrypt(nonce, position, scope.digest)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def open(self, cursor: str, scope: CursorScope) -> bytes:
        """The position of a cursor.

        Raises:
            ApiError: ``api.cursor-invalid``.
        """
        try:
            sealed = base64.b64decode(
                cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
            return AESGCM(self.key).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], scope.digest
            )
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise ApiError(
                "the cursor is not one that this list gave to this account",
                code="api.cursor-invalid",
                hint="begin at the first page",
            ) from error
