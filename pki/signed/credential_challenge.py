"""A challenge for an operator's new credential: the file that the operator opens on the page for operators."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from pki.signed.webauthn import MAX_CREDENTIAL_ID_BYTES, WebauthnError

__all__ = ["CHALLENGE_BYTES", "MAX_CHALLENGE_FILE_BYTES", "CredentialChallenge"]

CHALLENGE_BYTES: Final = 32

MAX_CHALLENGE_FILE_BYTES: Final = 32_768
"""The longest file that is looked at; one that excludes eight credentials of the longest kind has 17 kB."""

_FORMAT: Final = 1
_MAX_USER_BYTES: Final = 64
_MAX_EXCLUDED: Final = 8
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialChallenge:
    """What the page asks the authenticator for; ``user`` is an opaque handle, ``exclude`` credentials that are there."""

    operator: str
    challenge: bytes
    user: bytes
    origin: str
    rp_id: str
    expires: datetime
    algorithms: tuple[int, ...]
    exclude: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The file."""
        content = {
            "format": _FORMAT,
            "kind": "operator credential challenge",
            "operator": self.operator,
            "challenge": self.challenge.hex(),
            "user": self.user.hex(),
            "origin": self.origin,
            "rp_id": self.rp_id,
            "expires": self.expires.strftime(_TIME_FORMAT),
            "algorithms": list(self.algorithms),
            "exclude": [each.hex() for each in self.exclude],
        }
        return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a file in the one encoding that ``to_bytes`` writes.

        Raises:
            WebauthnError: ``webauthn.malformed``.
        """
        if len(content) > MAX_CHALLENGE_FILE_BYTES:
            raise WebauthnError(
                f"challenge has {len(content)} bytes, expected at most {MAX_CHALLENGE_FILE_BYTES}"
            )
        try:
            found = json.loads(content)
            value = cls._of(found)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise WebauthnError(
                "challenge is not a file of operator credential challenge"
            ) from error
        is_bounded = (
            len(value.challenge) == CHALLENGE_BYTES
            and 1 <= len(value.user) <= _MAX_USER_BYTES
            and len(value.exclude) <= _MAX_EXCLUDED
            and all(1 <= len(each) <= MAX_CREDENTIAL_ID_BYTES for each in value.exclude)
        )
        if not is_bounded or value.to_bytes() != content:
            raise WebauthnError("challenge is not in the one encoding, or over its bounds")
        return value

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Self:
        return cls(
            operator=str(found["operator"]),
            challenge=bytes.fromhex(found["challenge"]),
            user=bytes.fromhex(found["user"]),
            origin=str(found["origin"]),
            rp_id=str(found["rp_id"]),
            expires=datetime.strptime(found["expires"], _TIME_FORMAT).replace(tzinfo=UTC),
            algorithms=tuple(int(each) for each in found["algorithms"]),
            exclude=tuple(bytes.fromhex(each) for each in found["exclude"]),
        )
