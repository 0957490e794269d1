"""How the service is: alive, ready, its figures, and the description of its API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from issuer.api.gate import Demand, NoSession, Services
from issuer.api.metrics import METRICS_MEDIA_TYPE
from issuer.api.problems import problem_response
from issuer.domain.rights import Right

__all__ = ["service_router"]

service_router = APIRouter(tags=["service"])


class Liveness(BaseModel):
    """The process lives."""

    status: str = Field(examples=["alive"])


class ReadinessDocument(BaseModel):
    """What was looked at."""

    status: str = Field(examples=["ready"])
    checked: list[str] = Field(examples=[["database", "migrations", "keystore"]])


@service_router.get(
    "/health/live",
    summary="Whether the process lives",
    dependencies=[
        Depends(NoSession("it tells nothing but that the process lives", is_limited=False))
    ],
)
def live() -> Liveness:
    """Nothing is looked at."""
    return Liveness(status="alive")


@service_router.get(
    "/health/ready",
    summary="Whether it can serve",
    response_model=ReadinessDocument,
    dependencies=[
        Depends(NoSession("whoever shares the load must know who can take it", is_limited=False))
    ],
)
def ready(services: Services) -> JSONResponse:
    """Database, migrations and keystore are looked at; where one fails this is 503 with its code."""
    found = services.readiness()
    checks = {
        "database": found.database,
        "migrations": found.migrations,
        "keystore": found.keystore,
    }
    for name, code in checks.items():
        if code is not None:
            return problem_response(503, code=code, detail=f"the {name} cannot be used")
    document = ReadinessDocument(status="ready", checked=list(checks))
    return JSONResponse(document.model_dump())


@service_router.get(
    "/metrics",
    summary="Figures of this process, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(
    services: Services,
    _caller: Annotated[object, Depends(Demand(Right.OPERATE_SERVICE))],
) -> Response:
    """By right here; without one on the loopback port of ``serve --metrics-port``."""
    return Response(services.metrics.text(), media_type=METRICS_MEDIA_TYPE)


@service_router.get(
    "/v1/openapi.json",
    summary="The description of the API (OpenAPI 3.1)",
    dependencies=[Depends(NoSession("the description holds nothing of the register"))],
    response_class=JSONResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def description(request: Request) -> JSONResponse:
    """This document."""
    return JSONResponse(request.app.openapi(), headers={"Cache-Control": "no-cache"})
