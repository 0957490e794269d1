"""EF.DG2 to EF.DG4: portraits, fingers and irises; only portraits are ever decoded, by whoever looks at them."""

from collections.abc import Callable

from conformance_vectors.bench import CardDraft, Case, accepted, refused
from conformance_vectors.data_group_drafts import (
    FACE_HEADER,
    FINGER_HEADER,
    IRIS_HEADER,
    JPEG2000,
    RAW,
    WSQ,
    data_group_2,
    face,
    finger,
    frame,
    group,
    iris,
    template,
    two,
    with_length,
)

MALFORMED = "data-group.malformed"
MISSING = "data-group.missing"
_STRUCTURE = "; the card gives the file under the password, and no picture is decoded"


def card(number: int, data: bytes, signed_as: bytes | None = None) -> Callable[[], CardDraft]:
    name = f"EF.DG{number}"
    return lambda: CardDraft(
        files={name: data}, signed_as={name: data if signed_as is None else signed_as}
    )


def spoilt(number: int, data: bytes, reason: str) -> Case:
    return refused(card(number, data), MALFORMED, reason=reason)


def too_small(number: int, data: bytes, reason: str) -> Case:
    cut = with_length(data, -1)
    return refused(card(number, cut, frame(cut)), MALFORMED, reason=reason)


def too_large(number: int, data: bytes, reason: str) -> Case:
    return refused(card(number, with_length(data, 1)), MALFORMED, MISSING, reason=reason)


def described(position: int, value: int) -> bytes:
    """DG2 with one byte of the facial information, counted from the gender, set."""
    description = bytearray(14)
    description[position] = value
    return data_group_2(description=bytes(description))


FACE = data_group_2()
FINGERS = two(0x63, FINGER_HEADER, finger())
IRISES = two(0x76, IRIS_HEADER, iris())


def fingers(changed: dict[int, bytes | None]) -> bytes:
    return two(0x63, FINGER_HEADER, finger(), changed=changed)


def irises(changed: dict[int, bytes | None]) -> bytes:
    return two(0x76, IRIS_HEADER, iris(), changed=changed)


PORTRAIT_CASES: dict[str, Case] = {
    "LDS_C_01": accepted(
        card(2, data_group_2(kind="JPEG2000")), "a full frontal portrait in JPEG 2000"
    ),
    "LDS_C_02": accepted(card(2, FACE), "a full frontal portrait in JPEG"),
    "LDS_C_03": accepted(
        card(2, data_group_2(kind="JPEG2000", points=3)),
        "a portrait in JPEG 2000 with three facial feature points",
    ),
    "LDS_C_04": spoilt(2, b"\x76" + FACE[1:], "DG2 begins with tag 76"),
    "LDS_C_05": too_small(2, FACE, "the length of DG2 is one byte too small"),
    "LDS_C_06": too_large(2, FACE, "the length of DG2 is one byte too large"),
    "LDS_C_07": spoilt(
        2, group(0x75, template(FACE_HEADER, face()), number=b""), "DG2 has no number of portraits"
    ),
    "LDS_C_08": spoilt(2, data_group_2({0x87: b"\x01\x02"}), "the portrait's format owner is 0102"),
    "LDS_C_09": spoilt(2, data_group_2({0x87: None}), "the portrait has no format owner"),
    "LDS_C_10": spoilt(2, data_group_2({0x88: b"\x00\x1d"}), "the portrait's format type is 001D"),
    "LDS_C_11": spoilt(2, data_group_2({0x88: None}), "the portrait has no format type"),
    "LDS_C_13": spoilt(
        2, data_group_2({0x81: b"\x08"}), "the portrait's biometric type is that of fingers"
    ),
    "LDS_C_14": spoilt(
        2, data_group_2(begin=b"FAX\x00010\x00"), "the face record begins with another identifier"
    ),
    "LDS_C_15": spoilt(2, data_group_2(begin=b"FAC\x00020\x00"), "the face record has version 020"),
    "LDS_C_16": spoilt(
        2,
        data_group_2(points=1, announced_points=0),
        "a feature point stands in the face record that its length does not count",
    ),
    "LDS_C_17": spoilt(2, described(0, 0x03), "the portrait's gender is 3"),
    "LDS_C_18": spoilt(2, described(1, 0x08), "the portrait's eye colour is 8"),
    "LDS_C_19": spoilt(2, described(2, 0x08), "the portrait's hair colour is 8"),
    "LDS_C_20": spoilt(2, described(8, 182), "the portrait's yaw is beyond a turn"),
    "LDS_C_21": spoilt(2, described(9, 182), "the portrait's pitch is beyond a turn"),
    "LDS_C_22": spoilt(2, described(10, 182), "the portrait's roll is beyond a turn"),
    "LDS_C_23": spoilt(2, described(11, 182), "the uncertainty of the yaw is beyond a turn"),
    "LDS_C_24": spoilt(2, described(12, 182), "the uncertainty of the pitch is beyond a turn"),
    "LDS_C_25": spoilt(2, described(13, 182), "the uncertainty of the roll is beyond a turn"),
    "LDS_C_26": spoilt(2, data_group_2(image_type=0x7F), "the face image type is 127"),
    "LDS_C_27": spoilt(2, data_group_2(data_type=2), "the image data type is 2"),
    "LDS_C_28": spoilt(2, group(0x75, template(FACE_HEADER, None)), "DG2 holds no face record"),
}

