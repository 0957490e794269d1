"""The rules that hold among the fields of a member, whoever states them: a list or a change."""

import enum
import re
from datetime import date
from functools import partial
from typing import Final

from card_layout.errors import CardDataError
from card_layout.names import mrz_name
from issuer.domain.calendar_date import full_years
from issuer.domain.list_row import RowReader
from issuer.domain.member import MemberName, Standing
from issuer.domain.organisation import OrganisationCode, OrganisationTree
from issuer.domain.vietnamese_text import VIETNAMESE_LETTERS, clean_name
from issuer.errors import IssuerDataError

__all__ = [
    "ETHNIC_GROUP_BYTES",
    "PLACE_BYTES",
    "MemberColumn",
    "judge_ages",
    "judge_committee",
    "judge_order",
    "judge_serving",
    "judge_standing",
    "read_name",
]

PLACE_BYTES: Final = 320
ETHNIC_GROUP_BYTES: Final = 64
_NAME_BYTES: Final = 160
_FULL_NAME_BYTES: Final = 320
_MIN_AGE: Final = 18
_MAX_AGE: Final = 120


class MemberColumn(enum.StrEnum):
    """The columns of the template, in its order."""

    RECORD_NUMBER = "record_number"
    CITIZEN_NUMBER = "citizen_number"
    FULL_NAME = "full_name"
    PRIMARY_NAME = "primary_name"
    SECONDARY_NAME = "secondary_name"
    BIRTH_DATE = "birth_date"
    SEX = "sex"
    PLACE_OF_BIRTH = "place_of_birth"
    HOME_TOWN = "home_town"
    ETHNIC_GROUP = "ethnic_group"
    ADMISSION_DATE = "admission_date"
    RECOGNITION_DATE = "recognition_date"
    ORGANISATION_CODE = "organisation_code"
    PORTRAIT = "portrait"
    EARLIER_CARD_NUMBER = "earlier_card_number"
    RESIDENCE = "residence"
    PHONE = "phone"
    STANDING = "standing"
    STANDING_SINCE = "standing_since"
    SERVED_IN = "served_in"


_Column = MemberColumn
_FULL_NAME = partial(clean_name, max_bytes=_FULL_NAME_BYTES)
_PART = partial(clean_name, max_bytes=_NAME_BYTES)
_FITS_MRZ = re.compile(rf"[{VIETNAMESE_LETTERS} ]{{1,28}}")
"""Names that have a place in the machine-readable zone without a closer look: letters of A-Z with marks, and Đ."""


def read_name(reader: RowReader) -> MemberName | None:
    """The name and its parts; where the parts are not given, the whole name is primary (ICAO 9303-3, 4.6)."""
    full = reader.required(_Column.FULL_NAME, _FULL_NAME)
    primary = reader.optional(_Column.PRIMARY_NAME, _PART)
    secondary = reader.optional(_Column.SECONDARY_NAME, _PART)
    if full is None or reader.has_findings(_Column.PRIMARY_NAME, _Column.SECONDARY_NAME):
        return None
    if primary is None and secondary is None:
        # The whole name has to fit where a part of one would stand.
        if reader.checked(_Column.FULL_NAME, lambda: _PART(full)) is None:
            return None
        name = MemberName(full=full, primary=full)
    else:
        if full != f"{primary} {secondary}" and sorted(full.split()) != sorted(
            f"{primary or ''} {secondary or ''}".split()
        ):
            reader.refuse(
                _Column.PRIMARY_NAME,
                "name.parts-differ",
                "primary and secondary name together do not hold the words of the full name",
            )
            return None
        if primary is None:
            reader.refuse(
                _Column.PRIMARY_NAME,
                "name.primary-empty",
                "the secondary name is given and the primary one is not",
            )
            return None
        name = MemberName(full=full, primary=primary, secondary=secondary or "")
    if _FITS_MRZ.fullmatch(f"{name.primary}  {name.secondary}"):
        return name
    return reader.checked(_Column.FULL_NAME, lambda: _with_mrz(name))


