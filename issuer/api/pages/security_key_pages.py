"""Pages of security keys: showing one, registering one of one's own, and forgetting it.

What a browser and its authenticator need comes as JSON to our script; what they say comes back in a form, so that the
answer can hand out the session's new token and lead back to where somebody was.
"""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api.form_fields import FormFields, local_path
from issuer.api.gate import AnySession, Caller, Services
from issuer.api.pages.rendering import render
from issuer.api.pages.session_cookie import set_session_cookie
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.remedies import remedy_of
from issuer.api.upload_forms import form_of
from issuer.domain.rights import Right
from issuer.domain.session import Restriction
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.second_factors import RegistrationOptions, SecondFactors
from pki.signed.credential_challenge import CredentialChallenge
from pki.signed.webauthn import WebauthnError, encode_base64url

__all__ = ["security_key_router"]

security_key_router = APIRouter(include_in_schema=False)

_NAME: Final = "membercard"
_MAX_CERTIFICATE_BYTES: Final = 4096
_CREDENTIAL: Final = re.compile(r"(?:[0-9a-f]{2}){1,1023}", re.ASCII)
_PASSED_ON: Final = frozenset({"session.ended", "session.token-malformed", "session.restricted"})

ShowsKey = Annotated[
    Caller,
    Depends(AnySession("everybody shows their own security key", allows_restricted=True)),
]
OwnKeys = Annotated[Caller, Depends(AnySession("everybody keeps their own security keys"))]
Target = Annotated[str, Query(alias="next", max_length=2000)]


def _factors(services: ApiServices) -> SecondFactors:
    if services.second_factors is None:
        raise IssuerRefusedError(
            "the settings do not say where browsers find the console",
            code="second-factor.no-origin",
            hint="[people] console_origin in settings.toml",
        )
    return services.second_factors


@security_key_router.get("/second-factor", response_model=None)
def second_factor_page(request: Request, caller: ShowsKey, target: Target = "/") -> Response:
    """Where one shows one's security key: at the log-in, and again before what demands it."""
    if caller.presence.restriction is Restriction.PASSWORD_CHANGE_DUE:
        request.state.restriction = caller.presence.restriction
        raise ApiError("the password comes first", code="api.session-restricted")
    return _show_form(request, caller, target=local_path(target))


@security_key_router.post("/v1/session/assertion-options", response_model=None)
def assertion_options(services: Services, caller: ShowsKey) -> dict[str, object]:
    """What ``navigator.credentials.get`` is asked; a challenge holds once and for minutes."""
    options = _factors(services).begin_assertion(caller.token)
    return {
        "challenge": encode_base64url(options.challenge),
        "rpId": options.relying_party.rp_id,
        "allowCredentials": [
            {"type": "public-key", "id": encode_base64url(each)} for each in options.allow
        ],
        "userVerification": "required",
    }


@security_key_router.post("/second-factor", response_model=None)
def show_second_factor(
    request: Request, services: Services, caller: ShowsKey, fields: FormFields
) -> Response:
    """Take what the authenticator said; the session goes on under another token, where one was."""
    target = local_path(fields.get("next", "/"))
    try:
        opened = _factors(services).step_up(caller.token, fields.get("response", "").encode())
    except (IssuerRefusedError, IssuerDataError) as error:
        if error.code in _PASSED_ON:
            raise
        return _show_form(request, caller, target=target, error=error)
    response = RedirectResponse(target, status_code=303)
    set_session_cookie(response, opened.token)
    return response


@security_key_router.get("/security-keys", response_model=None)
def security_keys_page(
    request: Request, services: Services, caller: OwnKeys, target: Target = "/security-keys"
) -> Response:
    """One's own security keys."""
    return _keys_form(request, services, caller, target=local_path(target))


@security_key_router.post("/v1/session/registration-options", response_model=None)
def registration_options(services: Services, caller: OwnKeys) -> dict[str, object]:
    """What ``navigator.credentials.create`` is asked."""
    return _creation(_factors(services).begin_registration(caller.token))


@security_key_router.post("/v1/session/operator-registration-options", response_model=None)
async def operator_registration_options(
    request: Request, services: Services, caller: OwnKeys
) -> dict[str, object]:
    """The same, where the PKI has made the challenge: its file is the body."""
    try:
        challenge = CredentialChallenge.from_bytes(await request.body())
    except WebauthnError as error:
        raise IssuerDataError(str(error), code="webauthn.challenge-malformed") from error
    options = await run_in_threadpool(
        _factors(services).begin_registration, caller.token, challenge_of_pki=challenge
    )
    return _creation(options)