FINGER_CASES: dict[str, Case] = {
    "LDS_D_01": accepted(
        card(3, two(0x63, FINGER_HEADER, finger(JPEG2000))), "two fingers in JPEG 2000" + _STRUCTURE
    ),
    "LDS_D_02": accepted(card(3, FINGERS), "two fingers in WSQ" + _STRUCTURE),
    "LDS_D_03": accepted(
        card(
            3,
            group(
                0x63,
                *(
                    template({**FINGER_HEADER, 0x82: s}, finger(WSQ))
                    for s in (b"\x09", b"\x0a", b"\x05")
                ),
            ),
        ),
        "three fingers in WSQ" + _STRUCTURE,
    ),
    "LDS_D_04": spoilt(3, b"\x64" + FINGERS[1:], "DG3 begins with tag 64"),
    "LDS_D_05": too_small(3, FINGERS, "the length of DG3 is one byte too small"),
    "LDS_D_06": too_large(3, FINGERS, "the length of DG3 is one byte too large"),
    "LDS_D_07": spoilt(
        3, two(0x63, FINGER_HEADER, finger(), number=b""), "DG3 has no number of instances"
    ),
    "LDS_D_08": spoilt(3, fingers({0x87: b"\x01\x02"}), "the finger's format owner is 0102"),
    "LDS_D_09": spoilt(3, fingers({0x87: None}), "the finger has no format owner"),
    "LDS_D_10": spoilt(
        3, fingers({0x88: b"\x00\x08"}), "the finger's format type is that of faces"
    ),
    "LDS_D_11": spoilt(3, fingers({0x88: None}), "the finger has no format type"),
    "LDS_D_12": spoilt(3, fingers({0x82: b"\x1d"}), "the finger's subtype is a seventh finger"),
    "LDS_D_13": spoilt(3, fingers({0x82: None}), "the finger has no subtype"),
    "LDS_D_14": spoilt(
        3,
        two(0x63, FINGER_HEADER, finger(), second=finger(begin=b"FIX\x00010\x00")),
        "the finger's record begins with another identifier",
    ),
    "LDS_D_15": spoilt(
        3, two(0x63, FINGER_HEADER, finger(), second=None), "the second finger has no record"
    ),
    "LDS_D_16": accepted(
        card(3, two(0x63, FINGER_HEADER, finger(RAW))),
        "two fingers without compression" + _STRUCTURE,
    ),
}

IRIS_CASES: dict[str, Case] = {
    "LDS_E_02": accepted(card(4, IRISES), "two irises without compression" + _STRUCTURE),
    "LDS_E_03": spoilt(4, b"\x77" + IRISES[1:], "DG4 begins with tag 77"),
    "LDS_E_04": too_small(4, IRISES, "the length of DG4 is one byte too small"),
    "LDS_E_05": too_large(4, IRISES, "the length of DG4 is one byte too large"),
    "LDS_E_06": spoilt(
        4, two(0x76, IRIS_HEADER, iris(), number=b""), "DG4 has no number of instances"
    ),
    "LDS_E_07": spoilt(4, irises({0x87: b"\x01\x02"}), "the iris's format owner is 0102"),
    "LDS_E_08": spoilt(4, irises({0x87: None}), "the iris has no format owner"),
    "LDS_E_09": spoilt(4, irises({0x88: b"\x00\x08"}), "the iris's format type is that of faces"),
    "LDS_E_10": spoilt(4, irises({0x88: None}), "the iris has no format type"),
    "LDS_E_11": spoilt(4, irises({0x82: b"\x03"}), "the iris's subtype is a third eye"),
    "LDS_E_12": spoilt(4, irises({0x82: None}), "the iris has no subtype"),
    "LDS_E_13": spoilt(
        4,
        two(0x76, IRIS_HEADER, iris(), second=iris(begin=b"IIX\x00010\x00")),
        "the iris's record begins with another identifier",
    ),
    "LDS_E_14": spoilt(
        4, two(0x76, IRIS_HEADER, iris(), second=None), "the second iris has no record"
    ),
}
