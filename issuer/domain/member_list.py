"""The member list: its columns, and the rules by which a row is taken or refused (docs/member-list.md)."""

import enum
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

from card_layout.errors import CardDataError
from card_layout.names import mrz_name
from issuer.domain.calendar_date import full_years, parse_date
from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.list_row import Finding, ListRow, RowReader
from issuer.domain.member import IssueKind, MemberName, MemberStatement, Sex, Standing
from issuer.domain.organisation import OrganisationCode, OrganisationTree, parse_organisation_code
from issuer.domain.phone_number import parse_phone_number
from issuer.domain.record_number import parse_citizen_number, parse_record_number
from issuer.domain.standing import parse_standing
from issuer.domain.vietnamese_text import clean_name, clean_text
from issuer.errors import IssuerDataError

__all__ = ["JudgedRow", "MemberColumn", "judge_member_row"]

_MIN_AGE = 18
_MAX_AGE = 120
_NAME_BYTES = 160
_FULL_NAME_BYTES = 320
_PLACE_BYTES = 320
_ETHNIC_GROUP_BYTES = 64
_PORTRAIT_NAME_BYTES = 255


class MemberColumn(enum.StrEnum):
    """The columns of the template, in its order."""

    CARD_NUMBER = "card_number"
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
    KIND = "kind"
    ORDINAL = "ordinal"
    PORTRAIT = "portrait"
    EARLIER_CARD_NUMBER = "earlier_card_number"
    RESIDENCE = "residence"
    PHONE = "phone"
    STANDING = "standing"
    STANDING_SINCE = "standing_since"
    SERVED_IN = "served_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRow:
    """A row that keeps every rule of form: what it states, and the file name of its portrait."""

    number: int
    statement: MemberStatement
    portrait_name: str


_Column = MemberColumn
_ORDINAL = re.compile(r"[1-9][0-9]?", re.ASCII)
_FORBIDDEN_IN_FILE_NAMES = frozenset('/\\:*?"<>|')
_SEXES: Mapping[str, Sex] = {
    "m": Sex.MALE,
    "nam": Sex.MALE,
    "f": Sex.FEMALE,
    "nữ": Sex.FEMALE,
}


