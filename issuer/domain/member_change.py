"""Changes of a member: what may be changed, how a changed statement is judged, and what history keeps of it."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Final, NewType

from issuer.domain.calendar_date import parse_date
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.list_row import Cell, Finding, ListRow, RowReader
from issuer.domain.member import MemberId, MemberStatement, Standing
from issuer.domain.member_list import parse_sex
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
from issuer.domain.rights import AccountName
from issuer.domain.standing import parse_standing
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "CHANGEABLE",
    "BrokenRulesError",
    "ChangeKind",
    "EvidenceDigest",
    "FieldChange",
    "MemberChange",
    "changed_statement",
    "differences",
    "field_text",
    "judge_standing_event",
]

EvidenceDigest = NewType("EvidenceDigest", bytes)
"""SHA-256 of the document that a change rests on: its key in the evidence store."""

_Column = MemberColumn
_NAME: Final = (_Column.FULL_NAME, _Column.PRIMARY_NAME, _Column.SECONDARY_NAME)


class BrokenRulesError(IssuerDataError):
    """A change whose values break rules; code and sentence are those of the first finding."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(f"{first.column}: {first.sentence}", code=first.code)
        self.findings = tuple(findings)


class ChangeKind(enum.StrEnum):
    """Why a field has another value now."""

    CORRECTION = "correction"
    """What was recorded was wrong, from the beginning."""

    EVENT = "event"
    """Something happened to the member, on a certain day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field before and after, as text; ``None`` is an empty field."""

    column: MemberColumn
    old: str | None = field(repr=False)
    new: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChange:
    """One line of a member's history.

    Attributes:
        member_id: whose.
        version: of the member afterwards; lines with one version were one act.
        at: when it was recorded (aware UTC).
        account: who recorded it.
        kind: a mistake that was put right, or something that happened.
        effective: the day on which it happened; ``None`` for a correction.
        reason: in the words of whoever recorded it.
        evidence: the document that it rests on.
    """

    member_id: MemberId
    version: int
    at: datetime
    account: AccountName
    kind: ChangeKind
    effective: date | None
    reason: str = field(repr=False)
    evidence: EvidenceDigest | None
    change: FieldChange


_OPTIONAL_PLACE = partial(clean_text, max_bytes=PLACE_BYTES)
_PARSERS: Final[Mapping[MemberColumn, tuple[str, bool, Callable[[str], Any]]]] = {
    # Column -> attribute of the statement, whether it must have a value, how its text is read.
    _Column.RECORD_NUMBER: ("record_number", True, parse_record_number),
    _Column.CITIZEN_NUMBER: ("citizen_number", True, parse_citizen_number),
    _Column.BIRTH_DATE: ("birth_date", True, parse_date),
    _Column.SEX: ("sex", True, parse_sex),
    _Column.PLACE_OF_BIRTH: ("place_of_birth", True, _OPTIONAL_PLACE),
    _Column.HOME_TOWN: ("home_town", True, _OPTIONAL_PLACE),
    _Column.ETHNIC_GROUP: (
        "ethnic_group",
        True,
        partial(clean_text, max_bytes=ETHNIC_GROUP_BYTES),
    ),
    _Column.ADMISSION_DATE: ("admission_date", True, parse_date),
    _Column.RECOGNITION_DATE: ("recognition_date", False, parse_date),
    _Column.ORGANISATION_CODE: ("organisation_code", True, parse_organisation_code),
    _Column.RESIDENCE: ("residence", False, _OPTIONAL_PLACE),
    _Column.PHONE: ("phone", False, parse_phone_number),
    _Column.STANDING: ("standing", True, parse_standing),
    _Column.STANDING_SINCE: ("standing_since", False, parse_date),
    _Column.SERVED_IN: ("served_in", False, parse_organisation_code),
}

CHANGEABLE: Final = frozenset({*_NAME, *_PARSERS, _Column.EARLIER_CARD_NUMBER})
"""The fields that a change may name; a portrait is taken anew, and a card belongs to its request."""


