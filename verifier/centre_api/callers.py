"""Who calls, as the boundary found out.

These are coroutines, though they wait for nothing: each plain function would cost every request a change of threads.
"""

from typing import Annotated

from fastapi import Depends, Request

from verifier.centre.terminals import EnrolledTerminal
from verifier.centre_api.ports import CentreServices
from verifier.centre_api.problems import EdgeError
from verifier.services.request_signing import SignedRequest

__all__ = ["Caller", "MaybeCaller", "Services", "Signed"]


async def _services(request: Request) -> CentreServices:
    services: CentreServices = request.app.state.services
    return services


async def _anybody(request: Request) -> EnrolledTerminal | None:
    terminal: EnrolledTerminal | None = getattr(request.state, "terminal", None)
    return terminal


async def _terminal(request: Request) -> EnrolledTerminal:
    found = await _anybody(request)
    if found is None:
        raise EdgeError(
            "the request is not signed, expected an enrolled terminal's signature",
            code="centre.signature-missing",
        )
    return found


async def _signed(request: Request) -> SignedRequest:
    await _terminal(request)
    signed: SignedRequest = request.state.signed
    return signed


Services = Annotated[CentreServices, Depends(_services)]
Caller = Annotated[EnrolledTerminal, Depends(_terminal)]
"""An enrolled terminal in good standing, and nobody else."""

MaybeCaller = Annotated[EnrolledTerminal | None, Depends(_anybody)]
"""An enrolled terminal, or anybody."""

Signed = Annotated[SignedRequest, Depends(_signed)]
"""How the caller signed."""
