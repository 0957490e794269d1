"""The page on which operators sign authorisations and register security keys, and what it asks about its user.

The page is three files without a build step. Nothing but its own script and style is run or loaded, and it is framed
by nobody: what an operator sees is what the operator signs.
"""

from importlib import resources
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from pki.api.caller import AnyOperator, Services

__all__ = ["operator_router"]

operator_router = APIRouter()

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "publickey-credentials-get=(self), publickey-credentials-create=(self), "
        "camera=(), microphone=(), geolocation=()"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class CredentialDocument(BaseModel):
    """A WebAuthn credential of the operator."""

    id: str = Field(description="Hexadecimal.", examples=["5f1c9a0e"])
    origin: str = Field(examples=["https://pki.example"])
    rp_id: str = Field(examples=["pki.example"])


class OperatorDocument(BaseModel):
    """The operator who calls, by the certificate that the proxy saw."""

    name: str = Field(examples=["lan"])
    roles: list[str] = Field(examples=[["officer"]])
    certificate: str = Field(description="The operator's certificate, DER, hexadecimal.")
    credentials: list[CredentialDocument]


@operator_router.get("/v1/operator", summary="Who calls", tags=["operators"])
def who_calls(services: Services, operator: AnyOperator) -> OperatorDocument:
    """The caller's name, roles, certificate and WebAuthn credentials."""
    return OperatorDocument(
        name=operator.name,
        roles=sorted(operator.roles),
        certificate=operator.certificate.hex(),
        credentials=[
            CredentialDocument(id=each.credential_id.hex(), origin=each.origin, rp_id=each.rp_id)
            for each in services.look_up.credentials(operator.name)
        ],
    )


def _page_file(name: str, media_type: str) -> Response:
    content = (resources.files("pki.api") / "page" / name).read_bytes()
    return Response(content, media_type=media_type, headers=_HEADERS)


@operator_router.get("/operator", include_in_schema=False)
def page() -> Response:
    """The page itself; whoever has no certificate can register a key with it, and sees nothing else."""
    return _page_file("operator.html", "text/html; charset=utf-8")


@operator_router.get("/operator/operator.css", include_in_schema=False)
def style() -> Response:
    """Its style."""
    return _page_file("operator.css", "text/css; charset=utf-8")


@operator_router.get("/operator/operator.js", include_in_schema=False)
def script() -> Response:
    """Its script."""
    return _page_file("operator.js", "text/javascript; charset=utf-8")
