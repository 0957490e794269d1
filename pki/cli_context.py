"""What the commands of ``membercard-pki`` share: the home they work in, and options that several of them have."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pki.certificates.profile import CertificateProfile, load_certificate_profile
from pki.home import Home

__all__ = [
    "AtOption",
    "CommandContext",
    "KeyOption",
    "PinFileOption",
    "command_context",
    "load_profile",
    "moment_given",
]


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What was given before the object of a command."""

    given_home: Path | None

    @property
    def home(self) -> Home:
        """The home to work in.

        Raises:
            BadParameter: none was given.
        """
        if self.given_home is None:
            raise typer.BadParameter(
                "missing; give it before the object, or set MEMBERCARD_PKI_HOME",
                param_hint="--home",
            )
        return Home(self.given_home)


PinFileOption = Annotated[
    Path | None,
    typer.Option(help="File with the keystore's PIN; the one given at creation is remembered."),
]

KeyOption = Annotated[
    str | None,
    typer.Option(
        help="Another key than the profile's: secp256r1, secp384r1, secp521r1, brainpoolP256r1, "
        "brainpoolP384r1, brainpoolP512r1, rsa3072 or rsa4096 (RSASSA-PSS)."
    ),
]


AtOption = Annotated[
    str | None, typer.Option("--at", help="When, as 2026-11-22T08:00:00Z; now if not given.")
]


def moment_given(text: str | None) -> datetime:
    """The time of ``--at``, aware; now where it was not given.

    Raises:
        BadParameter: the text is no time, or has no zone.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            "expected a time as 2026-11-22T08:00:00Z", param_hint="--at"
        ) from error
    if moment.tzinfo is None:
        raise typer.BadParameter("the time has no zone; a Z at its end is UTC", param_hint="--at")
    return moment.astimezone(UTC)


def command_context(context: typer.Context) -> CommandContext:
    """The context that the root command has set."""
    found = context.find_object(CommandContext)
    if found is None:
        raise TypeError("the command was not called through the root command")
    return found


def load_profile(name_or_path: str, key: str | None) -> CertificateProfile:
    """A certificate profile, for another kind of key where one is given.

    Raises:
        PkiDataError: ``profile.invalid``.
    """
    profile = load_certificate_profile(name_or_path)
    return profile if key is None else profile.with_key(key)
