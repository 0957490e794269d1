from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.calendar_date import full_years, parse_date
from issuer.errors import IssuerDataError


@given(st.dates())
def test_every_date_is_read_in_both_written_forms(day: date) -> None:
    assert parse_date(day.isoformat()) == day
    assert parse_date(f"{day.day:02}/{day.month:02}/{day.year:04}") == day
    assert parse_date(day) == day


def test_the_day_comes_first_between_slashes() -> None:
    assert parse_date("3/2/1990") == date(1990, 2, 3)


@pytest.mark.parametrize(
    "written", ["31/02/1990", "1990-02-31", "29/02/1900", "00/01/1990", "0000-01-01"]
)
def test_a_day_that_the_calendar_lacks_is_refused(written: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_date(written)
    assert refusal.value.code == "date.impossible"


@pytest.mark.parametrize(
    "written",
    ["", "1990", "02-03-1990", "1990/02/03", "3.2.1990", "03/02/90", "１990-01-01", 32874.0, True,
     datetime(1990, 2, 3, 4, 5, tzinfo=UTC)],
)  # fmt: skip
def test_a_date_in_another_form_is_refused(written: str | float | date) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_date(written)
    assert refusal.value.code == "date.malformed"


def test_a_spreadsheet_date_at_midnight_is_a_date() -> None:
    assert parse_date(datetime(1990, 2, 3, tzinfo=UTC)) == date(1990, 2, 3)


@given(st.text(max_size=12))
def test_any_text_is_a_date_or_refused(written: str) -> None:
    try:
        day = parse_date(written)
    except IssuerDataError:
        return
    assert parse_date(day.isoformat()) == day


@pytest.mark.parametrize(
    ("since", "until", "years"),
    [
        (date(2000, 5, 5), date(2018, 5, 4), 17),
        (date(2000, 5, 5), date(2018, 5, 5), 18),
        (date(2000, 2, 29), date(2018, 2, 28), 17),
        (date(2000, 2, 29), date(2018, 3, 1), 18),
    ],
)
def test_years_are_counted_by_birthdays(since: date, until: date, years: int) -> None:
    assert full_years(since, until) == years
