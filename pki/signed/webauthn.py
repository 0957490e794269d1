"""What browser and authenticator say in WebAuthn, read strictly (W3C Web Authentication, 5.8.1 and 6.1).

Nothing here judges. No CBOR is read here: the signer process needs none of it for an assertion.
"""

import base64
import binascii
import json
import struct
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import Any, Final, Self

from pki.errors import PkiDataError

__all__ = [
    "MAX_AUTHENTICATOR_DATA_BYTES",
    "MAX_CLIENT_DATA_BYTES",
    "MAX_CREDENTIAL_ID_BYTES",
    "MAX_WEBAUTHN_SIGNATURE_BYTES",
    "AuthenticatorData",
    "CeremonyType",
    "ClientData",
    "WebauthnError",
    "decode_base64url",
    "encode_base64url",
]

MAX_CREDENTIAL_ID_BYTES: Final = 1023
"""W3C Web Authentication, 4 (credential ID)."""

MAX_CLIENT_DATA_BYTES: Final = 1024
MAX_AUTHENTICATOR_DATA_BYTES: Final = 512
MAX_WEBAUTHN_SIGNATURE_BYTES: Final = 512
"""An RSA signature of 4096 bits."""

_HEAD: Final = struct.Struct(">32sBI")
_MAX_ORIGIN_CHARACTERS: Final = 300


class WebauthnError(PkiDataError):
    """Bytes that no browser or authenticator makes."""

    default_code = "webauthn.malformed"


class CeremonyType(StrEnum):
    """What the browser was asked for (5.8.1)."""

    CREATE = "webauthn.create"
    GET = "webauthn.get"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientData:
    """The client data (5.8.1); ``is_framed`` where a page of another origin had it inside, or may have."""

    ceremony: str
    challenge: bytes
    origin: str
    is_framed: bool

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read clientDataJSON; members that are not known are allowed, as the standard demands.

        Raises:
            WebauthnError: ``webauthn.malformed``.
        """
        if len(content) > MAX_CLIENT_DATA_BYTES:
            raise WebauthnError(
                f"client data have {len(content)} bytes, expected at most {MAX_CLIENT_DATA_BYTES}"
            )
        try:
            found = json.loads(content.decode("utf-8"), object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise WebauthnError("client data are not JSON with each member once") from error
        if not isinstance(found, dict):
            raise WebauthnError("client data are no JSON object")
        ceremony, challenge, origin = (found.get(key) for key in ("type", "challenge", "origin"))
        is_framed = found.get("crossOrigin", False)
        if (
            not isinstance(ceremony, str)
            or not isinstance(challenge, str)
            or not isinstance(origin, str)
            or not isinstance(is_framed, bool)
            or len(origin) > _MAX_ORIGIN_CHARACTERS
        ):
            raise WebauthnError("client data lack type, challenge or origin")
        return cls(
            ceremony=ceremony,
            challenge=decode_base64url(challenge),
            origin=origin,
            is_framed=is_framed or "topOrigin" in found,
        )


class _Flag(IntFlag):
    """6.1."""

    USER_PRESENT = 0x01
    USER_VERIFIED = 0x04
    BACKUP_ELIGIBLE = 0x08
    BACKUP_STATE = 0x10
    ATTESTED_CREDENTIAL_DATA = 0x40
    EXTENSION_DATA = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """The head of the authenticator data (6.1); ``counter`` is 0 where the authenticator does not count."""

    rp_id_hash: bytes = field(repr=False)
    is_user_present: bool
    is_user_verified: bool
    counter: int

    @classmethod
    def of_assertion(cls, content: bytes) -> Self:
        """Read an assertion's: no credential stands in it; extensions are signed with the rest and mean nothing here.

        Raises:
            WebauthnError: ``webauthn.malformed``.
        """
        if not _HEAD.size <= len(content) <= MAX_AUTHENTICATOR_DATA_BYTES:
            raise WebauthnError(
                f"authenticator data have {len(content)} bytes, "
                f"expected {_HEAD.size} to {MAX_AUTHENTICATOR_DATA_BYTES}"
            )
        rp_id_hash, octet, counter = _HEAD.unpack_from(content)
        flags = _Flag(octet)
        has_more = len(content) > _HEAD.size
        if (
            octet & ~sum(_Flag)
            or _Flag.ATTESTED_CREDENTIAL_DATA in flags
            or has_more != (_Flag.EXTENSION_DATA in flags)
            # 6.1.3: what is backed up can be.
            or (_Flag.BACKUP_STATE in flags and _Flag.BACKUP_ELIGIBLE not in flags)
        ):
            raise WebauthnError(f"authenticator data have flags {octet:02x}, not an assertion's")
        return cls(
            rp_id_hash=rp_id_hash,
            is_user_present=_Flag.USER_PRESENT in flags,
            is_user_verified=_Flag.USER_VERIFIED in flags,
            counter=counter,
        )


def encode_base64url(content: bytes) -> str:
    """RFC 4648, 5, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """The bytes, of their one text alone.

    Raises:
        WebauthnError: ``webauthn.malformed``.
    """
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise WebauthnError("a value is not base64url") from error
    if encode_base64url(content) != text:
        raise WebauthnError("a value is not in its one base64url text")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found