@security_key_router.post("/security-keys", response_model=None)
def register_security_key(
    request: Request, services: Services, caller: OwnKeys, fields: FormFields
) -> Response:
    """Keep a new key, and go on to show it."""
    target = local_path(fields.get("next", "/security-keys"))
    try:
        _factors(services).finish_registration(
            caller.token,
            fields.get("response", "").encode(),
            label=fields.get("label", "").strip(),
            operator=fields.get("operator") or None,
        )
    except (IssuerRefusedError, IssuerDataError) as error:
        if error.code in _PASSED_ON or error.code == "right.step-up-needed":
            raise
        return _keys_form(request, services, caller, target=target, error=error)
    return RedirectResponse(target, status_code=303)


@security_key_router.post("/security-keys/remove", response_model=None)
def remove_security_key(
    request: Request, services: Services, caller: OwnKeys, fields: FormFields
) -> Response:
    """Forget one of one's own keys."""
    text = fields.get("credential", "")
    if not _CREDENTIAL.fullmatch(text):
        raise ApiError("the form names no security key", code="api.request-invalid")
    try:
        _factors(services).remove(caller.token, bytes.fromhex(text))
    except (IssuerRefusedError, IssuerDataError) as error:
        if error.code in _PASSED_ON or error.code == "right.step-up-needed":
            raise
        return _keys_form(request, services, caller, target="/security-keys", error=error)
    return RedirectResponse("/security-keys", status_code=303)


@security_key_router.get("/security-keys/registration/{credential}", response_model=None)
def registration_of_key(credential: str, services: Services, caller: OwnKeys) -> Response:
    """What the browser said of one of one's own keys, for the PKI to enrol."""
    for each in _factors(services).list(caller.token):
        if each.operator_key is not None and each.credential_id.hex() == credential:
            name = f"{each.operator_key.operator}-registration.json"
            return Response(
                each.operator_key.registration,
                media_type="application/json",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
    raise ApiError("there is no such key", code="api.not-found")


@security_key_router.post("/security-keys/certificate", response_model=None)
async def certify_security_key(request: Request, services: Services, caller: OwnKeys) -> Response:
    """Keep the operator's certificate that the PKI has issued."""
    try:
        async with form_of(request, max_files=1, max_fields=1) as form:
            files = [each for each in form.getlist("certificate") if isinstance(each, UploadFile)]
            if len(files) != 1:
                raise ApiError("the form has no certificate", code="api.request-invalid")
            content = await files[0].read(_MAX_CERTIFICATE_BYTES)
        await run_in_threadpool(_factors(services).certify, caller.token, content)
    except (IssuerRefusedError, IssuerDataError) as error:
        if error.code in _PASSED_ON or error.code == "right.step-up-needed":
            raise
        return _keys_form(request, services, caller, target="/security-keys", error=error)
    return RedirectResponse("/security-keys", status_code=303)


def _creation(options: RegistrationOptions) -> dict[str, object]:
    return {
        "challenge": encode_base64url(options.challenge),
        "rp": {"id": options.relying_party.rp_id, "name": _NAME},
        "user": {
            "id": encode_base64url(options.user),
            "name": options.name,
            "displayName": options.name,
        },
        "pubKeyCredParams": [
            {"type": "public-key", "alg": int(each)} for each in options.algorithms
        ],
        "excludeCredentials": [
            {"type": "public-key", "id": encode_base64url(each)} for each in options.exclude
        ],
        "authenticatorSelection": {"residentKey": "discouraged", "userVerification": "required"},
        "attestation": "none",
    }


def _show_form(
    request: Request,
    caller: Caller,
    *,
    target: str,
    error: IssuerRefusedError | IssuerDataError | None = None,
) -> Response:
    status, problem = _problem_of(error)
    return render(
        request,
        "second_factor.html",
        caller=caller,
        status=status,
        target=target,
        at_login=caller.presence.restriction is not None,
        **problem,
    )


def _keys_form(
    request: Request,
    services: ApiServices,
    caller: Caller,
    *,
    target: str,
    error: IssuerRefusedError | IssuerDataError | None = None,
) -> Response:
    status, problem = _problem_of(error)
    return render(
        request,
        "security_keys.html",
        caller=caller,
        status=status,
        target=target,
        keys=_factors(services).list(caller.token),
        may_sign=caller.actor.may_somewhere(Right.SIGN_BATCHES),
        **problem,
    )


def _problem_of(
    error: IssuerRefusedError | IssuerDataError | None,
) -> tuple[int, dict[str, str]]:
    if error is None:
        return 200, {}
    status = int(status_of(error))
    return status, {"code": error.code, "remedy": remedy_of(error.code, status)}
