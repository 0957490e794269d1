"""What a keyboard or a scanner gives: six digits, the zone in any form, or a refusal that quotes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.image import CardImage
from verifier.errors import UsageError
from verifier.inspection.snapshot import AccessPath
from verifier.services.typed_password import MAX_TYPED_CHARACTERS, password_of_typed


@pytest.mark.parametrize("text", ["314159", " 314159\n", "314 159", "314-159", "314.159"])
def test_six_digits_are_a_can(text: str) -> None:
    assert password_of_typed(text).path is AccessPath.PACE_CAN


def test_the_zone_is_taken_in_lines_or_in_one(issued_card: CardImage) -> None:
    zone = issued_card.files["A0000002471001/0101"].data[5:].decode()
    lines = "\r\n".join((zone[:30], zone[30:60], zone[60:]))
    for text in (zone, lines, zone.lower(), f"\n{lines}\n"):
        password = password_of_typed(text)
        assert password.path is AccessPath.PACE_MRZ
        assert password.information == issued_card.secrets.mrz_information


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "１２３４５６", "abcdef", "x" * (MAX_TYPED_CHARACTERS + 1)]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        password_of_typed(text)
    assert refusal.value.code == "input.malformed"


@given(st.text(min_size=4, max_size=MAX_TYPED_CHARACTERS + 10))
def test_whatever_is_typed_is_a_password_or_refused_without_quoting_it(text: str) -> None:
    said = ""
    try:
        password = password_of_typed(text)
    except UsageError as refusal:
        said = str(refusal)
    else:
        assert password.path in (AccessPath.PACE_CAN, AccessPath.PACE_MRZ)
    assert text not in said
