"""Puts people together: which adapters stand behind the use cases of accounts and log-ins."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from issuer.domain.login_attempts import AttemptLimit
from issuer.domain.session import SessionLifetime
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.services.confirm_accounts import ConfirmationOfAccounts
from issuer.services.log_in import LogIn, LoginPolicy
from issuer.services.people import People
from issuer.services.people_ports import PasswordHasher
from issuer.services.register_ports import Register
from issuer.services.terminal_confirmation import TerminalConfirmation
from issuer.settings import PeopleSettings

__all__ = [
    "confirmation_of",
    "log_in_of",
    "login_policy",
    "password_hasher",
    "people_of",
    "terminals_of",
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


def terminals_of(register: Register, *, log_in: LogIn) -> TerminalConfirmation:
    """The use cases of terminals that are confirmed in the console."""
    return TerminalConfirmation(
        register=register, log_in=log_in, clock=_now, random_bytes=secrets.token_bytes
    )


def people_of(
    register: Register, settings: PeopleSettings, *, passwords: PasswordHasher | None = None
) -> People:
    """The use cases of whoever manages people; ``passwords`` as for ``log_in_of``."""
    return People(register=register, passwords=passwords or password_hasher(settings), clock=_now)


def confirmation_of(
    register: Register, settings: PeopleSettings, *, passwords: PasswordHasher | None = None
) -> ConfirmationOfAccounts:
    """The use cases of the second administrator; ``passwords`` as for ``log_in_of``."""
    return ConfirmationOfAccounts(
        register=register, passwords=passwords or password_hasher(settings), clock=_now
    )


def _now() -> datetime:
    return datetime.now(UTC)
