"""A committee's member list, as it arrives: mostly right, six rows wrong on purpose."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from random import Random
from typing import Literal

from simulators.population.member import SyntheticMember, draw_member
from simulators.population.names import NOTABLE_NAMES

__all__ = [
    "COLUMNS",
    "MAXIMUM_MEMBERS",
    "MINIMUM_MEMBERS",
    "Cell",
    "Defect",
    "ListRow",
    "MemberList",
    "draw_member_list",
]

Cell = str | int | date
"""What a cell holds; a date is a spreadsheet date in xlsx and YYYY-MM-DD in CSV."""

COLUMNS = (
    "card_number",
    "record_number",
    "citizen_number",
    "full_name",
    "primary_name",
    "secondary_name",
    "birth_date",
    "sex",
    "place_of_birth",
    "home_town",
    "ethnic_group",
    "admission_date",
    "recognition_date",
    "organisation_code",
    "kind",
    "ordinal",
    "portrait",
    "earlier_card_number",
    "residence",
    "phone",
    "standing",
    "standing_since",
    "served_in",
)
"""The header row of a member list, in the template's order."""

_FIRST_ROW = 2
"""The header is row 1 of the sheet."""


class Defect(StrEnum):
    """Why a row must be refused; the value is the issuer's stable code."""

    CARD_NUMBER_MALFORMED = "card-number.malformed"
    DATE_IMPOSSIBLE = "date.impossible"
    CARD_NUMBER_REPEATED = "card-number.repeated"
    ORGANISATION_UNKNOWN = "organisation.unknown"
    PORTRAIT_MISSING = "portrait.missing"
    PORTRAIT_UNREADABLE = "portrait.unreadable"

    @property
    def column(self) -> str:
        """The column that is wrong."""
        return _COLUMN_OF_DEFECT[self]


_COLUMN_OF_DEFECT = {
    Defect.CARD_NUMBER_MALFORMED: "card_number",
    Defect.DATE_IMPOSSIBLE: "birth_date",
    Defect.CARD_NUMBER_REPEATED: "card_number",
    Defect.ORGANISATION_UNKNOWN: "organisation_code",
    Defect.PORTRAIT_MISSING: "portrait",
    Defect.PORTRAIT_UNREADABLE: "portrait",
}

MINIMUM_MEMBERS = len(NOTABLE_NAMES) + len(Defect)
"""Every notable name and every defect stands in every list."""

MAXIMUM_MEMBERS = 100_000


@dataclass(frozen=True, kw_only=True)
class ListRow:
    """One row of the list.

    Attributes:
        number: of the row in the sheet; the header is row 1.
        cells: in the order of COLUMNS.
        portrait_name: the file that belongs to the row.
        portrait: its content; ``None`` where the file is missing.
        defect: why the row must be refused; ``None`` where it is right.
    """

    number: int
    cells: tuple[Cell, ...] = field(repr=False)
    portrait_name: str
    portrait: bytes | None = field(repr=False)
    defect: Defect | None


@dataclass(frozen=True, kw_only=True)
class MemberList:
    """All rows, and the seed they came from."""

    seed: int
    rows: tuple[ListRow, ...]


def draw_member_list(
    seed: int, *, members: int, advance: Callable[[], None] | None = None
) -> MemberList:
    """Draw a list of ``members`` rows; the same seed gives the same list.

    Args:
        seed: any integer.
        members: MINIMUM_MEMBERS to MAXIMUM_MEMBERS.
        advance: called after each row, for a progress display.

    Raises:
        ValueError: ``members`` is out of bounds.
    """
    if not MINIMUM_MEMBERS <= members <= MAXIMUM_MEMBERS:
        raise ValueError(f"got {members} members, expected {MINIMUM_MEMBERS} to {MAXIMUM_MEMBERS}")
    random = Random(seed)
    # The first rows are right, so that a repeated number always repeats an earlier one.
    defective = random.sample(range(3, members), len(Defect))
    defects = dict(zip(defective, Defect, strict=True))
    right = [index for index in range(members) if index not in defects]
    notable = dict(zip(random.sample(right, len(NOTABLE_NAMES)), NOTABLE_NAMES, strict=True))
    serials = random.sample(range(1, 1_000_000), members)
    rows: list[ListRow] = []
    for index, serial in enumerate(serials):
        chosen = notable.get(index)
        member = draw_member(
            random, serial_number=serial, name=None if chosen is None else chosen.name
        )
        row = _row(
            random,
            index + _FIRST_ROW,
            member,
            is_decomposed=chosen is not None and chosen.is_decomposed,
        )
        defect = defects.get(index)
        if defect is not None:
            row = _spoil(random, row, defect, earlier=rows)
        rows.append(row)
        if advance is not None:
            advance()
    return MemberList(seed=seed, rows=tuple(rows))


def _row(random: Random, number: int, member: SyntheticMember, *, is_decomposed: bool) -> ListRow:
    form: Literal["NFC", "NFD"] = "NFD" if is_decomposed else "NFC"
    portrait_name = f"{member.card_number.replace('.', '')}.jpg"
    name = member.name
    # Lists are typed by many hands: dates and sexes come in every form that the template allows.
    is_vietnamese_style = random.random() < 0.3
    sexes = {"M": "nam", "F": "nữ"} if is_vietnamese_style else {"M": "M", "F": "F"}
    texts: tuple[Cell, ...] = (
        member.card_number,
        member.record_number,
        member.citizen_number,
        name.full,
        name.primary,
        name.secondary,
        _written(member.birth_date) if is_vietnamese_style else member.birth_date,
        sexes[member.sex],
        member.place_of_birth,
        member.home_town,
        name.ethnic_group,
        _written(member.admission_date) if is_vietnamese_style else member.admission_date,
        _written(member.recognition_date) if is_vietnamese_style else member.recognition_date,
        member.organisation.code,
        member.kind.value,
        member.ordinal,
        portrait_name,
        member.earlier_card_number,
        member.residence,
        member.phone,
        "chính thức" if is_vietnamese_style else "official",
        _written(member.recognition_date) if is_vietnamese_style else member.recognition_date,
        "",
    )
    return ListRow(
        number=number,
        cells=tuple(
            unicodedata.normalize(form, cell) if isinstance(cell, str) else cell for cell in texts
        ),
        portrait_name=portrait_name,
        portrait=member.portrait,
        defect=None,
    )


def _written(day: date) -> str:
    return f"{day.day:02d}/{day.month:02d}/{day.year}"


def _spoil(random: Random, row: ListRow, defect: Defect, *, earlier: list[ListRow]) -> ListRow:
    """Make one thing about the row wrong."""
    column = COLUMNS.index(defect.column)
    wrong: Cell = row.cells[column]
    portrait = row.portrait
    match defect:
        case Defect.CARD_NUMBER_MALFORMED:
            wrong = str(wrong).replace(".", "-")
        case Defect.DATE_IMPOSSIBLE:
            wrong = "31/02/1985"
        case Defect.CARD_NUMBER_REPEATED:
            wrong = random.choice([each for each in earlier if each.defect is None]).cells[column]
        case Defect.ORGANISATION_UNKNOWN:
            wrong = "GD-99"
        case Defect.PORTRAIT_MISSING:
            portrait = None
        case Defect.PORTRAIT_UNREADABLE:
            # A file that broke off while it was copied.
            portrait = None if portrait is None else portrait[: len(portrait) // 3]
    return replace(
        row,
        cells=(*row.cells[:column], wrong, *row.cells[column + 1 :]),
        portrait=portrait,
        defect=defect,
    )
