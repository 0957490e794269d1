import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.member import Standing
from issuer.domain.phone_number import parse_phone_number
from issuer.domain.standing import parse_standing
from issuer.errors import IssuerDataError


@pytest.mark.parametrize("standing", Standing)
def test_every_standing_is_read_by_its_own_word(standing: Standing) -> None:
    assert parse_standing(standing.value) is standing


@pytest.mark.parametrize(
    ("written", "standing"),
    [
        ("Chính thức", Standing.OFFICIAL),
        ("chinh thuc", Standing.OFFICIAL),
        ("dự bị", Standing.PROBATIONARY),
        ("Miễn sinh hoạt", Standing.EXEMPT),
        ("xoá tên", Standing.STRUCK_OFF),
        ("STRUCK OFF", Standing.STRUCK_OFF),
    ],
)
def test_a_standing_is_read_however_it_is_spelt(written: str, standing: Standing) -> None:
    assert parse_standing(written) is standing


@given(st.text())
def test_any_other_word_is_no_standing(written: str) -> None:
    try:
        assert isinstance(parse_standing(written), Standing)
    except IssuerDataError as error:
        assert error.code == "standing.unknown"  # noqa: PT017 - either outcome is right


def test_who_died_or_left_for_good_is_told_from_who_may_come_back() -> None:
    assert {each for each in Standing if each.is_final} == {
        Standing.DECEASED,
        Standing.STRUCK_OFF,
        Standing.EXPELLED,
    }


@pytest.mark.parametrize(
    ("written", "number"),
    [("0912 345 678", "0912345678"), ("+84.912-345-678", "+84912345678"), ("02438221234",) * 2],
)
def test_a_telephone_number_is_kept_without_its_layout(written: str, number: str) -> None:
    assert parse_phone_number(written) == number


@pytest.mark.parametrize(
    "written", ["", "1234567", "1" * 16, "+", "0912x45678", "++84912345678", "٠٩١٢٣٤٥٦٧٨"]
)
def test_what_is_no_telephone_number_is_refused(written: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_phone_number(written)
    assert refusal.value.code == "phone.malformed"
