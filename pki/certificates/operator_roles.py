"""What an operator may do through the API: roles as certificate policies of the operator's certificate (RFC 5280, 4.2.1.4)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.certificate import Extension

__all__ = ["OperatorRole", "decode_roles", "policies_of"]

_ARC: Final = "1.3.6.1.4.1.32473.51.5"


class OperatorRole(StrEnum):
    """A role; one person may have several, and still decides on nobody's own request."""

    AUDITOR = "auditor"
    """Reads everything, log proofs included."""

    REGISTRAR = "registrar"
    """Reads, and asks for things."""

    OFFICER = "officer"
    """Reads, asks, and decides on what others asked for."""


_POLICIES: Final[Mapping[OperatorRole, str]] = {
    OperatorRole.AUDITOR: f"{_ARC}.1",
    OperatorRole.REGISTRAR: f"{_ARC}.2",
    OperatorRole.OFFICER: f"{_ARC}.3",
}


def policies_of(roles: frozenset[OperatorRole]) -> tuple[str, ...]:
    """The certificate policies of roles, object identifiers."""
    return tuple(_POLICIES[role] for role in OperatorRole if role in roles)


def decode_roles(extensions: Mapping[str, Extension]) -> frozenset[OperatorRole]:
    """The roles of a certificate; none where it has no such policy.

    Raises:
        CertificateError: the extension is malformed.
    """
    policies = ext.decode_policies(extensions)
    return frozenset(role for role, oid in _POLICIES.items() if oid in policies)
