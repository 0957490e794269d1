"""Puts together what only the console and the API need of people: another service's word, and limits of requests."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from issuer.identity.memory_rates import MemoryRequestRates
from issuer.identity.oidc_provider import OidcClient, OpenIdProvider
from issuer.identity.password_file import read_password_file
from issuer.services.log_in import LogIn
from issuer.services.oidc_login import OidcLogin
from issuer.services.request_rates import RateKind, RequestRates
from issuer.settings import OidcSettings, RateSettings

__all__ = ["oidc_login_of", "request_rates_of"]


def oidc_login_of(settings: OidcSettings, *, home: Path, log_in: LogIn) -> OidcLogin | None:
    """The use case; ``None`` where the settings name no provider. One object a process: it keeps the provider's keys.

    Raises:
        IssuerUnavailableError: as ``read_password_file``, of the client's secret.
    """
    if settings.issuer is None or settings.client_id is None or settings.redirect_uri is None:
        return None
    if settings.client_secret_file is None:
        return None
    client = OidcClient(
        issuer=settings.issuer,
        client_id=settings.client_id,
        client_secret=read_password_file(home / settings.client_secret_file),
        redirect_uri=settings.redirect_uri,
        account_claim=settings.account_claim,
    )
    return OidcLogin(
        provider=OpenIdProvider(client, clock=lambda: datetime.now(UTC)),
        log_in=log_in,
        random_bytes=secrets.token_bytes,
    )


def request_rates_of(settings: RateSettings) -> RequestRates:
    """The counts of this process; one object a process."""
    return MemoryRequestRates(
        {RateKind.ADDRESS: settings.per_address, RateKind.SESSION: settings.per_session}
    )
