"""The list of organisations: its columns, and the rules by which a row is taken or refused."""

import enum
from functools import partial

from issuer.domain.list_row import Finding, ListRow, RowReader
from issuer.domain.organisation import (
    Organisation,
    parse_committee_number,
)
from issuer.domain.organisation_code import PRINTABLE_CODES, OrganisationCodeScheme
from issuer.domain.vietnamese_text import clean_text

__all__ = ["OrganisationColumn", "judge_organisation_row"]

_NAME_BYTES = 320


class OrganisationColumn(enum.StrEnum):
    """The columns, in the template's order."""

    CODE = "code"
    NAME = "name"
    PARENT_CODE = "parent_code"
    COMMITTEE_NUMBER = "committee_number"


def judge_organisation_row(
    row: ListRow, *, scheme: OrganisationCodeScheme = PRINTABLE_CODES
) -> Organisation | tuple[Finding, ...]:
    """Judge one row by itself.

    Returns:
        The organisation, or every finding (at least one) where the row is refused.
    """
    reader = RowReader(row)
    code = reader.required(OrganisationColumn.CODE, scheme.parse)
    name = reader.required(OrganisationColumn.NAME, partial(clean_text, max_bytes=_NAME_BYTES))
    parent_code = reader.optional(OrganisationColumn.PARENT_CODE, scheme.parse)
    committee_number = reader.optional(OrganisationColumn.COMMITTEE_NUMBER, parse_committee_number)
    if reader.findings or code is None or name is None:
        return tuple(reader.findings)
    return Organisation(
        code=code, name=name, parent_code=parent_code, committee_number=committee_number
    )
