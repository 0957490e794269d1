"""A challenge for an operator's new credential: the file that the operator opens on the page for operators."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = ["CHALLENGE_BYTES", "CredentialChallenge"]

CHALLENGE_BYTES: Final = 32

_FORMAT: Final = 1
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
