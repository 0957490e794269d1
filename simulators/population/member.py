"""A synthetic member and the organisations of a province that does not exist."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from random import Random

from simulators.population.appearance import draw_appearance
from simulators.population.names import PersonName, draw_name
from simulators.population.portrait import draw_portrait, encode_portrait

__all__ = [
    "COMMITTEE_NUMBER",
    "ISSUING_COMMITTEE",
    "ORGANISATIONS",
    "IssueKind",
    "SyntheticMember",
    "SyntheticOrganisation",
    "draw_member",
]

COMMITTEE_NUMBER = "98"
"""The first two digits of all card numbers of the synthetic committee."""

_EARLIER_COMMITTEE_NUMBER = "97"
"""The first two digits of the cards that members held before."""

_PHONE_PREFIX = "0000"
"""No operator has these digits: a synthetic number rings nowhere."""

_CITIZEN_PROVINCE = "999"
"""No province has this number: a synthetic citizen number cannot be a real one."""

_REFERENCE_DATE = date(2025, 9, 1)
"""The day on which ages are told; fixed, so that a seed gives the same people for ever."""


@dataclass(frozen=True, kw_only=True)
class SyntheticOrganisation:
    """One organisation of the list; ``parent_code`` is ``None`` for the committee under the Centre."""

    code: str
    name: str
    parent_code: str | None
    committee_number: str


ISSUING_COMMITTEE = SyntheticOrganisation(
    code="GD",
    name="Tỉnh ủy Giả Định (dữ liệu mẫu)",
    parent_code=None,
    committee_number=COMMITTEE_NUMBER,
)
"""The top of the tree: the committee of a made-up province; its name says that it is sample data."""

ORGANISATIONS: tuple[SyntheticOrganisation, ...] = (
    ISSUING_COMMITTEE,
    SyntheticOrganisation(
        code="GD-01",
        name="Đảng ủy xã Mẫu Một (dữ liệu mẫu)",
        parent_code="GD",
        committee_number=COMMITTEE_NUMBER,
    ),
    SyntheticOrganisation(
        code="GD-02",
        name="Đảng ủy phường Mẫu Hai (dữ liệu mẫu)",
        parent_code="GD",
        committee_number=COMMITTEE_NUMBER,
    ),
)

_PLACES = (
    "xã Mẫu Một, tỉnh Giả Định",
    "phường Mẫu Hai, tỉnh Giả Định",
    "xã Đồng Mẫu, tỉnh Giả Định",
    "xã Thử Nghiệm, tỉnh Giả Định",
    "phường Bến Đò, tỉnh Giả Định",
)


class IssueKind(StrEnum):
    """Why the card is made."""

    FIRST_ISSUE = "first-issue"
    EXCHANGE = "exchange"
    RE_ISSUE = "re-issue"


_ORDINALS = {IssueKind.FIRST_ISSUE: 1, IssueKind.EXCHANGE: 2, IssueKind.RE_ISSUE: 3}


@dataclass(frozen=True, kw_only=True)
class SyntheticMember:
    """Somebody who does not exist, with all that a card needs.

    Attributes:
        card_number: as written, ``NN.NNNNNN``.
        record_number: six digits and one to three letters.
        citizen_number: twelve digits that no province allots.
        name: as the committee writes it, in Normalisation Form C.
        birth_date: eighteen years or more before the admission.
        place_of_birth: in the made-up province.
        home_town: likewise.
        admission_date: not after ``recognition_date``.
        recognition_date: a year of probation later.
        organisation: where the member is recorded.
        kind: why the card is made.
        ordinal: which card of this member it is.
        earlier_card_number: of the card that is exchanged or issued again; empty for a first one.
        residence: in the made-up province.
        phone: ten digits that no operator allots.
        portrait: a JPEG file of 480 x 640 pixels.
    """

    card_number: str = field(repr=False)
    record_number: str = field(repr=False)
    citizen_number: str = field(repr=False)
    name: PersonName = field(repr=False)
    birth_date: date = field(repr=False)
    place_of_birth: str = field(repr=False)
    home_town: str = field(repr=False)
    admission_date: date = field(repr=False)
    recognition_date: date = field(repr=False)
    organisation: SyntheticOrganisation
    kind: IssueKind
    ordinal: int
    earlier_card_number: str = field(repr=False)
    residence: str = field(repr=False)
    phone: str = field(repr=False)
    portrait: bytes = field(repr=False)

    @property
    def sex(self) -> str:
        """``M`` or ``F``, as the machine-readable zone writes it."""
        return "F" if self.name.is_woman else "M"


def draw_member(
    random: Random,
    *,
    serial_number: int,
    name: PersonName | None = None,
    organisation: SyntheticOrganisation | None = None,
) -> SyntheticMember:
    """Draw a member.

    Args:
        random: where chance comes from.
        serial_number: 1 to 999,999; members with different ones differ in every number that must be unique.
        name: a given name instead of a drawn one.
        organisation: a given organisation instead of a drawn one below the committee.
    """
    person = draw_name(random) if name is None else name
    birth = date(1955, 1, 1) + timedelta(days=random.randrange(46 * 365))
    latest = date(2023, 6, 30)
    youngest = birth + timedelta(days=18 * 366)
    span = min((latest - youngest).days, 15 * 365)
    admission = youngest + timedelta(days=random.randrange(span))
    kind = random.choices(tuple(IssueKind), (1, 8, 1))[0]
    age = (_REFERENCE_DATE - birth).days // 365
    appearance = draw_appearance(random, is_woman=person.is_woman, age=age)
    return SyntheticMember(
        card_number=f"{COMMITTEE_NUMBER}.{serial_number:06d}",
        record_number=f"{serial_number:06d}GD",
        citizen_number=_citizen_number(birth, serial_number, is_woman=person.is_woman),
        name=person,
        birth_date=birth,
        place_of_birth=random.choice(_PLACES),
        home_town=random.choice(_PLACES),
        admission_date=admission,
        recognition_date=admission + timedelta(days=366 + random.randrange(60)),
        organisation=random.choice(ORGANISATIONS[1:]) if organisation is None else organisation,
        kind=kind,
        ordinal=_ORDINALS[kind],
        earlier_card_number=(
            ""
            if kind is IssueKind.FIRST_ISSUE
            else f"{_EARLIER_COMMITTEE_NUMBER}.{serial_number:06d}"
        ),
        residence=_PLACES[serial_number % len(_PLACES)],
        phone=f"{_PHONE_PREFIX}{serial_number:06d}",
        portrait=encode_portrait(draw_portrait(appearance)),
    )


def _citizen_number(birth: date, serial_number: int, *, is_woman: bool) -> str:
    """Province, century and sex, year of birth, and six digits that are different for each serial number."""
    century_and_sex = (birth.year // 100 - 19) * 2 + (1 if is_woman else 0)
    # 7919 is prime to 1,000,000, so the digits look drawn and never repeat.
    tail = serial_number * 7919 % 1_000_000
    return f"{_CITIZEN_PROVINCE}{century_and_sex}{birth.year % 100:02d}{tail:06d}"
