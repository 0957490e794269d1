"""Where the page for operators is: its origin and the relying party's identifier (W3C Web Authentication, 5.1.3)."""

import re
from dataclasses import dataclass
from typing import Final, Self

from pki.errors import PkiRefusedError

__all__ = ["OperatorPage"]

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?")
_LOCAL: Final = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPage:
    """Origin, as a browser writes it, and relying party: the origin's host or a domain that it stands in."""

    origin: str
    rp_id: str

    @classmethod
    def checked(cls, *, origin: str, rp_id: str | None = None) -> Self:
        """The page, once its origin can be one that WebAuthn works on; the host is the relying party by default.

        Raises:
            PkiRefusedError: ``webauthn.origin-invalid``.
        """
        found = _ORIGIN.fullmatch(origin)
        if found is None or not _HOST.fullmatch(found[2]):
            raise _invalid(
                f"origin is {origin[:100]!r}, expected https://HOST or https://HOST:PORT"
            )
        scheme, host, port = found.groups()
        # Browsers take a page in the clear for secure where it cannot have come over a network.
        if scheme != "https" and host != _LOCAL:
            raise _invalid(f"origin is {origin[:100]!r}, expected https")
        if port is not None and port == {"https": "443", "http": "80"}[scheme]:
            raise _invalid(f"origin is {origin[:100]!r}, expected it without the scheme's own port")
        wanted = host if rp_id is None else rp_id
        is_domain_of = host.endswith(f".{wanted}") and "." in wanted
        if not _HOST.fullmatch(wanted) or not (wanted == host or is_domain_of):
            raise _invalid(f"relying party is {wanted[:100]!r}, expected {host} or a domain of it")
        return cls(origin=origin, rp_id=wanted)


def _invalid(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="webauthn.origin-invalid")