def _with_mrz(name: MemberName) -> MemberName:
    try:
        mrz_name(name.primary, name.secondary)
    except CardDataError as error:
        raise IssuerDataError(
            f"the name cannot stand in the machine-readable zone: {error}", code=error.code
        ) from error
    return name


def judge_standing(
    reader: RowReader,
    standing: Standing,
    since: date | None,
    recognition_date: date | None,
    today: date,
) -> None:
    """An official member was recognised, one on probation was not yet, and nobody's standing begins tomorrow."""
    if since is not None and since > today:
        reader.refuse(_Column.STANDING_SINCE, "standing-since.future", "the date is in the future")
    if standing is Standing.PROBATIONARY and recognition_date is not None:
        reader.refuse(
            _Column.RECOGNITION_DATE,
            "recognition-date.on-probation",
            "the member is on probation and has a date of recognition",
        )
    if (
        standing is Standing.OFFICIAL
        and recognition_date is None
        and not reader.has_findings(_Column.RECOGNITION_DATE)
    ):
        reader.refuse(
            _Column.RECOGNITION_DATE,
            "recognition-date.missing",
            "the member is official and has no date of recognition",
        )


def judge_ages(
    reader: RowReader, birth_date: date, admission_date: date | None, today: date
) -> None:
    """A member is 18 to 120 years old, and was 18 at admission."""
    if birth_date > today or not _MIN_AGE <= full_years(birth_date, today) <= _MAX_AGE:
        reader.refuse(
            _Column.BIRTH_DATE,
            "birth-date.age",
            f"the age today is not {_MIN_AGE} to {_MAX_AGE} years",
        )
    elif admission_date is not None and full_years(birth_date, admission_date) < _MIN_AGE:
        reader.refuse(
            _Column.ADMISSION_DATE,
            "admission-date.age",
            f"the age at admission is under {_MIN_AGE} years",
        )


def judge_order(
    reader: RowReader, admission_date: date | None, recognition_date: date | None, today: date
) -> None:
    """Admission comes before recognition, and neither lies ahead."""
    if admission_date is not None and admission_date > today:
        reader.refuse(
            _Column.ADMISSION_DATE,
            "admission-date.future",
            "the date of admission is in the future",
        )
    if recognition_date is None:
        return
    if recognition_date > today:
        reader.refuse(
            _Column.RECOGNITION_DATE,
            "recognition-date.future",
            "the date of recognition is in the future",
        )
    if admission_date is not None and recognition_date < admission_date:
        reader.refuse(
            _Column.RECOGNITION_DATE,
            "recognition-date.order",
            "the date of recognition lies before the date of admission",
        )


def judge_serving(
    reader: RowReader,
    served_in: OrganisationCode,
    organisation_code: OrganisationCode | None,
    organisations: OrganisationTree,
) -> None:
    """A member is served in another organisation of the register, or in that of the record."""
    if served_in not in organisations:
        reader.refuse(
            _Column.SERVED_IN,
            "organisation.unknown",
            f"organisation {served_in} is not in the register",
        )
    elif served_in == organisation_code:
        reader.refuse(
            _Column.SERVED_IN,
            "served-in.same",
            f"organisation {served_in} records the member; the cell stays empty where it serves them too",
        )


def judge_committee(
    reader: RowReader,
    organisation_code: OrganisationCode,
    organisations: OrganisationTree,
) -> None:
    """The organisation is known, and card numbers can be given out for it."""
    if organisation_code not in organisations:
        reader.refuse(
            _Column.ORGANISATION_CODE,
            "organisation.unknown",
            f"organisation {organisation_code} is not in the register",
        )
        return
    if organisations.committee_number(organisation_code) is None:
        reader.refuse(
            _Column.ORGANISATION_CODE,
            "organisation.no-committee-number",
            f"neither organisation {organisation_code} nor any above it has a committee number",
        )
