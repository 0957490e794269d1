"""What opens a card: the card access number, or the machine-readable zone, as a person or a scanner gives it."""

import re
from dataclasses import dataclass, field
from typing import Final, Self

from card_layout.errors import CardDataError
from card_layout.mrz import LENGTH, MachineReadableZone, check_digit
from card_layout.protocols.pace import PacePassword
from verifier.errors import UsageError
from verifier.inspection.snapshot import AccessPath

__all__ = ["CardPassword"]

_MAX_INPUT_CHARACTERS: Final = 1024
_NUMBER: Final = re.compile(r"[A-Z0-9][A-Z0-9<]{0,8}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_LINE_CHARACTERS: Final = 30
_INFORMATION_CHARACTERS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPassword:
    """A password and the way in that it is for; ``information`` is the MRZ information of 24 characters."""

    path: AccessPath
    secret: PacePassword = field(repr=False)
    information: str | None = field(default=None, repr=False)

    @classmethod
    def from_can(cls, text: str) -> Self:
        """The six digits printed on the card.

        Raises:
            UsageError: anything else; the text is never quoted.
        """
        try:
            secret = PacePassword.can(text.strip())
        except CardDataError as error:
            raise UsageError(
                "the card access number is not six digits",
                hint="the card access number stands on the card; `--can -` reads it from standard input",
            ) from error
        return cls(path=AccessPath.PACE_CAN, secret=secret)

    @classmethod
    def from_mrz(cls, text: str) -> Self:
        """Three lines of the zone, its 90 characters, its 24 characters of information, or number/birth/expiry.

        The last form is ``NUMBER/YYMMDD/YYMMDD``, separated by slashes, spaces or line ends, for whoever types.

        Raises:
            UsageError: anything else, or a wrong check digit; the text is never quoted.
        """
        try:
            information = _information(text)
            secret = PacePassword.mrz(information)
        except CardDataError as error:
            raise UsageError(
                f"the machine-readable zone cannot be used: {error}",
                hint="give its three lines of 30 characters, or NUMBER/YYMMDD/YYMMDD (number, birth, expiry)",
            ) from error
        return cls(path=AccessPath.PACE_MRZ, secret=secret, information=information)


def _information(text: str) -> str:
    if len(text) > _MAX_INPUT_CHARACTERS:
        raise CardDataError(
            f"it has {len(text)} characters, expected at most {_MAX_INPUT_CHARACTERS}"
        )
    parts = [part.upper() for part in re.split(r"[\s/]+", text) if part]
    joined = "".join(parts)
    if len(joined) == LENGTH and all(len(part) % _LINE_CHARACTERS == 0 for part in parts):
        return MachineReadableZone.from_text(joined).information
    if len(parts) == 1 and len(joined) == _INFORMATION_CHARACTERS:
        return joined
    if len(parts) == 3 and _NUMBER.fullmatch(parts[0]) and all(map(_DATE.fullmatch, parts[1:])):
        number = parts[0].ljust(9, "<")
        return "".join(value + check_digit(value) for value in (number, *parts[1:]))
    raise CardDataError(
        f"it has {len(joined)} characters in {len(parts)} parts, expected {LENGTH} characters or three parts"
    )
