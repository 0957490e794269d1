"""Dates as lists write them."""

import re
from datetime import date, datetime

from issuer.errors import IssuerDataError

__all__ = ["full_years", "parse_date"]

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_VIETNAMESE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", re.ASCII)


def parse_date(written: str | float | date | None) -> date:
    """A date of a spreadsheet, or text written YYYY-MM-DD or DD/MM/YYYY.

    Raises:
        IssuerDataError: it is written in another way (``date.malformed``), or the calendar has no such day
            (``date.impossible``).
    """
    if isinstance(written, datetime):
        if written.time().isoformat() != "00:00:00":
            raise IssuerDataError("the date has a time of day", code="date.malformed")
        return written.date()
    if isinstance(written, date):
        return written
    if not isinstance(written, str):
        raise IssuerDataError(
            "the cell holds a number, expected a date or text", code="date.malformed"
        )
    if match := _ISO.fullmatch(written):
        year, month, day = (int(digits) for digits in match.groups())
    elif match := _VIETNAMESE.fullmatch(written):
        day, month, year = (int(digits) for digits in match.groups())
    else:
        raise IssuerDataError(
            f"date of {len(written)} characters is written neither YYYY-MM-DD nor DD/MM/YYYY",
            code="date.malformed",
        )
    try:
        return date(year, month, day)
    except ValueError as error:
        raise IssuerDataError("the calendar has no such day", code="date.impossible") from error


def full_years(since: date, until: date) -> int:
    """Birthdays between two dates; somebody born on 29 February has theirs on 1 March of other years."""
    return until.year - since.year - ((until.month, until.day) < (since.month, since.day))
