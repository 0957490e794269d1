"""What is raised for a file that is not what SPEC.md says, and how deeper errors become it.

A reader of files meets one error a file, with the code that SPEC.md, 9 gives to that file, whatever broke
inside: the framing, a number, a point, a text.
"""

from types import TracebackType

from card_layout.errors import CardDataError

__all__ = [
    "AtrInfoError",
    "CardAccessError",
    "CardSecurityError",
    "CommonDataError",
    "DataGroupError",
    "SecurityObjectFileError",
    "TrustPointsError",
    "malformed_as",
]


class DataGroupError(CardDataError):
    """A data group that cannot be what the security object signed as one (SPEC.md, 9.14)."""

    default_code = "data-group.malformed"


class CardAccessError(CardDataError):
    """SecurityInfos, as EF.CardAccess holds them, are malformed (SPEC.md, 9.2)."""

    default_code = "access.card-access-malformed"


class CardSecurityError(CardDataError):
    """EF.CardSecurity is not one object (SPEC.md, 5.8)."""

    default_code = "card-security.not-proven"


class CommonDataError(CardDataError):
    """EF.COM is malformed (SPEC.md, 9.12)."""

    default_code = "common-data.malformed"


class SecurityObjectFileError(CardDataError):
    """EF.SOD does not wrap one object (SPEC.md, 9.3)."""

    default_code = "security-object.malformed"


class AtrInfoError(CardDataError):
    """EF.ATR/INFO is malformed (SPEC.md, 3.3)."""

    default_code = "atr-info.malformed"


class TrustPointsError(CardDataError):
    """EF.CVCA is malformed (SPEC.md, 3.12)."""

    default_code = "terminal-authentication.trust-points-malformed"


class malformed_as:  # noqa: N801 - reads as the verb that it is
    """Turn whatever breaks inside into ``error_type``, naming the file or structure it broke in."""

    __slots__ = ("_error_type", "_what")

    def __init__(self, error_type: type[CardDataError], what: str) -> None:
        self._error_type = error_type
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, CardDataError) and not isinstance(error, self._error_type):
            raise self._error_type(f"{self._what}: {error}") from error
