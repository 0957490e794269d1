"""The batch authorisation of a decision: written down here, signed by two, presented to the signer."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from issuer.api.decision_routes import DecisionIdPath
from issuer.api.entity_tags import tagged
from issuer.api.gate import AnySession, Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.request_routes import RequestReader
from issuer.domain.decisions import DecisionId
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.authorise_batch import AuthorisationTerms
from issuer.services.operation_ports import KeptAnswer
from issuer.services.operator_keys import operator_of
from issuer.services.sign_authorisation import AuthorisationSigning
from pki.services.authorising import MAX_AUTHORISED_TIME, REQUIRED_OPERATORS
from pki.signed.authorisation import MAX_CARDS, BatchAuthorisation, SignatureKind
from pki.signed.webauthn import encode_base64url
from pki.web.reading import media_type_of

__all__ = [
    "AuthorisationDocument",
    "Authoriser",
    "TermsBody",
    "attach_once",
    "authorisation_router",
    "create_once",
    "digest_of",
    "file_response",
    "signing_of",
]

authorisation_router = APIRouter(prefix="/v1/decisions", tags=["decisions"])

Authoriser = Annotated[Caller, Depends(Demand(Right.SIGN_BATCHES))]
_JSON: Final = "application/json"
_DIGEST_CHARACTERS: Final = 64


class SignatureDocument(BaseModel):
    """One operator's signature, as the file says; whose it is the signer judges."""

    operator: str | None = Field(examples=["lan"])
    kind: SignatureKind


class AuthorisationDocument(BaseModel):
    """For how many cards a decision speaks to which signer, and until when; and who has signed."""

    digest: str = Field(description="SHA-256 of the terms: what is signed.")
    batch: str
    signer: str = Field(examples=["ds-1"])
    cards: int = Field(ge=1, le=MAX_CARDS)
    chips: int = Field(ge=0, le=MAX_CARDS)
    until: datetime
    signatures: list[SignatureDocument]
    needed: int = Field(description="How many different people sign it.")

    @classmethod
    def of(cls, authorisation: BatchAuthorisation) -> "AuthorisationDocument":
        """The document of an authorisation."""
        return cls(
            digest=authorisation.digest.hex(),
            batch=authorisation.batch.hex(),
            signer=authorisation.signer_id,
            cards=authorisation.cards,
            chips=authorisation.chips,
            until=authorisation.until,
            signatures=[
                SignatureDocument(operator=_operator(each.certificate), kind=each.kind)
                for each in authorisation.signatures
            ],
            needed=REQUIRED_OPERATORS,
        )


class TermsBody(BaseModel):
    """The terms of a new authorisation."""

    model_config = ConfigDict(extra="forbid")

    signer: str = Field(min_length=1, max_length=64, examples=["ds-1"])
    hours: int = Field(
        ge=1, le=int(MAX_AUTHORISED_TIME / timedelta(hours=1)), description="For how long it holds."
    )
    chips: int = Field(
        default=0, ge=0, le=MAX_CARDS, description="Of so many chips the keys may be sealed."
    )


def create_once(
    services: ApiServices, caller: Caller, decision_id: uuid.UUID, body: TermsBody, *, key: str
) -> KeptAnswer:
    """Write an authorisation down; the same under the same key is written once.

    Raises:
        IssuerRefusedError: ``idempotency.*``, ``right.*``, ``decision.*``, ``authorisation.still-valid``.
        AuthorisationError: the terms are none.
    """
    what = f"POST /v1/decisions/{decision_id}/authorisations"
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what=what, content=content)

    def act() -> Receipt:
        until = services.now().astimezone(UTC) + timedelta(hours=body.hours)
        terms = AuthorisationTerms(
            signer_id=body.signer, until=until.replace(microsecond=0), chips=body.chips
        )
        made = services.requests.authorising.create(
            DecisionId(decision_id), terms, actor=caller.actor
        )
        return Receipt(
            status=201,
            location=f"/v1/decisions/{decision_id}/authorisation",
            document=AuthorisationDocument.of(made),
        )

    return carry_out_once(services, mark, act)


def attach_once(
    services: ApiServices, caller: Caller, decision_id: uuid.UUID, content: bytes, *, key: str
) -> KeptAnswer:
    """Take in the same authorisation with more signatures; the same under the same key is taken once.

    Raises:
        IssuerRefusedError: ``idempotency.*``, ``right.*``, ``decision.unknown``, ``authorisation.other-terms``.
        AuthorisationError: the file is none.
    """
    what = f"POST /v1/decisions/{decision_id}/authorisation/signatures"
    mark = mark_of(caller.actor.account, key, what=what, content=content)

    def act() -> Receipt:
        known = services.requests.authorising.attach(
            DecisionId(decision_id), content, actor=caller.actor
        )
        return Receipt(
            status=200,
            location=f"/v1/decisions/{decision_id}/authorisation",
            document=AuthorisationDocument.of(known),
        )

    return carry_out_once(services, mark, act)


