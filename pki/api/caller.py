"""Who calls: the certificate that the proxy saw in the TLS handshake, judged again by us."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Depends, Request

from pki.api.ports import ApiServices, CertificateHeader
from pki.api.problems import ApiError
from pki.certificates.operator_roles import OperatorRole
from pki.services.operator_identity import (
    ASKING_ROLES,
    DECIDING_ROLES,
    MAX_CLIENT_CERTIFICATE_BYTES,
    CallingOperator,
    identify_operator,
    require_role,
)

__all__ = [
    "AnyOperator",
    "Asker",
    "Auditor",
    "Decider",
    "Reader",
    "Services",
    "certificate_in_header",
]

_MAX_HEADER_CHARACTERS: Final = 3 * MAX_CLIENT_CERTIFICATE_BYTES


def _services(request: Request) -> ApiServices:
    services: ApiServices = request.app.state.services
    return services


Services = Annotated[ApiServices, Depends(_services)]


def certificate_in_header(header: CertificateHeader, values: list[str]) -> bytes:
    """The client's certificate, DER.

    Raises:
        ApiError: ``api.client-certificate-missing``, ``api.client-certificate-malformed``.
    """
    given = [value for value in values if value]
    if not given:
        raise ApiError(
            "there is no client certificate, expected an operator's",
            code="api.client-certificate-missing",
        )
    if len(given) != 1 or len(given[0]) > _MAX_HEADER_CHARACTERS:
        raise _malformed()
    try:
        if header is CertificateHeader.CLIENT_CERT:
            return _between_colons(given[0])
        return _escaped(given[0])
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error


def _between_colons(value: str) -> bytes:
    """A Byte Sequence of RFC 8941, 3.3.5."""
    if len(value) < 3 or value[0] != ":" or value[-1] != ":":
        raise ValueError(value[:1])
    return base64.b64decode(value[1:-1], validate=True)


def _escaped(value: str) -> bytes:
    return x509.load_pem_x509_certificate(unquote_to_bytes(value)).public_bytes(Encoding.DER)


def _malformed() -> ApiError:
    return ApiError(
        "the client certificate's header is not as agreed with the proxy",
        code="api.client-certificate-malformed",
    )


def _operator_with(roles: frozenset[OperatorRole] | None) -> Callable[..., CallingOperator]:
    def identify(request: Request, services: Services) -> CallingOperator:
        header = services.certificate_header
        certificate = certificate_in_header(header, request.headers.getlist(header.value))
        # A revocation of a moment ago counts.
        services.catch_up()
        operator = identify_operator(certificate, look_up=services.look_up, now=services.now)
        if roles is not None:
            require_role(operator, roles)
        return operator

    return identify


AnyOperator = Annotated[CallingOperator, Depends(_operator_with(None))]
"""Whoever is enrolled, also without a role: authorising batches needs none."""

Reader = Annotated[CallingOperator, Depends(_operator_with(frozenset(OperatorRole)))]
Auditor = Annotated[CallingOperator, Depends(_operator_with(frozenset({OperatorRole.AUDITOR})))]
Asker = Annotated[
    CallingOperator,
    Depends(_operator_with(ASKING_ROLES)),
]
Decider = Annotated[CallingOperator, Depends(_operator_with(DECIDING_ROLES))]
