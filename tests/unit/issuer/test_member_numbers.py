import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_number import CommitteeBlockScheme, find_card_number_scheme
from issuer.domain.record_number import parse_citizen_number, parse_record_number
from issuer.errors import IssuerDataError

SCHEME = CommitteeBlockScheme()


@given(st.from_regex(r"[0-9]{2}\.[0-9]{6}", fullmatch=True))
def test_a_card_number_is_displayed_as_it_was_written(written: str) -> None:
    if written.endswith(".000000") or not written.isascii():
        with pytest.raises(IssuerDataError):
            SCHEME.parse(written)
        return
    number = SCHEME.parse(written)
    assert re.fullmatch(r"[0-9]{8}", number)
    assert SCHEME.display(number) == written
    assert SCHEME.committee_number(number) == written[:2]


@given(st.text(alphabet=st.sampled_from("0123456789.AB ٣１\n"), max_size=12))
def test_any_text_is_a_card_number_or_refused(written: str) -> None:
    try:
        number = SCHEME.parse(written)
    except IssuerDataError:
        return
    assert SCHEME.display(number) == written


@pytest.mark.parametrize(
    "written", ["", "12345678", "12.00001", "12.000000", "12.0000011", "1２.000001", "12.000001\n"]
)
def test_a_card_number_in_another_form_is_refused(written: str) -> None:
    with pytest.raises(IssuerDataError):
        SCHEME.parse(written)


def test_schemes_are_found_by_name() -> None:
    assert find_card_number_scheme("NN.NNNNNN").parse("01.000001") == "01000001"
    with pytest.raises(IssuerDataError, match=r"NN\.NNNNNN") as refusal:
        find_card_number_scheme("N")
    assert refusal.value.code == "settings.card-number-scheme"


def test_a_record_number_is_kept_in_capitals() -> None:
    assert parse_record_number("123456ab") == "123456AB"


@pytest.mark.parametrize(
    "written", ["", "12345A", "123456", "123456ABCD", "123456ß", "123456Đ", "12345６A"]
)
def test_a_record_number_in_another_form_is_refused(written: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_record_number(written)
    assert refusal.value.code == "record-number.malformed"


@pytest.mark.parametrize(
    "written", ["", "00123456789", "0012345678901", "00123456789x", "٠٠١٢٣٤٥٦٧٨٩٠"]
)
def test_a_citizen_number_in_another_form_is_refused(written: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_citizen_number(written)
    assert refusal.value.code == "citizen-number.malformed"


def test_a_citizen_number_keeps_its_zeros() -> None:
    assert parse_citizen_number("001099012345") == "001099012345"
