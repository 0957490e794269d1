"""Who calls, as the boundary found out."""

from typing import Annotated

from fastapi import Depends, Request

from verifier.centre.terminals import EnrolledTerminal
from verifier.centre_api.ports import CentreServices
from verifier.centre_api.problems import EdgeError
from verifier.services.request_signing import SignedRequest

__all__ = ["Caller", "MaybeCaller", "Services", "Signed"]


def _services(request: Request) -> CentreServices:
    services: CentreServices = request.app.state.services
    return services


def _anybody(request: Request) -> EnrolledTerminal | None:
    terminal: EnrolledTerminal | None = getattr(request.state, "terminal", None)
    return terminal


def _terminal(request: Request) -> EnrolledTerminal:
    found = _anybody(request)
    if found is None:
        raise EdgeError(
            "the request is not signed, expected an enrolled terminal's signature",
            code="centre.signature-missing",
        )
    return found


def _signed(request: Request) -> SignedRequest:
    _terminal(request)
    signed: SignedRequest = request.state.signed
    return signed


Services = Annotated[CentreServices, Depends(_services)]
Caller = Annotated[EnrolledTerminal, Depends(_terminal)]
"""An enrolled terminal in good standing, and nobody else."""

MaybeCaller = Annotated[EnrolledTerminal | None, Depends(_anybody)]
"""An enrolled terminal, or anybody."""

Signed = Annotated[SignedRequest, Depends(_signed)]
"""How the caller signed."""
