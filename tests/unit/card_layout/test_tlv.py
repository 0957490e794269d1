import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv

VALID_TAGS = (
    st.integers(1, 0xFE).filter(lambda tag: tag & 0x1F != 0x1F)
    | st.tuples(st.sampled_from([0x1F, 0x5F, 0x7F, 0xBF]), st.integers(0, 0x7F)).map(
        lambda pair: pair[0] << 8 | pair[1]
    )
    | st.tuples(
        st.sampled_from([0x1F, 0x7F, 0xDF]), st.integers(0x81, 0xFF), st.integers(0, 0x7F)
    ).map(lambda three: three[0] << 16 | three[1] << 8 | three[2])
)


@given(VALID_TAGS, st.binary(max_size=300))
def test_an_object_survives_its_encoding(tag: int, value: bytes) -> None:
    assert tlv.parse(tlv.encode(tag, value), expected_tag=tag) == tlv.Tlv(tag, value)


@given(st.binary(max_size=64))
def test_what_is_accepted_encodes_identically(data: bytes) -> None:
    try:
        objects = tlv.parse_all(data)
    except tlv.TlvError:
        return
    assert tlv.concatenate(objects) == data


@given(st.lists(st.tuples(VALID_TAGS, st.binary(max_size=20)), max_size=8))
def test_objects_side_by_side_are_read_in_their_order(pairs: list[tuple[int, bytes]]) -> None:
    objects = tuple(tlv.Tlv(tag, value) for tag, value in pairs)
    assert tlv.parse_all(tlv.concatenate(objects)) == objects


@given(st.binary(max_size=12))
def test_any_bytes_are_a_header_or_a_data_error(data: bytes) -> None:
    try:
        header = tlv.read_header(data)
    except tlv.TlvError:
        return
    assert 0 < header.size <= len(data)
    assert 0 <= header.length <= tlv.MAX_LENGTH


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "0400"),
        (0x7F, "047F"),
        (0x80, "048180"),
        (0xFF, "0481FF"),
        (0x100, "04820100"),
        (0x10000, "0483010000"),
    ],
)
def test_lengths_have_their_shortest_form(length: int, header: str) -> None:
    encoded = tlv.encode(0x04, bytes(length))
    assert encoded.startswith(bytes.fromhex(header))
    assert len(encoded) == len(header) // 2 + length
    assert tlv.read_header(encoded).total == len(encoded)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "04",
        "0401",
        "040100FF",
        "048100",
        "04817F" + "00" * 127,
        "0482007F" + "00" * 127,
        "048200FF" + "00" * 255,
        "0480",
        "04800000",
        "0484000000",
        "0484FFFFFFFF",
        "00",
        "0000",
        "FF00",
        "5F",
        "5F800000",
        "5F8080",
        "5F81800100",
        "7F81818100",
    ],
)
def test_bytes_outside_the_limits_are_refused(data: str) -> None:
    with pytest.raises(tlv.TlvError):
        tlv.parse(bytes.fromhex(data))


@pytest.mark.parametrize("tag", [0x5F01, 0x5F0E, 0x5F11, 0x5F19, 0x5F1F, 0x7F61])
def test_the_tags_of_9303_10_are_read(tag: int) -> None:
    assert tlv.parse(tlv.encode(tag, b"\x01")).tag == tag


@pytest.mark.parametrize("tag", [0, -1, 0x1F, 0x5F, 0xFF, 0x0400, 0x1000000, 0x5F80, 0x7F8181])
def test_numbers_that_are_no_tags_are_not_encoded(tag: int) -> None:
    with pytest.raises(tlv.TlvError):
        tlv.encode(tag, b"")


def test_another_tag_than_expected_is_refused() -> None:
    with pytest.raises(tlv.TlvError):
        tlv.parse(bytes.fromhex("0400"), expected_tag=0x30)


def test_a_length_of_gigabytes_is_refused_from_its_header() -> None:
    with pytest.raises(tlv.TlvError):
        tlv.read_header(bytes.fromhex("6184FFFFFFFF"))


def test_a_value_that_is_too_long_is_not_encoded() -> None:
    with pytest.raises(tlv.TlvError):
        tlv.encode(0x04, bytes(tlv.MAX_LENGTH + 1))


def test_a_template_of_too_many_objects_is_refused() -> None:
    assert len(tlv.parse_all(bytes.fromhex("0400") * tlv.MAX_OBJECTS)) == tlv.MAX_OBJECTS
    with pytest.raises(tlv.TlvError):
        tlv.parse_all(bytes.fromhex("0400") * (tlv.MAX_OBJECTS + 1))


def test_a_primitive_object_has_no_children() -> None:
    with pytest.raises(tlv.TlvError):
        tlv.Tlv(0x04, bytes.fromhex("0400")).children()
    assert tlv.Tlv(0x30, bytes.fromhex("0400")).children() == (tlv.Tlv(0x04, b""),)
