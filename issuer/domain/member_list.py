"""The member list: its columns, and the rules by which a row is taken or refused (docs/member-list.md)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

from issuer.domain.calendar_date import parse_date
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.list_row import Finding, ListRow, RowMemory, RowReader
from issuer.domain.member import MemberStatement, Sex, Standing
from issuer.domain.member_rules import (
    ETHNIC_GROUP_BYTES,
    PLACE_BYTES,
    MemberColumn,
    judge_ages,
    judge_committee,
    judge_order,
    judge_serving,
    judge_standing,
    read_name,
)
from issuer.domain.organisation import OrganisationTree, parse_organisation_code
from issuer.domain.phone_number import parse_phone_number
from issuer.domain.record_number import parse_citizen_number, parse_record_number
from issuer.domain.standing import parse_standing
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError

__all__ = ["JudgedRow", "MemberColumn", "judge_member_row", "parse_sex"]

_PORTRAIT_NAME_BYTES = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRow:
    """A row that keeps every rule of form: what it states, and the file name of its portrait.

    ``doubts`` are what a person has to look at before it is taken.
    """

    number: int
    statement: MemberStatement
    portrait_name: str
    doubts: tuple[Finding, ...] = ()


_Column = MemberColumn
_PLACE = partial(clean_text, max_bytes=PLACE_BYTES)
_ETHNIC_GROUP = partial(clean_text, max_bytes=ETHNIC_GROUP_BYTES)
_PLAIN_PORTRAIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""Names that need no closer look."""

_FORBIDDEN_IN_FILE_NAMES = frozenset('/\\:*?"<>|')
_SEXES: Mapping[str, Sex] = {
    "m": Sex.MALE,
    "nam": Sex.MALE,
    "f": Sex.FEMALE,
    "nữ": Sex.FEMALE,
}


def judge_member_row(
    row: ListRow,
    *,
    organisations: OrganisationTree,
    scheme: CardNumberScheme,
    today: date,
    memory: RowMemory | None = None,
) -> JudgedRow | tuple[Finding, ...]:
    """Judge one row by itself; what the register and the other rows hold is not looked at here.

    Args:
        row: its cells.
        organisations: the tree of the register.
        scheme: how card numbers are built.
        today: the day that ages are reckoned from.
        memory: what earlier rows of the same list were read as.

    Returns:
        The row's values, or every finding (at least one) where it is refused.
    """
    reader = RowReader(row, memory)
    record_number = reader.required(_Column.RECORD_NUMBER, parse_record_number)
    citizen_number = reader.required(_Column.CITIZEN_NUMBER, parse_citizen_number)
    name = read_name(reader)
    birth_date = _read_date(reader, _Column.BIRTH_DATE)
    sex = reader.required(_Column.SEX, parse_sex)
    place_of_birth = reader.required(_Column.PLACE_OF_BIRTH, _PLACE)
    home_town = reader.required(_Column.HOME_TOWN, _PLACE)
    ethnic_group = reader.required(_Column.ETHNIC_GROUP, _ETHNIC_GROUP)
    admission_date = _read_date(reader, _Column.ADMISSION_DATE)
    standing = _read_standing(reader)
    recognition_date = _read_recognition_date(reader, standing)
    organisation_code = reader.required(_Column.ORGANISATION_CODE, parse_organisation_code)
    portrait_name = reader.required(_Column.PORTRAIT, _parse_portrait_name)
    residence = reader.optional(_Column.RESIDENCE, _PLACE)
    phone = reader.optional(_Column.PHONE, parse_phone_number)
    earlier_card_number = reader.optional(_Column.EARLIER_CARD_NUMBER, scheme.parse)
    standing_since = _read_optional_date(reader, _Column.STANDING_SINCE)
    served_in = reader.optional(_Column.SERVED_IN, parse_organisation_code)
    if birth_date is not None:
        judge_ages(reader, birth_date, admission_date, today)
    judge_order(reader, admission_date, recognition_date, today)
    if standing is not None:
        judge_standing(reader, standing, standing_since, recognition_date, today)
    if served_in is not None:
        judge_serving(reader, served_in, organisation_code, organisations)
    if organisation_code is not None:
        judge_committee(reader, organisation_code, organisations)
    if (
        reader.findings
        or record_number is None
        or citizen_number is None
        or name is None
        or birth_date is None
        or sex is None
        or place_of_birth is None
        or home_town is None
        or ethnic_group is None
        or admission_date is None
        or standing is None
        or organisation_code is None
        or portrait_name is None
    ):
        return tuple(reader.findings)
    return JudgedRow(
        number=row.number,
        statement=MemberStatement(
            record_number=record_number,
            citizen_number=citizen_number,
            name=name,
            birth_date=birth_date,
            sex=sex,
            place_of_birth=place_of_birth,
            home_town=home_town,
            ethnic_group=ethnic_group,
            admission_date=admission_date,
            recognition_date=recognition_date,
            organisation_code=organisation_code,
            residence=residence,
            phone=phone,
            standing=standing,
            standing_since=standing_since
            or (recognition_date if standing is Standing.OFFICIAL else None),
            served_in=served_in,
            earlier_card_number=earlier_card_number,
        ),
        portrait_name=portrait_name,
    )


def _read_date(reader: RowReader, column: MemberColumn) -> date | None:
    return reader.any_cell(column, parse_date)


def _read_optional_date(reader: RowReader, column: MemberColumn) -> date | None:
    return None if reader.cell(column) is None else _read_date(reader, column)


def _read_standing(reader: RowReader) -> Standing | None:
    """The standing; an empty cell states an official member, as lists for cards always did."""
    if reader.cell(_Column.STANDING) is None:
        return Standing.OFFICIAL
    return reader.optional(_Column.STANDING, parse_standing)


def _read_recognition_date(reader: RowReader, standing: Standing | None) -> date | None:
    """Who is official was recognised on some day, and who is on probation was not yet."""
    if standing is Standing.OFFICIAL:
        return _read_date(reader, _Column.RECOGNITION_DATE)
    return _read_optional_date(reader, _Column.RECOGNITION_DATE)


def parse_sex(text: str) -> Sex:
    """The sex as lists write it.

    Raises:
        IssuerDataError: ``sex.unknown``.
    """
    sex = _SEXES.get(unicodedata.normalize("NFC", text).lower())
    if sex is None:
        raise IssuerDataError("the sex is none of M, F, nam, nữ", code="sex.unknown")
    return sex


def _parse_portrait_name(text: str) -> str:
    """A file name that stays within its directory on every system."""
    if _PLAIN_PORTRAIT_NAME.fullmatch(text):
        return text
    if (
        len(text.encode(errors="replace")) > _PORTRAIT_NAME_BYTES
        or text.startswith(".")
        or not text.isprintable()
        or not _FORBIDDEN_IN_FILE_NAMES.isdisjoint(text)
    ):
        raise IssuerDataError(
            "the portrait is not the name of a file within the portraits directory",
            code="portrait.name",
        )
    return text
