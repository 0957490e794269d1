"""Puts second factors together; apart from people, because commands need no WebAuthn and would wait for its library."""

import secrets
from datetime import UTC, datetime

from issuer.errors import IssuerRefusedError
from issuer.identity.webauthn_responses import WebauthnResponses
from issuer.services.log_in import LogIn
from issuer.services.register_ports import Register
from issuer.services.second_factor_ports import RelyingParty
from issuer.services.second_factors import SecondFactors
from issuer.settings import PeopleSettings
from pki.services.operator_page import OperatorPage

__all__ = ["relying_party", "second_factors_of"]


def relying_party(settings: PeopleSettings) -> RelyingParty:
    """For whom second factors hold: the console, where browsers find it.

    Raises:
        IssuerRefusedError: the settings do not say where that is (``second-factor.no-origin``).
        PkiRefusedError: WebAuthn does not work there (``webauthn.origin-invalid``).
    """
    if settings.console_origin is None:
        raise IssuerRefusedError(
            "the settings do not say where browsers find the console",
            code="second-factor.no-origin",
            hint="[people] console_origin in settings.toml",
        )
    page = OperatorPage.checked(origin=settings.console_origin, rp_id=settings.console_rp_id)
    return RelyingParty(origin=page.origin, rp_id=page.rp_id)


def second_factors_of(
    register: Register, settings: PeopleSettings, *, log_in: LogIn
) -> SecondFactors:
    """The use cases of second factors.

    Raises:
        IssuerRefusedError, PkiRefusedError: as ``relying_party``.
    """
    return SecondFactors(
        register=register,
        log_in=log_in,
        judge=WebauthnResponses(relying_party(settings)),
        clock=_now,
        random_bytes=secrets.token_bytes,
    )


def _now() -> datetime:
    return datetime.now(UTC)
