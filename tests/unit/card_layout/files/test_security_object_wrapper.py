"""EF.SOD: what is seen at a glance is what the codec would have taken, and nothing else (SPEC.md, 7.1)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from card_layout import der, tlv
from card_layout.files.malformed import SecurityObjectFileError
from card_layout.files.security_object_file import SecurityObjectFile

SIZES = (
    0,
    1,
    0x7F,
    0x80,
    0xFA,
    0xFB,
    0xFC,
    0xFF,
    0x100,
    0x101,
    0x600,
    0xFFFB,
    0xFFFC,
    0xFFFF,
    0x10000,
)
"""On both sides of where the length of the object, or of the file around it, takes a byte more."""


def by_the_codec(data: bytes) -> bytes | None:
    """The content of tag 77 as the TLV codec alone reads it; ``None`` where it is not one sequence."""
    try:
        content = tlv.parse(data, expected_tag=0x77).value
        tlv.parse(content, expected_tag=der.SEQUENCE)
    except tlv.TlvError:
        return None
    return content


def agree(data: bytes) -> None:
    expected = by_the_codec(data)
    if expected is None:
        with pytest.raises(SecurityObjectFileError):
            SecurityObjectFile.from_bytes(data)
        return
    file = SecurityObjectFile.from_bytes(data)
    assert file.content_info == expected
    assert file.to_bytes() == data


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_any_size_is_read_back(size: int) -> None:
    content_info = tlv.encode(der.SEQUENCE, bytes(size))
    data = SecurityObjectFile(content_info=content_info).to_bytes()
    assert data == tlv.encode(0x77, content_info)
    assert SecurityObjectFile.from_bytes(data).content_info == content_info


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("inside", [0, 1, 2, 3, 4, 5, 6, 7, 8])
def test_no_changed_byte_of_the_headers_is_taken_that_the_codec_refuses(
    size: int, inside: int
) -> None:
    data = tlv.encode(0x77, tlv.encode(der.SEQUENCE, bytes(size)))
    for value in range(256):
        agree(data[:inside] + bytes((value,)) + data[inside + 1 :])


@given(
    size=st.sampled_from(SIZES),
    position=st.integers(0, 12),
    removed=st.integers(0, 6),
    inserted=st.binary(max_size=6),
    tail=st.binary(max_size=2),
)
# A length that would fit one byte, in two; the content ends before its length, and behind it.
@example(size=0x100, position=0, removed=8, inserted=bytes.fromhex("7782"), tail=b"")
@example(size=0x600, position=0, removed=0, inserted=b"", tail=b"\x00")
def test_any_replaced_stretch_is_judged_as_by_the_codec(
    size: int, position: int, removed: int, inserted: bytes, tail: bytes
) -> None:
    data = tlv.encode(0x77, tlv.encode(der.SEQUENCE, bytes(size)))
    agree(data[:position] + inserted + data[position + removed :] + tail)


@pytest.mark.parametrize("size", [0, 0x30, 0x7F, 0xFF])
def test_a_length_of_two_bytes_that_one_would_hold_is_refused(size: int) -> None:
    content_info = b"\x30\x82" + size.to_bytes(2, "big") + bytes(size)
    with pytest.raises(SecurityObjectFileError):
        SecurityObjectFile(content_info=content_info)
    with pytest.raises(SecurityObjectFileError):
        SecurityObjectFile.from_bytes(tlv.encode(0x77, content_info))


@pytest.mark.parametrize("change", [-1, 1])
def test_content_that_ends_before_or_behind_its_length_is_refused(change: int) -> None:
    content_info = b"\x30\x82\x06\x00" + bytes(0x600 + change)
    with pytest.raises(SecurityObjectFileError) as caught:
        SecurityObjectFile(content_info=content_info)
    assert caught.value.code == "security-object.malformed"
