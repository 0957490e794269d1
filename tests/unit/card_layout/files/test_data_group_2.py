import io
from dataclasses import replace

import pytest
from PIL import Image

from card_layout import tlv
from card_layout.files.data_group_2 import ImageFormat, Portrait
from card_layout.files.malformed import DataGroupError

# A JPEG header of 384 x 512 pixels, and an end.
JPEG = bytes.fromhex("FFD8 FFC0000B 08 0200 0180 01011100 FFD9")
PORTRAIT = Portrait.of_picture(JPEG)


def refused(data: bytes) -> str:
    with pytest.raises(DataGroupError) as raised:
        Portrait.from_bytes(data)
    return raised.value.code


def with_face(face: bytes, header: str = "800201018101028702010188020008") -> bytes:
    information = tlv.encode(0xA1, bytes.fromhex(header)) + tlv.encode(0x5F2E, face)
    return tlv.encode(
        0x75, tlv.encode(0x7F61, tlv.encode(0x02, b"\x01") + tlv.encode(0x7F60, information))
    )


FACE = (
    bytes.fromhex(
        "46414300 30313000 0000003F 0001"  # record header: FAC, 010, 63 bytes, one image
        "00000031 0000 00 00 00 000000 0000 000000 000000"  # facial information: 49 bytes, no points
        "01 00 0180 0200 01 00 0000 0000"  # image information: full frontal, JPEG, 384 x 512, sRGB
    )
    + JPEG
)


def test_the_file_is_the_bytes_of_the_specification() -> None:
    assert PORTRAIT.to_bytes() == with_face(FACE)
    assert Portrait.from_bytes(with_face(FACE)) == PORTRAIT
    assert (PORTRAIT.format, PORTRAIT.width, PORTRAIT.height) == (ImageFormat.JPEG, 384, 512)
    assert PORTRAIT.image == JPEG


@pytest.mark.parametrize("kind", [ImageFormat.JPEG, ImageFormat.JPEG2000])
def test_a_real_picture_survives_its_file(kind: ImageFormat) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (240, 320), (200, 180, 160)).save(buffer, kind.name)
    portrait = Portrait.of_picture(buffer.getvalue())
    read = Portrait.from_bytes(portrait.to_bytes())
    assert read == portrait
    assert (read.format, read.width, read.height) == (kind, 240, 320)
    assert (read.picture.width, read.picture.height) == (240, 320)


def changed(position: int, *octets: int) -> bytes:
    return FACE[:position] + bytes(octets) + FACE[position + len(octets) :]


@pytest.mark.parametrize(
    "face",
    [
        FACE[:45],
        FACE[:46],
        FACE + b"\x00",
        changed(11, 0x42),  # length of the record
        changed(13, 0x02),  # two images
        changed(17, 0x34),  # length of the record data
        changed(19, 0x01),  # a feature point
        changed(35, 0x02),  # an image data type that is none
        changed(35, 0x01),  # JPEG 2000, and JPEG within
        changed(46, 0x00),  # no picture
    ],
)
def test_malformed_face_records_are_refused(face: bytes) -> None:
    assert refused(with_face(face)) == "data-group.malformed"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (with_face(changed(4, 0x30, 0x32)), "version 020"),
        (with_face(changed(0, 0x46, 0x49, 0x52)), "a finger"),
        (with_face(FACE, "8002010181010287020101 8802001D"), "another format type"),
        (with_face(FACE, "8002010181010287020102 88020008"), "another format owner"),
        (with_face(FACE, "80020101810102"), "no format"),
        (
            tlv.encode(
                0x75,
                tlv.encode(
                    0x7F61,
                    bytes.fromhex("020101") + tlv.encode(0x7F60, bytes.fromhex("A100 7F2E00")),
                ),
            ),
            "ISO/IEC 39794-5",
        ),
    ],
)
def test_other_encodings_are_told_from_malformed_ones(data: bytes, what: str) -> None:
    assert refused(data) == "data-group.unsupported-encoding", what


def test_fingers_and_several_portraits_are_malformed() -> None:
    assert refused(with_face(FACE, "8002010181010887020101 88020008")) == "data-group.malformed"
    two = with_face(FACE).replace(bytes.fromhex("020101 7F60"), bytes.fromhex("020102 7F60"))
    assert refused(two) == "data-group.malformed"


def test_a_size_that_is_not_the_pictures_is_kept_as_the_record_has_it() -> None:
    # The BSI reference data set announces another size than its picture has.
    portrait = Portrait.from_bytes(with_face(changed(36, 0x00, 0x10, 0x00, 0x20)))
    assert (portrait.width, portrait.height) == (16, 32)
    assert (portrait.picture.width, portrait.picture.height) == (384, 512)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": b""},
        {"image": b"GIF89a"},
        {"image": JPEG + bytes(0x10000)},
        {"format": ImageFormat.JPEG2000},
        {"width": 0x10000},
        {"height": -1},
        {"image_type": 256},
        {"description": bytes(13)},
        {"capture": bytes(7)},
        {"biometric_header": b""},
        {"biometric_header": b"\x80"},
    ],
)
def test_a_portrait_that_no_record_can_hold_is_not_built(fields: dict[str, object]) -> None:
    with pytest.raises(DataGroupError):
        replace(PORTRAIT, **fields)


def test_a_picture_of_another_kind_makes_no_portrait() -> None:
    with pytest.raises(DataGroupError) as raised:
        Portrait.of_picture(bytes.fromhex("89504E470D0A1A0A"))
    assert raised.value.code == "data-group.malformed"