def file_response(caller: Caller, services: ApiServices, decision_id: uuid.UUID) -> Response:
    """The authorisation as the signer reads it."""
    found = services.requests.authorising.newest(DecisionId(decision_id), actor=caller.actor)
    return Response(
        found.to_bytes(),
        media_type=_JSON,
        headers={"Content-Disposition": f'attachment; filename="authorisation-{decision_id}.json"'},
    )


def signing_of(services: ApiServices) -> AuthorisationSigning:
    """Signing by security key.

    Raises:
        IssuerRefusedError: the settings do not say where browsers find the console (``second-factor.no-origin``).
    """
    if services.second_factors is None:
        raise IssuerRefusedError(
            "the settings do not say where browsers find the console",
            code="second-factor.no-origin",
            hint="[people] console_origin in settings.toml",
        )
    return AuthorisationSigning(
        second_factors=services.second_factors, authorising=services.requests.authorising
    )


def digest_of(text: str) -> bytes:
    """A digest as a page shows it.

    Raises:
        ApiError: ``api.request-invalid``.
    """
    try:
        digest = bytes.fromhex(text) if len(text) == _DIGEST_CHARACTERS else b""
    except ValueError:
        digest = b""
    if not digest:
        raise ApiError("the form shows no digest", code="api.request-invalid")
    return digest


@authorisation_router.post(
    "/{decision_id}/authorisations",
    status_code=201,
    summary="Write down the authorisation that the signer demands",
    response_model=AuthorisationDocument,
)
def create_authorisation(
    decision_id: DecisionIdPath,
    body: TermsBody,
    services: Services,
    caller: Authoriser,
    key: KeyHeader,
) -> Response:
    """For as many cards as requests of the decision wait for theirs; without signatures."""
    return answer_of(create_once(services, caller, decision_id, body, key=key))


@authorisation_router.get(
    "/{decision_id}/authorisation",
    summary="The authorisation that was written down last",
    response_model=AuthorisationDocument,
)
def show_authorisation(
    decision_id: DecisionIdPath, request: Request, services: Services, caller: RequestReader
) -> Response:
    """As far as it is signed."""
    found = services.requests.authorising.newest(DecisionId(decision_id), actor=caller.actor)
    return tagged(request, AuthorisationDocument.of(found))


@authorisation_router.get(
    "/{decision_id}/authorisation/file",
    summary="The authorisation as a file for the signer",
    response_class=Response,
    responses={200: {"content": {_JSON: {"schema": {"type": "object"}}}}},
)
def download_authorisation(
    decision_id: DecisionIdPath, services: Services, caller: RequestReader
) -> Response:
    """In the one encoding that operators sign and the signer reads."""
    return file_response(caller, services, decision_id)


_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {_JSON: {"schema": {"type": "object"}}}}
}


@authorisation_router.post(
    "/{decision_id}/authorisation/signatures",
    summary="Bring the authorisation back with signatures",
    response_model=AuthorisationDocument,
    openapi_extra=_BODY,
)
async def attach_signatures(
    decision_id: DecisionIdPath,
    request: Request,
    services: Services,
    caller: Authoriser,
    key: KeyHeader,
) -> Response:
    """The body is the file, byte for byte; its terms are those that were written down."""
    if media_type_of(request.headers.get("content-type", "")) != _JSON:
        raise ApiError("the file comes as another type", code="api.media-type")
    content = await request.body()
    kept = await run_in_threadpool(attach_once, services, caller, decision_id, content, key=key)
    return answer_of(kept)


@authorisation_router.post(
    "/{decision_id}/authorisation/{digest}/signing-options",
    include_in_schema=False,
    response_model=None,
)
def signing_options(
    decision_id: DecisionIdPath,
    digest: str,
    services: Services,
    caller: Annotated[
        Caller,
        Depends(AnySession("the use case demands the right at the decision's committee")),
    ],
) -> dict[str, object]:
    """What ``navigator.credentials.get`` is asked: the digest that the page shows."""
    options = signing_of(services).begin(
        caller.token, DecisionId(decision_id), digest_of(digest), actor=caller.actor
    )
    return {
        "challenge": encode_base64url(options.challenge),
        "rpId": options.relying_party.rp_id,
        "allowCredentials": [
            {"type": "public-key", "id": encode_base64url(each)} for each in options.allow
        ],
        "userVerification": "required",
    }


def _operator(certificate: bytes) -> str | None:
    try:
        return operator_of(certificate)
    except IssuerDataError:
        return None
