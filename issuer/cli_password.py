"""How commands come to a password: from a file of this user's, or typed on the terminal; never from words or variables."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.identity.password_file import read_or_make_password_file, read_password_file

__all__ = ["AccountArgument", "PasswordFileOption", "new_password", "password_of"]

AccountArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="The file of the password; else it is asked for."),
]


def password_of(file: Path | None) -> str:
    """A password that is there already.

    Raises:
        IssuerUnavailableError: as ``read_password_file``.
        IssuerRefusedError: there is no file and no terminal (``password.no-terminal``).
    """
    if file is not None:
        return read_password_file(file)
    return _typed("Password", again=False)


def new_password(file: Path | None, account: AccountName) -> str:
    """A password to be set; a file that is not there yet is made with a random one.

    Raises:
        IssuerUnavailableError, IssuerRefusedError: as ``password_of``.
    """
    if file is not None:
        return read_or_make_password_file(file, account)
    return _typed("New password", again=True)


def _typed(words: str, *, again: bool) -> str:
    if not sys.stdin.isatty():
        raise IssuerRefusedError(
            "there is no terminal to type a password on",
            code="password.no-terminal",
            hint="--password-file FILE",
        )
    return str(typer.prompt(words, hide_input=True, confirmation_prompt=again, err=True))