def judge_member_row(
    row: ListRow, *, organisations: OrganisationTree, scheme: CardNumberScheme, today: date
) -> JudgedRow | tuple[Finding, ...]:
    """Judge one row by itself; what the register and the other rows hold is not looked at here.

    Returns:
        The row's values, or every finding (at least one) where it is refused.
    """
    reader = RowReader(row)
    card_number = reader.required(_Column.CARD_NUMBER, scheme.parse)
    record_number = reader.required(_Column.RECORD_NUMBER, parse_record_number)
    citizen_number = reader.required(_Column.CITIZEN_NUMBER, parse_citizen_number)
    name = _read_name(reader)
    birth_date = _read_date(reader, _Column.BIRTH_DATE)
    sex = reader.required(_Column.SEX, _parse_sex)
    place_of_birth = reader.required(
        _Column.PLACE_OF_BIRTH, partial(clean_text, max_bytes=_PLACE_BYTES)
    )
    home_town = reader.required(_Column.HOME_TOWN, partial(clean_text, max_bytes=_PLACE_BYTES))
    ethnic_group = reader.required(
        _Column.ETHNIC_GROUP, partial(clean_text, max_bytes=_ETHNIC_GROUP_BYTES)
    )
    admission_date = _read_date(reader, _Column.ADMISSION_DATE)
    standing = _read_standing(reader)
    recognition_date = _read_recognition_date(reader, standing)
    organisation_code = reader.required(_Column.ORGANISATION_CODE, parse_organisation_code)
    kind = reader.required(_Column.KIND, _parse_kind)
    ordinal = _read_ordinal(reader)
    portrait_name = reader.required(_Column.PORTRAIT, _parse_portrait_name)
    residence = reader.optional(_Column.RESIDENCE, partial(clean_text, max_bytes=_PLACE_BYTES))
    phone = reader.optional(_Column.PHONE, parse_phone_number)
    earlier_card_number = reader.optional(_Column.EARLIER_CARD_NUMBER, scheme.parse)
    standing_since = _read_optional_date(reader, _Column.STANDING_SINCE)
    served_in = reader.optional(_Column.SERVED_IN, parse_organisation_code)
    if birth_date is not None:
        _judge_ages(reader, birth_date, admission_date, today)
    _judge_order(reader, admission_date, recognition_date, today)
    if standing_since is not None and standing_since > today:
        reader.refuse(_Column.STANDING_SINCE, "standing-since.future", "the date is in the future")
    if served_in is not None:
        _judge_serving(reader, served_in, organisation_code, organisations)
    if organisation_code is not None:
        _judge_committee(reader, organisation_code, card_number, organisations, scheme)
    if kind is IssueKind.FIRST_ISSUE and ordinal is not None and ordinal != 1:
        reader.refuse(
            _Column.ORDINAL, "ordinal.not-first", f"a first issue has ordinal {ordinal}, expected 1"
        )
    if (
        reader.findings
        or card_number is None
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
        or kind is None
        or ordinal is None
        or portrait_name is None
    ):
        return tuple(reader.findings)
    return JudgedRow(
        number=row.number,
        statement=MemberStatement(
            card_number=card_number,
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
            kind=kind,
            ordinal=ordinal,
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


def _read_name(reader: RowReader) -> MemberName | None:
    """The name and its parts; where the parts are not given, the whole name is primary (ICAO 9303-3, 4.6)."""
    full = reader.required(_Column.FULL_NAME, partial(clean_name, max_bytes=_FULL_NAME_BYTES))
    part = partial(clean_name, max_bytes=_NAME_BYTES)
    primary = reader.optional(_Column.PRIMARY_NAME, part)
    secondary = reader.optional(_Column.SECONDARY_NAME, part)
    if full is None or reader.has_findings(_Column.PRIMARY_NAME, _Column.SECONDARY_NAME):
        return None
    if primary is None and secondary is None:
        # The whole name has to fit where a part of one would stand.
        if reader.checked(_Column.FULL_NAME, lambda: part(full)) is None:
            return None
        name = MemberName(full=full, primary=full)
    else:
        if sorted(full.split()) != sorted(f"{primary or ''} {secondary or ''}".split()):
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
    return reader.checked(_Column.FULL_NAME, lambda: _with_mrz(name))


def _with_mrz(name: MemberName) -> MemberName:
    try:
        mrz_name(name.primary, name.secondary)
    except CardDataError as error:
        raise IssuerDataError(
            f"the name cannot stand in the machine-readable zone: {error}", code=error.code
        ) from error
    return name


def _read_date(reader: RowReader, column: MemberColumn) -> date | None:
    cell = reader.cell(column)
    if cell is None:
        reader.refuse(column, "cell.empty", "the cell is empty")
        return None
    return reader.checked(column, lambda: parse_date(cell))


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
    recognition_date = _read_optional_date(reader, _Column.RECOGNITION_DATE)
    if standing is Standing.PROBATIONARY and recognition_date is not None:
        reader.refuse(
            _Column.RECOGNITION_DATE,
            "recognition-date.on-probation",
            "the member is on probation and has a date of recognition",
        )
    return recognition_date


def _read_ordinal(reader: RowReader) -> int | None:
    cell = reader.cell(_Column.ORDINAL)
    if cell is None:
        reader.refuse(_Column.ORDINAL, "cell.empty", "the cell is empty")
        return None
    return reader.checked(_Column.ORDINAL, lambda: _parse_ordinal(cell))


def _parse_ordinal(cell: str | float | date) -> int:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and 1 <= cell <= 99:
        if cell == int(cell):
            return int(cell)
    elif isinstance(cell, str) and _ORDINAL.fullmatch(cell):
        return int(cell)
    raise IssuerDataError(
        "the ordinal is not a whole number from 1 to 99", code="ordinal.malformed"
    )


def _parse_sex(text: str) -> Sex:
    sex = _SEXES.get(unicodedata.normalize("NFC", text).lower())
    if sex is None:
        raise IssuerDataError("the sex is none of M, F, nam, nữ", code="sex.unknown")
    return sex


def _parse_kind(text: str) -> IssueKind:
    try:
        return IssueKind(text)
    except ValueError as error:
        known = ", ".join(kind.value for kind in IssueKind)
        raise IssuerDataError(f"the kind is none of {known}", code="kind.unknown") from error


def _parse_portrait_name(text: str) -> str:
    """A file name that stays within its directory on every system."""
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


def _judge_ages(
    reader: RowReader, birth_date: date, admission_date: date | None, today: date
) -> None:
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


def _judge_order(
    reader: RowReader, admission_date: date | None, recognition_date: date | None, today: date
) -> None:
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


def _judge_serving(
    reader: RowReader,
    served_in: OrganisationCode,
    organisation_code: OrganisationCode | None,
    organisations: OrganisationTree,
) -> None:
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


def _judge_committee(
    reader: RowReader,
    organisation_code: OrganisationCode,
    card_number: CardNumber | None,
    organisations: OrganisationTree,
    scheme: CardNumberScheme,
) -> None:
    if organisation_code not in organisations:
        reader.refuse(
            _Column.ORGANISATION_CODE,
            "organisation.unknown",
            f"organisation {organisation_code} is not in the register",
        )
        return
    expected = organisations.committee_number(organisation_code)
    if expected is None:
        reader.refuse(
            _Column.ORGANISATION_CODE,
            "organisation.no-committee-number",
            f"neither organisation {organisation_code} nor any above it has a committee number",
        )
    elif card_number is not None and scheme.committee_number(card_number) != expected:
        reader.refuse(
            _Column.CARD_NUMBER,
            "card-number.other-committee",
            f"the card number does not begin with {expected}, the committee number of "
            f"organisation {organisation_code}",
        )
