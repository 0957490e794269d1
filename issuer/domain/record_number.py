"""The other numbers of a member: the record number and the citizen number (SPEC.md 3.10)."""

import re
from typing import NewType

from issuer.errors import IssuerDataError

__all__ = ["CitizenNumber", "RecordNumber", "parse_citizen_number", "parse_record_number"]

RecordNumber = NewType("RecordNumber", str)
"""Six digits and one to three letters A-Z: the number of the member's record."""

CitizenNumber = NewType("CitizenNumber", str)
"""Twelve digits. Unique in the register, but never a key of anything."""

_RECORD_NUMBER = re.compile(r"[0-9]{6}[A-Z]{1,3}", re.ASCII)
_CITIZEN_NUMBER = re.compile(r"[0-9]{12}", re.ASCII)


def parse_record_number(text: str) -> RecordNumber:
    """A record number as people and files write it; small letters become capitals.

    Raises:
        IssuerDataError: ``record-number.malformed``.
    """
    # Only ASCII letters are raised: 'ß'.upper() would otherwise become two letters that nobody wrote.
    raised = text.upper() if text.isascii() else text
    if not _RECORD_NUMBER.fullmatch(raised):
        raise IssuerDataError(
            f"record number of {len(text)} characters, expected six digits and one to three letters A-Z",
            code="record-number.malformed",
        )
    return RecordNumber(raised)


def parse_citizen_number(text: str) -> CitizenNumber:
    """A citizen number as people and files write it.

    Raises:
        IssuerDataError: ``citizen-number.malformed``.
    """
    if not _CITIZEN_NUMBER.fullmatch(text):
        raise IssuerDataError(
            f"citizen number of {len(text)} characters, expected twelve digits",
            code="citizen-number.malformed",
        )
    return CitizenNumber(text)
