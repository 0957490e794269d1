"""Pages of security keys: showing one, registering one of one's own, and forgetting it.

What a browser and its authenticator need comes as JSON to our script; what they say comes back in a form, so that the
answer can hand out the session's new token and lead back to where somebody was.
"""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.form_fields import FormFields, local_path
from issuer.api.gate import AnySession, Caller, Services
from issuer.api.pages.rendering import render
from issuer.api.pages.session_cookie import set_session_cookie
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.remedies import remedy_of
from issuer.domain.session import Restriction
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.second_factors import SecondFactors
from pki.signed.webauthn import encode_base64url

__all__ = ["security_key_router"]

security_key_router = APIRouter(include_in_schema=False)

_NAME: Final = "membercard"
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
    options = _factors(services).begin_registration(caller.token)
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


@security_key_router.post("/security-keys", response_model=None)
def register_security_key(
    request: Request, services: Services, caller: OwnKeys, fields: FormFields
) -> Response:
    """Keep a new key, and go on to show it."""
    target = local_path(fields.get("next", "/security-keys"))
    try:
        _factors(services).finish_registration(
            caller.token, fields.get("response", "").encode(), label=fields.get("label", "").strip()
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
        **problem,
    )


def _problem_of(
    error: IssuerRefusedError | IssuerDataError | None,
) -> tuple[int, dict[str, str]]:
    if error is None:
        return 200, {}
    status = int(status_of(error))
    return status, {"code": error.code, "remedy": remedy_of(error.code, status)}
