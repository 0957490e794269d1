"""The list of organisations: its columns, and the rules by which a row is taken or refused."""

import enum
from dataclasses import dataclass
from datetime import date
from functools import partial

from issuer.domain.calendar_date import parse_date
from issuer.domain.list_row import Finding, ListRow, RowReader
from issuer.domain.organisation import (
    Organisation,
    parse_committee_number,
)
from issuer.domain.organisation_code import PRINTABLE_CODES, OrganisationCodeScheme
from issuer.domain.vietnamese_text import clean_text

__all__ = [
    "OPTIONAL_COLUMNS",
    "REQUIRED_COLUMNS",
    "JudgedOrganisation",
    "OrganisationColumn",
    "judge_organisation_row",
]

_NAME_BYTES = 320
_LEVEL_BYTES = 64


class OrganisationColumn(enum.StrEnum):
    """The columns, in the template's order."""

    CODE = "code"
    NAME = "name"
    PARENT_CODE = "parent_code"
    COMMITTEE_NUMBER = "committee_number"
    LEVEL = "level"
    VALID_FROM = "valid_from"


OPTIONAL_COLUMNS = (OrganisationColumn.LEVEL, OrganisationColumn.VALID_FROM)
"""Columns that a list may leave out."""

REQUIRED_COLUMNS = tuple(each for each in OrganisationColumn if each not in OPTIONAL_COLUMNS)
"""Columns that every list has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOrganisation:
    """A row that keeps every rule of form; ``valid_from`` is the first day, where the list says it."""

    organisation: Organisation
    valid_from: date | None


def judge_organisation_row(
    row: ListRow, *, scheme: OrganisationCodeScheme = PRINTABLE_CODES
) -> JudgedOrganisation | tuple[Finding, ...]:
    """Judge one row by itself.

    Returns:
        The organisation, or every finding (at least one) where the row is refused.
    """
    reader = RowReader(row)
    code = reader.required(OrganisationColumn.CODE, scheme.parse)
    name = reader.required(OrganisationColumn.NAME, partial(clean_text, max_bytes=_NAME_BYTES))
    parent_code = reader.optional(OrganisationColumn.PARENT_CODE, scheme.parse)
    committee_number = reader.optional(OrganisationColumn.COMMITTEE_NUMBER, parse_committee_number)
    level = reader.optional(OrganisationColumn.LEVEL, partial(clean_text, max_bytes=_LEVEL_BYTES))
    first_day = reader.cell(OrganisationColumn.VALID_FROM)
    valid_from = None
    if first_day is not None:
        valid_from = reader.checked(OrganisationColumn.VALID_FROM, lambda: parse_date(first_day))
    if reader.findings or code is None or name is None:
        return tuple(reader.findings)
    return JudgedOrganisation(
        organisation=Organisation(
            code=code,
            name=name,
            parent_code=parent_code,
            committee_number=committee_number,
            level=level,
        ),
        valid_from=valid_from,
    )
