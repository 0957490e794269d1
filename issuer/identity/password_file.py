"""Passwords in files: for programs that log in, and for passwords that are handed over on paper."""

import os
import secrets
from pathlib import Path
from typing import Final

from issuer.domain.account import MAX_PASSWORD_BYTES, check_new_password
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = ["draw_password", "read_or_make_password_file", "read_password_file"]

_GROUPS: Final = 6
_DIGITS: Final = 4


def draw_password(account: AccountName) -> str:
    """A random password of 24 digits (80 bits), which people can read to each other in any language."""
    while True:
        groups = (f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}" for _ in range(_GROUPS))
        password = "-".join(groups)
        try:
            return check_new_password(password, account=account)
        except IssuerDataError:
            # Too few different digits: once in thousands of millions of times.
            continue


def read_password_file(path: Path) -> str:
    """The password: the first and only line of a file that nobody else can read.

    Raises:
        IssuerUnavailableError: ``password-file.unavailable``, ``password-file.exposed``, ``password-file.malformed``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PASSWORD_BYTES + 3)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise IssuerUnavailableError(
            f"password file {path} cannot be read: {error.strerror}",
            code="password-file.unavailable",
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise IssuerUnavailableError(
            f"password file {path} has mode {mode & 0o777:04o}, expected nobody but its owner to have rights",
            code="password-file.exposed",
            hint=f"chmod 600 {path}",
        )
    try:
        password = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        # The library's text would quote the password.
        password = ""
    if not password or len(content) > MAX_PASSWORD_BYTES + 2 or not password.isprintable():
        raise IssuerUnavailableError(
            f"password file {path} is not one line of UTF-8 text", code="password-file.malformed"
        )
    return password


def read_or_make_password_file(path: Path, account: AccountName) -> str:
    """The password in a file; the file is made with a random one, for its owner only, where it is not there yet.

    Raises:
        IssuerUnavailableError: as ``read_password_file``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(draw_password(account) + "\n")
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        pass
    except OSError as error:
        raise IssuerUnavailableError(
            f"password file {path} cannot be written: {error.strerror}",
            code="password-file.unavailable",
        ) from error
    return read_password_file(path)
