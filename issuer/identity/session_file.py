"""The session of the command line: a file of the operating-system user, which nobody else can read."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from issuer.domain.session import SESSION_TOKEN_BYTES, SessionToken
from issuer.errors import IssuerRefusedError, IssuerUnavailableError

__all__ = ["default_session_file", "forget_session", "read_session", "write_session"]

_DIRECTORY: Final = "sessions"
_MAX_BYTES: Final = 2 * SESSION_TOKEN_BYTES + 2


def default_session_file(home: Path) -> Path:
    """Where the session lies unless another place is chosen: in the home, by the number of its owner."""
    return home / _DIRECTORY / str(os.getuid() if hasattr(os, "getuid") else 0)


def read_session(path: Path) -> SessionToken:
    """The token in a session file.

    Raises:
        IssuerRefusedError: there is none (``session.missing``), or others can read it (``session-file.exposed``).
        IssuerDataError: it holds something else (``session.token-malformed``).
        IssuerUnavailableError: it cannot be read (``session-file.unavailable``).
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            content = file.read(_MAX_BYTES) if stat.S_ISREG(found.st_mode) else b""
    except FileNotFoundError as error:
        raise IssuerRefusedError(
            "nobody is logged in here", code="session.missing", hint="membercard-issuer login NAME"
        ) from error
    except OSError as error:
        raise _unavailable(path, "read", error) from error
    if os.name == "posix" and (found.st_mode & 0o077 or found.st_uid != os.getuid()):
        raise IssuerRefusedError(
            f"session file {path} has mode {stat.S_IMODE(found.st_mode):04o} and owner {found.st_uid}, "
            "expected nobody but ourselves to have rights",
            code="session-file.exposed",
            hint="log out, log in again, and let the file be made anew",
        )
    return SessionToken.from_text(content.decode("ascii", "replace").rstrip("\r\n"))


def write_session(path: Path, token: SessionToken) -> None:
    """Keep a token, for its owner only, in place of whatever was there.

    Raises:
        IssuerUnavailableError: ``session-file.unavailable``.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(token.text + "\n")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unavailable(path, "written", error) from error


def forget_session(path: Path) -> None:
    """Remove a session file; one that is not there is left alone.

    Raises:
        IssuerUnavailableError: ``session-file.unavailable``.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    except OSError as error:
        raise _unavailable(path, "removed", error) from error


def _unavailable(path: Path, act: str, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"session file {path} cannot be {act}: {error.strerror}", code="session-file.unavailable"
    )
