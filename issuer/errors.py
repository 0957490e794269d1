"""Errors of the issuer.

They are split by what a caller can do:

    IssuerError
    ├── IssuerDataError         what came in (a file, a field, a picture) is wrong: correct it and bring it again
    ├── IssuerRefusedError      what was asked breaks a rule or the order of work: nothing was changed
    │   ├── ConflictError       somebody else changed the same thing meanwhile: look again, then decide
    │   └── TooManyAttemptsError  it was tried too often: wait as long as it says, then try again
    └── IssuerUnavailableError  a file, the database, a key or a reader is not to be had: mend it and repeat

Every error carries a stable dotted ``code``, may carry a ``hint``, and knows the exit status of a command
that ends with it: 1 for a refusal, 2 where nothing could be read or done.
"""

from typing import Final

__all__ = [
    "CROSSED",
    "ConflictError",
    "IssuerDataError",
    "IssuerError",
    "IssuerRefusedError",
    "IssuerUnavailableError",
    "TooManyAttemptsError",
]

CROSSED: Final = "database.crossed"
"""The code of a conflict that is none of the matter: two worked at the same rows at this moment, and one gave way."""


class IssuerError(Exception):
    """Anything that the issuer cannot or will not do; ``code`` is stable, text and hint are for people."""

    default_code = "issuer.error"
    exit_code = 2

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code if code is not None else self.default_code
        self.hint = hint


class IssuerDataError(IssuerError):
    """Data from outside that breaks a rule of form: nothing of it was taken."""

    default_code = "data.malformed"
    exit_code = 1


class IssuerRefusedError(IssuerError):
    """A well-formed wish that a rule forbids: nothing was changed."""

    default_code = "request.refused"
    exit_code = 1


class ConflictError(IssuerRefusedError):
    """The register holds something that contradicts what was to be stored: nothing was changed."""

    default_code = "register.conflict"


class TooManyAttemptsError(IssuerRefusedError):
    """It was tried too often: ``retry_after`` says for how many seconds it will be refused."""

    default_code = "login.too-many-attempts"

    def __init__(self, message: str, *, retry_after: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class IssuerUnavailableError(IssuerError):
    """A file, the database, a keystore or a reader is missing or does not answer."""

    default_code = "resource.unavailable"
    exit_code = 2
