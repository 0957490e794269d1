"""Telephone numbers of members."""

import re
from typing import NewType

from issuer.errors import IssuerDataError

__all__ = ["PhoneNumber", "parse_phone_number"]

PhoneNumber = NewType("PhoneNumber", str)
"""Eight to fifteen digits (ITU-T E.164, 6.1), a plus sign before them where the country is named."""

_LAYOUT = re.compile(r"[ .\-]")
_PHONE_NUMBER = re.compile(r"\+?[0-9]{8,15}", re.ASCII)


def parse_phone_number(text: str) -> PhoneNumber:
    """A number as people write it: spaces, points and hyphens between the digits are layout.

    Raises:
        IssuerDataError: ``phone.malformed``.
    """
    number = _LAYOUT.sub("", text)
    if not _PHONE_NUMBER.fullmatch(number):
        raise IssuerDataError(
            f"telephone number of {len(text)} characters, expected 8 to 15 digits",
            code="phone.malformed",
        )
    return PhoneNumber(number)
