import pytest

from card_layout.errors import CardDataError
from card_layout.files.trust_points import EF_CVCA_BYTES, TrustPoints

OLD, NEW = b"VNMEMBER00001", b"VNMEMBER00002"


def test_one_reference_is_filled_up_with_zeros() -> None:
    encoded = TrustPoints(references=(OLD,)).to_bytes()
    assert encoded == b"\x42\x0d" + OLD + bytes(21)
    assert len(encoded) == EF_CVCA_BYTES


def test_the_newest_of_two_references_stands_first() -> None:
    encoded = TrustPoints(references=(NEW, OLD)).to_bytes()
    assert TrustPoints.from_bytes(encoded).references == (NEW, OLD)


def test_two_references_of_the_greatest_length_fill_the_file() -> None:
    longest = (b"VN" + b"A" * 9 + b"00001", b"VN" + b"A" * 9 + b"00002")
    encoded = TrustPoints(references=longest).to_bytes()
    assert TrustPoints.from_bytes(encoded).references == longest


@pytest.mark.parametrize(
    "data",
    [
        bytes(36),
        b"\x42\x07" + b"A" * 7 + bytes(27),
        b"\x42\x11" + b"A" * 17 + bytes(17),
        b"\x42\x81\x0d" + OLD + bytes(20),
        (b"\x42\x0d" + OLD) * 2 + bytes(6),
        (b"\x42\x0d" + OLD + b"\x42\x0d" + NEW + b"\x42").ljust(36, b"A"),
        b"\x42\x0d" + OLD + b"\x00" * 20 + b"\x01",
        b"\x42\x0d" + OLD,
        b"\x42\x22" + b"A" * 34,
        b"\x5f\x20\x0d" + OLD + bytes(20),
    ],
    ids=[
        "nothing but zeros",
        "a reference of 7 bytes",
        "a reference of 17 bytes",
        "a length not in its shortest form",
        "a reference twice",
        "a third one cut off",
        "something behind the zeros",
        "not filled up",
        "one reference over everything",
        "another tag",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(CardDataError) as raised:
        TrustPoints.from_bytes(data)
    assert raised.value.code == "terminal-authentication.trust-points-malformed"