def changed_statement(
    statement: MemberStatement,
    wanted: Mapping[MemberColumn, str | None],
    *,
    organisations: OrganisationTree,
    scheme: CardNumberScheme,
    today: date,
) -> MemberStatement:
    """The statement with other values, read and judged as those of a list are.

    A rule that was broken before does not stand in the way of a change that has nothing to do with it.

    Raises:
        IssuerRefusedError: a field cannot be changed in this way (``member.field-fixed``).
        BrokenRulesError: values break rules; the code is that of the first, the sentence names the field.
    """
    for column in wanted:
        if column not in CHANGEABLE:
            raise IssuerRefusedError(
                f"field {column.value} is not changed in this way", code="member.field-fixed"
            )
    cells: dict[str, Cell] = {column.value: text for column, text in wanted.items()}
    if not set(_NAME).isdisjoint(wanted):
        cells = {**{each.value: field_text(statement, each) for each in _NAME}, **cells}
        if statement.name.primary == statement.name.full and _Column.PRIMARY_NAME not in wanted:
            # The parts of the name were not known, and that does not change.
            cells[_Column.PRIMARY_NAME] = None
    reader = RowReader(ListRow(number=0, cells=cells))
    values: dict[str, Any] = {}
    for column in wanted:
        if column in _PARSERS:
            attribute, is_required, parse = _PARSERS[column]
            read = reader.required if is_required else reader.optional
            values[attribute] = read(column, parse)
        elif column is _Column.EARLIER_CARD_NUMBER:
            values["earlier_card_number"] = reader.optional(column, scheme.parse)
    if not set(_NAME).isdisjoint(wanted):
        values["name"] = read_name(reader)
    _raise_any(reader.findings)
    changed = replace(statement, **values)
    known = {(each.column, each.code) for each in _judged(statement, organisations, today)}
    _raise_any(
        [
            each
            for each in _judged(changed, organisations, today)
            if (each.column, each.code) not in known
        ]
    )
    return changed


def differences(old: MemberStatement, new: MemberStatement) -> tuple[FieldChange, ...]:
    """The fields in which two statements differ, in the order of the list's columns."""
    pairs = ((each, field_text(old, each), field_text(new, each)) for each in MemberColumn)
    return tuple(
        FieldChange(column=column, old=before, new=after)
        for column, before, after in pairs
        if before != after
    )


def field_text(statement: MemberStatement, column: MemberColumn) -> str | None:
    """A field as history keeps it and lists write it; ``None`` where it is empty or no field of the statement."""
    name = statement.name
    if column in _NAME:
        return (
            dict(zip(_NAME, (name.full, name.primary, name.secondary), strict=True))[column] or None
        )
    if column is _Column.EARLIER_CARD_NUMBER:
        return statement.earlier_card_number
    if column not in _PARSERS:
        return None
    value = getattr(statement, _PARSERS[column][0])
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return str(value.value)
    return None if value is None else str(value)


def judge_standing_event(statement: MemberStatement, since: date) -> None:
    """Whether another standing may begin on this day.

    Raises:
        IssuerRefusedError: the member is none any more (``standing.final``), or the present standing began
            later (``standing.order``).
    """
    if statement.standing.is_final:
        raise IssuerRefusedError(
            f"the member is {statement.standing}, after which nothing happens any more",
            code="standing.final",
            hint="where that was a mistake, correct it: members change --set standing=...",
        )
    if statement.standing_since is not None and since < statement.standing_since:
        raise IssuerRefusedError(
            f"the standing would begin on {since}, before the present one on {statement.standing_since}",
            code="standing.order",
        )


def _judged(
    statement: MemberStatement,
    organisations: OrganisationTree,
    today: date,
) -> list[Finding]:
    """What the rules among the fields find."""
    reader = RowReader(ListRow(number=0, cells={}))
    if statement.standing is not Standing.DECEASED:
        # The age of who has died is not that of today.
        judge_ages(reader, statement.birth_date, statement.admission_date, today)
    judge_order(reader, statement.admission_date, statement.recognition_date, today)
    judge_standing(
        reader, statement.standing, statement.standing_since, statement.recognition_date, today
    )
    if statement.served_in is not None:
        judge_serving(reader, statement.served_in, statement.organisation_code, organisations)
    judge_committee(reader, statement.organisation_code, organisations)
    return reader.findings


def _raise_any(findings: list[Finding]) -> None:
    if findings:
        raise BrokenRulesError(findings)
