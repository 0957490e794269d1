"""What people and scanners give to open a card; it is never quoted back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.files.data_group_1 import DataGroup1
from simulators.image import CardImage
from verifier.errors import UsageError
from verifier.inspection.snapshot import AccessPath, CardSnapshot
from verifier.services.card_password import CardPassword


@pytest.fixture
def zone(accepted_snapshot: CardSnapshot) -> str:
    return DataGroup1.from_bytes(accepted_snapshot.content("EF.DG1") or b"").mrz.to_text()


def test_six_digits_are_a_card_access_number() -> None:
    password = CardPassword.from_can(" 123456\n")
    assert password.path is AccessPath.PACE_CAN
    assert password.information is None
    assert "123456" not in repr(password)


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-", "123 456"])
def test_anything_else_is_none_and_is_not_quoted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        CardPassword.from_can(text)
    assert caught.value.exit_code == 64
    assert not text or text == "-" or text not in str(caught.value)


def test_every_form_of_a_zone_gives_the_same_password(zone: str, issued_card: CardImage) -> None:
    information = issued_card.secrets.mrz_information
    assert information is not None
    number, birth, expiry = information[:9], information[10:16], information[17:23]
    forms = [
        zone,
        "\n".join((zone[:30], zone[30:60], zone[60:])) + "\n",
        zone.lower(),
        information,
        f"{number}/{birth}/{expiry}",
        f"{number.rstrip('<').lower()}\n{birth}\n{expiry}\n",
    ]
    passwords = {CardPassword.from_mrz(form).information for form in forms}
    assert passwords == {information}
    assert information not in repr(CardPassword.from_mrz(zone))


def test_a_zone_with_a_wrong_check_digit_is_refused_before_any_card_sees_it(zone: str) -> None:
    digit = zone[14]
    wrong = f"{zone[:14]}{(int(digit) + 1) % 10}{zone[15:]}"
    with pytest.raises(UsageError):
        CardPassword.from_mrz(wrong)


@given(text=st.text(max_size=120))
def test_any_text_is_a_password_or_a_usage_error_that_does_not_quote_it(text: str) -> None:
    said = ""
    try:
        CardPassword.from_mrz(text)
    except UsageError as error:
        said = str(error)
    assert len(text) < 20 or text not in said
