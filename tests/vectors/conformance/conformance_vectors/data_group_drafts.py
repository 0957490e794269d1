"""Files of a card put together from raw parts, so that any of them can be made wrong."""

import io
from functools import cache

from conformance_vectors.bench import issued_files
from PIL import Image

from card_layout import tlv
from card_layout.mrz import check_digit


def with_length(content: bytes, more: int) -> bytes:
    """The outer length counts ``more`` bytes than there are; as many bytes are written."""
    header = tlv.read_header(content)
    length = header.length + more
    if header.size == 2:
        return content[:1] + bytes((length,)) + content[2:]
    size = header.size - 2
    return content[:2] + length.to_bytes(size, "big") + content[header.size :]


def frame(content: bytes) -> bytes:
    """What the outer header of a file frames: what a reader takes for the file."""
    return content[: tlv.read_header(content).total]


MRZ = {
    "document_code": "CM",
    "state": "VNM",
    "optional_1": "",
    "nationality": "VNM",
    "optional_2": "",
}


@cache
def issued_mrz() -> dict[str, str]:
    """The fields of the right card's zone."""
    text = issued_files()["EF.DG1"][-90:].decode()
    return {
        **MRZ,
        "number": text[5:14],
        "birth": text[30:36],
        "sex": text[37],
        "expiry": text[38:44],
        "name": text[60:],
    }


def mrz_text(**changes: str) -> str:
    """The zone with some of its fields, or of its check digits (``*_digit``), as a vector wants them."""
    fields = {**issued_mrz(), **changes}
    number = fields["number"].ljust(9, "<")
    upper = (
        fields["document_code"].ljust(2, "<")
        + fields["state"].ljust(3, "<")
        + number
        + fields.get("number_digit", check_digit(number))
        + fields["optional_1"].ljust(15, "<")
    )
    middle = (
        fields["birth"]
        + fields.get("birth_digit", check_digit(fields["birth"]))
        + fields["sex"]
        + fields["expiry"]
        + fields.get("expiry_digit", check_digit(fields["expiry"]))
        + fields["nationality"].ljust(3, "<")
        + fields["optional_2"].ljust(11, "<")
    )
    composite = check_digit(upper[5:30] + middle[0:7] + middle[8:15] + middle[18:29])
    return upper + middle + fields.get("composite_digit", composite) + fields["name"].ljust(30, "<")


def data_group_1(**changes: str) -> bytes:
    return tlv.encode(0x61, tlv.encode(0x5F1F, mrz_text(**changes).encode()))


def information(**changes: str) -> str:
    """What opens a card with this zone."""
    text = mrz_text(**changes)
    return text[5:15] + text[30:37] + text[38:45]


@cache
def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (240, 320), (200, 180, 160)).save(buffer, kind)
    return buffer.getvalue()


FACE_HEADER = {0x80: b"\x01\x01", 0x81: b"\x02", 0x87: b"\x01\x01", 0x88: b"\x00\x08"}


def template(header: dict[int, bytes | None], record: bytes | None, tag: int = 0x5F2E) -> bytes:
    """One information template; an object given as ``None`` is left out."""
    inner = b"".join(tlv.encode(key, value) for key, value in header.items() if value is not None)
    data = b"" if record is None else tlv.encode(tag, record)
    return tlv.encode(0x7F60, tlv.encode(0xA1, inner) + data)


def group(tag: int, *templates: bytes, number: bytes | None = None) -> bytes:
    """A biometric data group; without a number where it is empty."""
    count = tlv.encode(0x02, bytes((len(templates),))) if number is None else number
    return tlv.encode(tag, tlv.encode(0x7F61, count + b"".join(templates)))


def face(
    *,
    kind: str = "JPEG",
    begin: bytes = b"FAC\x00010\x00",
    description: bytes = bytes(14),
    points: int = 0,
    announced_points: int | None = None,
    image_type: int = 1,
    data_type: int | None = None,
) -> bytes:
    """A face record of ISO/IEC 19794-5."""
    image = picture(kind)
    counted = points if announced_points is None else announced_points
    data = (0 if kind == "JPEG" else 1) if data_type is None else data_type
    size = bytes((image_type, data)) + (240).to_bytes(2, "big") + (320).to_bytes(2, "big")
    body = (
        counted.to_bytes(2, "big")
        + description
        + bytes.fromhex("0131010100640000") * points
        + size
        + bytes.fromhex("010000000000")
        + image
    )
    # The length of the block leaves points out that it should count.
    block = len(body) + 4
    if counted != points:
        block -= 8 * (points - counted)
    return (
        begin
        + (14 + len(body) + 4).to_bytes(4, "big")
        + (1).to_bytes(2, "big")
        + block.to_bytes(4, "big")
        + body
    )


def data_group_2(
    header: dict[int, bytes | None] | None = None, record: bytes | None = None, **fields: object
) -> bytes:
    chosen = {**FACE_HEADER, **(header or {})}
    return group(0x75, template(chosen, face(**fields) if record is None else record))


FINGER_HEADER = {0x81: b"\x08", 0x82: b"\x09", 0x87: b"\x01\x01", 0x88: b"\x00\x07"}
IRIS_HEADER = {0x81: b"\x10", 0x82: b"\x01", 0x87: b"\x01\x01", 0x88: b"\x00\x09"}
RAW, WSQ, JPEG2000 = 0, 2, 4


def finger(compression: int = WSQ, begin: bytes = b"FIR\x00010\x00") -> bytes:
    """A record of ISO/IEC 19794-4; its picture is no picture, and is not looked at."""
    image = bytes(64)
    general = (
        bytes(2) + (31).to_bytes(2, "big") + bytes((1, 1)) + bytes.fromhex("01F401F401F401F408")
    )
    general += bytes((compression, 0, 0))
    body = general + (14 + len(image)).to_bytes(4, "big") + bytes(10) + image
    return begin + (14 + len(body)).to_bytes(6, "big") + body


def iris(begin: bytes = b"IIR\x00010\x00") -> bytes:
    """A record of ISO/IEC 19794-6; its picture is no picture either."""
    body = bytes(33) + bytes(64)
    return begin + (12 + len(body)).to_bytes(4, "big") + body


def two(
    tag: int,
    header: dict[int, bytes],
    record: bytes,
    *,
    changed: dict[int, bytes | None] | None = None,
    second: bytes | None = b"",
    number: bytes | None = None,
) -> bytes:
    """Two instances, right and left; ``changed`` objects of the second header, or a ``second`` record."""
    other = {**header, 0x82: b"\x0a" if tag == 0x63 else b"\x02", **(changed or {})}
    return group(
        tag,
        template(header, record),
        template(other, record if second == b"" else second),
        number=number,
    )
