import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import der, tlv


@pytest.mark.parametrize(
    ("dotted", "encoded"),
    [
        ("1.2.840.113549", "2A864886F70D"),  # X.690, 8.19 by way of RSADSI's well-known arc
        ("2.999.3", "883703"),  # X.690, 8.19.5
        ("0.4.0.127.0.7.2.2.4.2.2", "04007F00070202040202"),  # TR-03110-3, A.1.1.1
        ("2.23.136.1.1.1", "678108010101"),
    ],
)
def test_object_identifiers_are_those_of_their_standards(dotted: str, encoded: str) -> None:
    assert der.encode_object_identifier(dotted).hex().upper() == encoded
    assert der.decode_object_identifier(bytes.fromhex(encoded)) == dotted


@pytest.mark.parametrize(
    "dotted",
    ["", "1", "1.", "1..2", "3.1", "0.40", "01.2", "1.02", "1.-2", "a.b", "1.٢", "2." * 30],
)
def test_texts_that_are_no_object_identifiers_are_refused(dotted: str) -> None:
    with pytest.raises(der.DerError):
        der.encode_object_identifier(dotted)


@pytest.mark.parametrize("encoded", ["", "80", "2A80", "2A8001", "2A86", "2A" + "01" * 40])
def test_bytes_that_are_no_object_identifiers_are_refused(encoded: str) -> None:
    with pytest.raises(der.DerError):
        der.decode_object_identifier(bytes.fromhex(encoded))


@given(st.binary(max_size=40))
def test_an_object_identifier_that_is_read_encodes_identically(value: bytes) -> None:
    try:
        dotted = der.decode_object_identifier(value)
    except der.DerError:
        return
    assert der.encode_object_identifier(dotted) == value


@given(st.integers(0, 2**570))
def test_an_integer_survives_its_encoding(number: int) -> None:
    assert der.decode_integer(tlv.parse(der.encode_integer(number)).value) == number


@given(st.binary(max_size=80))
def test_an_integer_that_is_read_encodes_identically(value: bytes) -> None:
    try:
        number = der.decode_integer(value)
    except der.DerError:
        return
    assert der.encode_integer(number) == tlv.encode(der.INTEGER, value)


@pytest.mark.parametrize("value", ["", "80", "FF", "0000", "007F", "01" * 73])
def test_integers_out_of_form_are_refused(value: str) -> None:
    with pytest.raises(der.DerError):
        der.decode_integer(bytes.fromhex(value))


@pytest.mark.parametrize("number", [-1, 2**600])
def test_numbers_that_no_card_holds_are_not_written(number: int) -> None:
    with pytest.raises(der.DerError):
        der.encode_integer(number)
