import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from card_layout.files.image_header import ImageFormat, ImageHeaderError, read_image_header


def picture(kind: str, size: tuple[int, int], **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 20, 20)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("JPEG", {}, ImageFormat.JPEG),
        ("JPEG", {"progressive": True}, ImageFormat.JPEG),
        ("JPEG", {"comment": b"x" * 5000}, ImageFormat.JPEG),
        ("JPEG2000", {}, ImageFormat.JPEG2000),
        ("JPEG2000", {"no_jp2": True}, ImageFormat.JPEG2000),
    ],
)
def test_format_and_size_are_those_that_an_encoder_wrote(
    kind: str, options: dict[str, object], expected: ImageFormat
) -> None:
    header = read_image_header(picture(kind, (123, 457), **options))
    assert (header.format, header.width, header.height) == (expected, 123, 457)


FRAME = "FFC00011080020001003012200021101031101"


@pytest.mark.parametrize(
    "image",
    [
        "FFD8" + FRAME,
        "FFD8FFFFFF" + FRAME[2:],  # fill bytes
        "FFD8FF01" + FRAME,  # a marker that stands alone
        "FFD8FFFE0002" + FRAME,  # an empty comment
        "FFD8FFC40002" + FRAME,  # a Huffman table is no frame
    ],
)
def test_whatever_may_stand_before_a_frame_is_passed_over(image: str) -> None:
    header = read_image_header(bytes.fromhex(image))
    assert (header.width, header.height) == (16, 32)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "FF",
        "89504E470D0A1A0A",
        "474946383961",
        "FFD8",
        "FFD8FFD9",
        "FFD8FFDA0008",
        "FFD8FFE00001" + FRAME,
        "FFD8FFE00000" + FRAME,
        "FFD8FFE0FFFF" + FRAME,
        "FFD800",
        "FFD8FF00" + FRAME,
        "FFD8FFC000110800",
        "FFD8FFC0001108000000100301220002",  # no lines
        "FFD8FFC0001108002000000301220002",  # no columns
        "FFD8" + "FFFE0002" * 300 + FRAME,
        "0000000C6A5020200D0A870A",
        "0000000C6A5020200D0A870A 00000000 66747970",
        "0000000C6A5020200D0A870A 00000004 00000030 6A703268 00000016 69686472 00000010 00000010",
        "0000000C6A5020200D0A870A 00000001 66747970 0000000000000010",
        "0000000C6A5020200D0A870A 00000020 6A703268 00000016 636F6C72",
        "0000000C6A5020200D0A870A 00000020 6A703268 00000016 69686472 00010000 00000001",
        "0000000C6A5020200D0A870A" + "00000008 66726565" * 300,
        "FF4FFF51 0029 0000 00000010 00000010 00000010 00000000",
        "FF4FFF51 0029 0000 FFFFFFFF 00000010 00000000 00000000",
        "FF4FFF51 0029 0000 00000010",
    ],
)
def test_headers_without_a_size_within_bounds_are_refused(image: str) -> None:
    with pytest.raises(ImageHeaderError) as raised:
        read_image_header(bytes.fromhex(image))
    assert raised.value.code == "portrait.malformed"


STARTS = st.sampled_from(
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\x00\x04",
        bytes.fromhex("0000000C6A5020200D0A870A"),
        bytes.fromhex("FF4FFF51"),
    ]
)


@given(STARTS, st.binary(max_size=80))
def test_any_bytes_are_a_header_or_a_data_error(start: bytes, rest: bytes) -> None:
    try:
        header = read_image_header(start + rest)
    except ImageHeaderError:
        return
    assert 1 <= header.width <= 65535
    assert 1 <= header.height <= 65535


def test_a_long_picture_of_nothing_ends_soon() -> None:
    with pytest.raises(ImageHeaderError):
        read_image_header(b"\xff\xd8" + b"\xff" * 10_000_000)
