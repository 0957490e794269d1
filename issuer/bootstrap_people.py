"""Puts people together: which adapters stand behind the use cases of accounts and log-ins."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from issuer.domain.login_attempts import AttemptLimit
from issuer.domain.session import SessionLifetime
from issuer.errors import IssuerRefusedError
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.identity.webauthn_responses import WebauthnResponses
from issuer.services.log_in import LogIn, LoginPolicy
from issuer.services.people import People
from issuer.services.people_ports import PasswordHasher
from issuer.services.register_ports import Register
from issuer.services.second_factor_ports import RelyingParty
from issuer.services.second_factors import SecondFactors
from issuer.settings import PeopleSettings
from pki.services.operator_page import OperatorPage

__all__ = [
    "log_in_of",
    "login_policy",
    "password_hasher",
    "people_of",
    "relying_party",
    "second_factors_of",
]

_FIRST_DELAY: Final = timedelta(seconds=1)
_MEMORY: Final = timedelta(hours=24)


def password_hasher(settings: PeopleSettings) -> PasswordHasher:
    """Argon2id with the parameters of the settings; one object a process, because it counts who hashes at once."""
    return Argon2Passwords(
        Argon2Parameters(
            memory_kib=settings.argon2_memory_kib,
            passes=settings.argon2_passes,
            lanes=settings.argon2_lanes,
            at_once=settings.argon2_at_once,
        )
    )


def login_policy(settings: PeopleSettings) -> LoginPolicy:
    """Lifetimes and limits of the settings."""

    def limit(free: int) -> AttemptLimit:
        return AttemptLimit(
            free=free,
            first_delay=_FIRST_DELAY,
            longest_delay=timedelta(minutes=settings.longest_delay_minutes),
            memory=_MEMORY,
        )

    def lifetime(idle_minutes: int) -> SessionLifetime:
        return SessionLifetime(
            absolute=timedelta(hours=settings.session_hours), idle=timedelta(minutes=idle_minutes)
        )

    return LoginPolicy(
        console=lifetime(settings.session_idle_minutes),
        command_line=lifetime(settings.command_line_idle_minutes),
        by_account=limit(settings.free_attempts_by_account),
        by_address=limit(settings.free_attempts_by_address),
        password_steps_up=settings.command_line_password_steps_up,
    )


def log_in_of(
    register: Register, settings: PeopleSettings, *, passwords: PasswordHasher | None = None
) -> LogIn:
    """The use cases of whoever logs in; ``passwords`` where a hasher of this process is there already."""
    return LogIn(
        register=register,
        passwords=passwords or password_hasher(settings),
        policy=login_policy(settings),
        clock=_now,
        random_bytes=secrets.token_bytes,
    )


def people_of(
    register: Register, settings: PeopleSettings, *, passwords: PasswordHasher | None = None
) -> People:
    """The use cases of whoever manages people; ``passwords`` as for ``log_in_of``."""
    return People(register=register, passwords=passwords or password_hasher(settings), clock=_now)


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
