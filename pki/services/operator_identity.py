"""Who calls: an operator's certificate, judged again by us, against the journal's projection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pki.certificates.certificate import CertificateError
from pki.certificates.operator_certificates import check_operator_certificate
from pki.certificates.operator_roles import OperatorRole, decode_roles
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.services.look_up import LookUp

__all__ = [
    "ASKING_ROLES",
    "DECIDING_ROLES",
    "MAX_CLIENT_CERTIFICATE_BYTES",
    "CallingOperator",
    "identify_operator",
    "require_role",
]

MAX_CLIENT_CERTIFICATE_BYTES: Final = 4096
ASKING_ROLES: Final = frozenset({OperatorRole.REGISTRAR, OperatorRole.OFFICER})
DECIDING_ROLES: Final = frozenset({OperatorRole.OFFICER})

_ROOTS: Final = ("service-root", "operator-root")
"""The root of services and operators, and the one of operators alone that homes had before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingOperator:
    """An operator in good standing, by the name under which the journal knows the certificate."""

    name: str
    roles: frozenset[OperatorRole]
    certificate: bytes = field(repr=False)


def identify_operator(
    certificate: bytes, *, look_up: LookUp, now: Callable[[], datetime]
) -> CallingOperator:
    """The operator whose certificate this is.

    The certificate must be one that the journal holds, byte for byte; it is not enough that the root signed it.

    Raises:
        PkiRefusedError: ``operator.certificate-invalid``, ``operator.expired``, ``operator.unknown``,
            ``operator.revoked``.
    """
    if len(certificate) > MAX_CLIENT_CERTIFICATE_BYTES:
        raise PkiRefusedError(
            f"the client's certificate has {len(certificate)} bytes, "
            f"expected at most {MAX_CLIENT_CERTIFICATE_BYTES}",
            code="operator.certificate-invalid",
        )
    newest = (look_up.newest_certificate(kind) for kind in _ROOTS)
    roots = [root.der for root in newest if root is not None]
    if not roots:
        raise PkiRefusedError(
            "there are no operators yet",
            code="operator.unknown",
            hint="membercard-pki operator enrol NAME --role officer --request FILE",
        )
    try:
        judged = check_operator_certificate(certificate, roots=roots, now=now())
        roles = decode_roles(judged.extensions)
    except (CertificateError, PkiDataError) as error:
        raise PkiRefusedError(
            f"the client's certificate cannot be read: {error}",
            code="operator.certificate-invalid",
        ) from error
    found = look_up.certificate(HashAlgorithm.SHA256.digest(certificate))
    if found is None or found.kind != "operator":
        raise PkiRefusedError("the client's certificate is not on record", code="operator.unknown")
    if found.revoked_at is not None:
        raise PkiRefusedError(
            f"operator {found.name} was revoked at {found.revoked_at:%Y-%m-%d %H:%M:%S}Z",
            code="operator.revoked",
        )
    return CallingOperator(name=found.name, roles=roles, certificate=certificate)


def require_role(operator: CallingOperator, allowed: frozenset[OperatorRole]) -> None:
    """Whether the operator has one of the roles.

    Raises:
        PkiRefusedError: ``operator.role-missing``.
    """
    if not operator.roles & allowed:
        raise PkiRefusedError(
            f"{operator.name} has the roles {sorted(operator.roles)}, expected one of {sorted(allowed)}",
            code="operator.role-missing",
        )
