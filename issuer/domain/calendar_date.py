"""Dates as lists write them."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from issuer.errors import IssuerDataError

__all__ = ["DateForm", "full_years", "parse_date", "parse_date_form"]

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_VIETNAMESE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", re.ASCII)


_FORM_PART = re.compile(r"YYYY|MM|DD|M|D|[^A-Za-z0-9]", re.ASCII)
_FORM_PATTERNS = {
    "YYYY": "(?P<year>[0-9]{4})",
    "MM": "(?P<month>[0-9]{2})",
    "M": "(?P<month>[0-9]{1,2})",
    "DD": "(?P<day>[0-9]{2})",
    "D": "(?P<day>[0-9]{1,2})",
}
_MAX_FORM_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class DateForm:
    """One way to write a date, such as DD.MM.YYYY."""

    name: str
    pattern: re.Pattern[str]

    def parse(self, written: str) -> date:
        """The date that is written so.

        Raises:
            IssuerDataError: ``date.malformed``, ``date.impossible``.
        """
        match = self.pattern.fullmatch(written)
        if match is None:
            raise IssuerDataError(
                f"date of {len(written)} characters is not written {self.name}",
                code="date.malformed",
            )
        return _date_of(int(match["year"]), int(match["month"]), int(match["day"]))

    def write(self, day: date) -> str:
        """A date written so."""
        values = {
            "YYYY": f"{day.year:04}", "MM": f"{day.month:02}", "M": str(day.month),
            "DD": f"{day.day:02}", "D": str(day.day),
        }  # fmt: skip
        return "".join(values.get(part, part) for part in _FORM_PART.findall(self.name))


def parse_date_form(text: str) -> DateForm:
    """A form made of YYYY, MM or M, DD or D, each once, and signs between them.

    Raises:
        IssuerDataError: ``mapping.date-form``.
    """
    parts = _FORM_PART.findall(text)
    kinds = sorted(part[0] for part in parts if part in _FORM_PATTERNS)
    if (
        "".join(parts) != text
        or kinds != ["D", "M", "Y"]
        or len(text) > _MAX_FORM_CHARACTERS
        or not text.isprintable()
    ):
        raise IssuerDataError(
            f"date form {text!r}, expected YYYY, MM or M, DD or D, each once, with signs between them",
            code="mapping.date-form",
        )
    pattern = "".join(_FORM_PATTERNS.get(part) or re.escape(part) for part in parts)
    return DateForm(text, re.compile(pattern, re.ASCII))


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
        return _date_of(int(match[1]), int(match[2]), int(match[3]))
    if match := _VIETNAMESE.fullmatch(written):
        return _date_of(int(match[3]), int(match[2]), int(match[1]))
    raise IssuerDataError(
        f"date of {len(written)} characters is written neither YYYY-MM-DD nor DD/MM/YYYY",
        code="date.malformed",
    )


def _date_of(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise IssuerDataError("the calendar has no such day", code="date.impossible") from error


def full_years(since: date, until: date) -> int:
    """Birthdays between two dates; somebody born on 29 February has theirs on 1 March of other years."""
    return until.year - since.year - ((until.month, until.day) < (since.month, since.day))
