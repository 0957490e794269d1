"""EF.DG2: the portrait (ICAO 9303-10, 4.7.2; ISO/IEC 19794-5:2005, clause 5; SPEC.md, 3.7).

[75] { [7F61] { [02] 01 || [7F60] { [A1] header || [5F2E] face } } }

face = record header (14) || facial information (20) || image information (12) || picture
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from card_layout import tlv
from card_layout.files.image_header import (
    ImageFormat,
    ImageHeader,
    ImageHeaderError,
    read_image_header,
)
from card_layout.files.malformed import DataGroupError, malformed_as

__all__ = ["ImageFormat", "Portrait"]

_TAG = 0x75
_GROUP_TEMPLATE = 0x7F61
_INSTANCES = 0x02
_INFORMATION_TEMPLATE = 0x7F60
_BIOMETRIC_HEADER = 0xA1
_FACE = 0x5F2E
_FACE_39794 = 0x7F2E
_BIOMETRIC_TYPE = 0x81
_FORMAT_OWNER = 0x87
_FORMAT_TYPE = 0x88

_FACIAL_FEATURES = b"\x02"
_SUBCOMMITTEE_37 = bytes.fromhex("0101")
_FACE_19794 = bytes.fromhex("0008")

_HEADER_OF_OURS = bytes.fromhex("800201018101028702010188020008")
_IDENTIFIER_AND_VERSION = b"FAC\x00" + b"010\x00"
_RECORD_HEADER_BYTES = 14
_FACIAL_INFORMATION_BYTES = 20
_IMAGE_INFORMATION_BYTES = 12
_PICTURE_OFFSET = _RECORD_HEADER_BYTES + _FACIAL_INFORMATION_BYTES + _IMAGE_INFORMATION_BYTES
_FACE_RECORD = struct.Struct(">8sIHIH")
"""Identifier and version, length and number of images of the record; length and feature points of its one image."""

_IMAGE_INFORMATION = struct.Struct(">BBHH")
"""Type, data type, width and height; six bytes more follow."""

_FORMATS = {item.value: item for item in ImageFormat}
_MAX_PICTURE_BYTES = 0xFFFF

# Full frontal; 24-bit sRGB; static photograph, source unspecified; device and quality unspecified (5.7).
_FULL_FRONTAL = 0x01
_FACE_IMAGE_TYPES = (0x00, _FULL_FRONTAL, 0x02)
"""Basic, full frontal, token frontal (5.7.2, table 13)."""
_FEATURE_POINT_BYTES = 8
_MAX_FEATURE_POINTS = 255
_UNKNOWN = 0xFF
_MAX_ANGLE = 181
"""Angles and their uncertainties are 0 (unspecified) to 181 (5.5.8 and 5.5.9)."""
_CAPTURE_OF_OURS = bytes.fromhex("010000000000")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Portrait:
    """One facial image, still encoded.

    ``width`` and ``height`` are what the face record announces, in pixels; specimens in the field announce
    other sizes than their picture has, so `picture` tells what the picture itself says. The remaining fields
    are kept for byte-for-byte comparison: ``biometric_header`` is the value of A1, ``description`` 14 bytes from gender to
    pose uncertainty, ``image_type`` and ``capture`` (6 bytes from colour space to quality) those around the size,
    ``feature_points`` blocks of 8 bytes.
    """

    image: bytes
    format: ImageFormat
    width: int
    height: int
    biometric_header: bytes = _HEADER_OF_OURS
    description: bytes = bytes(14)
    image_type: int = _FULL_FRONTAL
    capture: bytes = _CAPTURE_OF_OURS
    feature_points: bytes = b""

    def __post_init__(self) -> None:
        if (
            not 1 <= len(self.image) <= _MAX_PICTURE_BYTES
            or not 0 <= self.width <= 0xFFFF
            or not 0 <= self.height <= 0xFFFF
            or len(self.description) != 14
            or len(self.capture) != 6
            or self.image_type not in _FACE_IMAGE_TYPES
            or self.feature_points
        ):
            # What is wrong, or unusual, is found value by value.
            self._require_sizes()
        _require_description(self.description)
        try:
            _require_face_header(self.biometric_header)
        except tlv.TlvError as error:
            raise DataGroupError(f"portrait: {error}") from error
        picture_format = self.picture.format
        if picture_format is not self.format:
            raise DataGroupError(
                f"picture is {picture_format.name}, its record says {self.format.name}"
            )

    def _require_sizes(self) -> None:
        if not 1 <= len(self.image) <= _MAX_PICTURE_BYTES:
            raise DataGroupError(
                f"picture has {len(self.image)} bytes, expected 1 to {_MAX_PICTURE_BYTES}"
            )
        for what, number, maximum in (
            ("width", self.width, 0xFFFF),
            ("height", self.height, 0xFFFF),
            ("image type", self.image_type, 0xFF),
        ):
            if not 0 <= number <= maximum:
                raise DataGroupError(f"{what} is {number}, expected 0 to {maximum}")
        for what, value, size in (
            ("description", self.description, 14),
            ("capture", self.capture, 6),
        ):
            if len(value) != size:
                raise DataGroupError(f"{what} has {len(value)} bytes, expected {size}")
        if self.image_type not in _FACE_IMAGE_TYPES:
            raise DataGroupError(f"face image type is {self.image_type}, expected 0 to 2")
        if (
            len(self.feature_points) % _FEATURE_POINT_BYTES
            or len(self.feature_points) > _MAX_FEATURE_POINTS * _FEATURE_POINT_BYTES
        ):
            raise DataGroupError(f"feature points have {len(self.feature_points)} bytes")

    @property
    def picture(self) -> ImageHeader:
        """Format and size as the picture's own header has them."""
        try:
            return read_image_header(self.image)
        except ImageHeaderError as error:
            raise DataGroupError(f"portrait: {error}") from error

    @classmethod
    def of_picture(cls, image: bytes) -> Self:
        """The portrait that holds this picture, its format and size found in its header.

        Raises:
            DataGroupError: neither JPEG nor JPEG 2000, or too long.
        """
        with malformed_as(DataGroupError, "portrait"):
            header = read_image_header(image)
        return cls(image=image, format=header.format, width=header.width, height=header.height)

    def to_bytes(self) -> bytes:
        """The whole file, tag 75 included."""
        image_information = (
            bytes((self.image_type, self.format))
            + self.width.to_bytes(2, "big")
            + self.height.to_bytes(2, "big")
            + self.capture
        )
        block_length = (
            _PICTURE_OFFSET - _RECORD_HEADER_BYTES + len(self.feature_points) + len(self.image)
        )
        head = (
            _FACE_RECORD.pack(
                _IDENTIFIER_AND_VERSION,
                _RECORD_HEADER_BYTES + block_length,
                1,
                block_length,
                len(self.feature_points) // _FEATURE_POINT_BYTES,
            )
            + self.description
            + self.feature_points
            + image_information
        )
        # From the inside out, so that the picture is copied once and not for each template around it.
        for before, template in (
            (b"", _FACE),
            (tlv.encode(_BIOMETRIC_HEADER, self.biometric_header), _INFORMATION_TEMPLATE),
            (tlv.encode(_INSTANCES, b"\x01"), _GROUP_TEMPLATE),
            (b"", _TAG),
        ):
            head = before + head
            head = tlv.encode_header(template, len(head) + len(self.image)) + head
        return head + self.image

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything else; code ``data-group.unsupported-encoding`` for another biometric
                encoding than ISO/IEC 19794-5.
        """
        with malformed_as(DataGroupError, "EF.DG2"):
            face = _usual_face(data)
            if face is not None:
                return cls._from_face(_HEADER_OF_OURS, face)
            group = tlv.parse(
                tlv.parse(data, expected_tag=_TAG).value, expected_tag=_GROUP_TEMPLATE
            )
            parts = group.children()
            _require_tags(parts, (_INSTANCES, _INFORMATION_TEMPLATE))
            if parts[0].value != b"\x01":
                raise DataGroupError("EF.DG2 holds another number of portraits than one")
            information = parts[1].children()
            if [part.tag for part in information] == [_BIOMETRIC_HEADER, _FACE_39794]:
                raise _unsupported("tag 7F2E (ISO/IEC 39794-5)")
            _require_tags(information, (_BIOMETRIC_HEADER, _FACE))
            _require_face_header(information[0].value)
            return cls._from_face(information[0].value, information[1].value)

    @classmethod
    def _from_face(cls, biometric_header: bytes, face: bytes) -> Self:
        if len(face) < _PICTURE_OFFSET:
            raise DataGroupError(
                f"face record has {len(face)} bytes, expected more than {_PICTURE_OFFSET}"
            )
        if face[:8] != _IDENTIFIER_AND_VERSION:
            raise _unsupported("a face record of another version than 010")
        _, record_bytes, images, block_bytes, points = _FACE_RECORD.unpack_from(face)
        if record_bytes != len(face) or block_bytes != len(face) - _RECORD_HEADER_BYTES:
            raise DataGroupError(
                f"face record announces {record_bytes} bytes and {block_bytes} of data, got {len(face)}"
            )
        if images != 1:
            raise DataGroupError(f"number of facial images is {images}, expected 1")
        points_end = 34 + _FEATURE_POINT_BYTES * points
        picture_start = points_end + _IMAGE_INFORMATION_BYTES
        if len(face) < picture_start:
            raise DataGroupError(
                f"face record has {len(face)} bytes, expected more than {picture_start}"
            )
        image_type, data_type, width, height = _IMAGE_INFORMATION.unpack_from(face, points_end)
        image_format = _FORMATS.get(data_type)
        if image_format is None:
            raise DataGroupError(f"image data type is {data_type}, expected 0 or 1")
        return cls(
            image=face[picture_start:],
            format=image_format,
            width=width,
            height=height,
            biometric_header=biometric_header,
            description=face[20:34],
            image_type=image_type,
            capture=face[picture_start - 6 : picture_start],
            feature_points=face[34:points_end],
        )


_USUAL_FRAME = struct.Struct(">2sH3sH3s3sH2s15s3sH")


def _usual_face(data: bytes) -> bytes | None:
    """The face in a file with the biometric header of ours, whose lengths all take two bytes; ``None`` for any other.

    What such a file begins with follows from its length alone, and is compared as a whole.
    """
    size = len(data) - _USUAL_FRAME.size
    if not 0x100 <= size <= _MAX_PICTURE_BYTES - _USUAL_FRAME.size:
        return None
    frame = _USUAL_FRAME.pack(
        b"\x75\x82",
        size + 35,
        b"\x7f\x61\x82",
        size + 30,
        b"\x02\x01\x01",
        b"\x7f\x60\x82",
        size + 22,
        b"\xa1\x0f",
        _HEADER_OF_OURS,
        b"\x5f\x2e\x82",
        size,
    )
    return data[_USUAL_FRAME.size :] if data.startswith(frame) else None


@lru_cache(maxsize=64)
def _require_description(description: bytes) -> None:
    """Gender to pose uncertainty, each a value that 5.5 has; most chips have the same."""
    gender, eyes, hair = description[:3]
    for what, value, maximum in (
        ("gender", gender, 2),
        ("eye colour", eyes, 7),
        ("hair colour", hair, 7),
    ):
        if value > maximum and value != _UNKNOWN:
            raise DataGroupError(f"{what} is {value}, expected 0 to {maximum} or {_UNKNOWN}")
    for what, value in zip(_ANGLES, description[8:14], strict=True):
        if value > _MAX_ANGLE:
            raise DataGroupError(f"{what} is {value}, expected 0 to {_MAX_ANGLE}")


_ANGLES = (
    "yaw",
    "pitch",
    "roll",
    "uncertainty of yaw",
    "uncertainty of pitch",
    "uncertainty of roll",
)


@lru_cache(maxsize=64)
def _require_face_header(header: bytes) -> None:
    """A biometric header that announces one face of ISO/IEC 19794-5 (9303-10, table 43); most chips have the same."""
    values = {part.tag: part.value for part in tlv.parse_all(header)}
    if values.get(_BIOMETRIC_TYPE) != _FACIAL_FEATURES:
        raise DataGroupError("biometric type is not that of facial features (02)")
    if (values.get(_FORMAT_OWNER), values.get(_FORMAT_TYPE)) != (_SUBCOMMITTEE_37, _FACE_19794):
        raise _unsupported("another format owner or type")


def _require_tags(parts: tuple[tlv.Tlv, ...], expected: tuple[int, int]) -> None:
    found = tuple(part.tag for part in parts)
    if found != expected:
        raise DataGroupError(
            f"got tags {[f'{tag:02X}' for tag in found[:4]]}, expected {[f'{tag:02X}' for tag in expected]}"
        )


def _unsupported(what: str) -> DataGroupError:
    return DataGroupError(
        f"EF.DG2 holds {what}, expected ISO/IEC 19794-5",
        code="data-group.unsupported-encoding",
    )
