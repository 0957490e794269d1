"""EF.COM, EF.SOD, EF.ATR/INFO, EF.DG1, EF.DG11, EF.DG12 and EF.DG13, byte by byte against SPEC.md, 3."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from cryptography.hazmat import asn1

from card_layout import tlv
from card_layout.errors import CardDataError
from card_layout.files.atr_info import AtrInfo
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import CardKind, MemberRecord
from card_layout.files.malformed import DataGroupError
from card_layout.files.security_object_file import SecurityObjectFile
from tests.unit.card_layout.member_record_asn1 import DeclaredRecord

UTOPIA = (
    "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
)
PERSONAL = PersonalDetails(
    primary_name="Nguyễn",
    secondary_name="Thị Đoan Trang",
    birth_date=date(1970, 3, 9),
    place_of_birth="Huế",
)
DOCUMENT = DocumentDetails(
    issuing_committee="Tỉnh ủy A",
    date_of_issue=date(2026, 11, 21),
    personalised_at=datetime(2026, 11, 21, 23, 59, 58, tzinfo=UTC),
    personalisation_system="membercard 0.1",
)
MEMBER = MemberRecord(
    salt=bytes(range(16)),
    card_number="01000001",
    record_number="123456ABC",
    citizen_number="001070000001",
    full_name="Y Bhăm Êban",
    primary_name="Êban",
    secondary_name="Y Bhăm",
    organisation_code="A.01",
    organisation_name="Đảng bộ A",
    admission_date=date(2000, 2, 29),
    recognition_date=date(2001, 2, 28),
    home_town="Đắk Lắk",
    ethnic_group="Ê Đê",
    kind=CardKind.EXCHANGE,
    ordinal=2,
    valid_from=date(2026, 11, 21),
    valid_until=date(2036, 11, 21),
)


def text(value: str) -> str:
    return value.encode().hex()


def test_common_data_is_the_bytes_of_the_specification() -> None:
    tags = (0x61, 0x75, 0x6B, 0x6C, 0x6D, 0x6E)
    expected = "6018 5F0104 30313038 5F3606 303430303030 5C06 61756B6C6D6E"
    assert CommonData(data_group_tags=tags).to_bytes() == bytes.fromhex(expected)


@pytest.mark.parametrize(
    "data",
    [
        "6018 5F0104 30313038 5F3606 303430303030 5C06 61617B6C6D6E",
        "6014 5F0104 30313038 5F3606 303430303030 5C02 6161",
        "6014 5F0104 30313038 5F3606 303430303030 5C02 7561",
        "6014 5F0104 3031303A 5F3606 303430303030 5C02 6175",
        "6014 5F0104 303130B2 5F3606 303430303030 5C02 6175",
        "6014 5F0104 30313038 5F3606 303430303041 5C02 6175",
        "6014 5F3606 303430303030 5F0104 30313038 5C02 6175",
        "6010 5F0104 30313038 5F3606 303430303030",
        "6000",
    ],
)
def test_malformed_common_data_is_refused(data: str) -> None:
    with pytest.raises(CardDataError) as raised:
        CommonData.from_bytes(bytes.fromhex(data))
    assert raised.value.code == "common-data.malformed"


def test_a_security_object_is_unwrapped_and_no_more() -> None:
    assert SecurityObjectFile.from_bytes(bytes.fromhex("77023000")).content_info == b"\x30\x00"
    for data in ("", "7700", "770430003000", "77020400", "3000", "77033000", "7704300030"):
        with pytest.raises(CardDataError) as raised:
            SecurityObjectFile.from_bytes(bytes.fromhex(data))
        assert raised.value.code == "security-object.malformed"


def test_atr_information_is_the_bytes_of_the_specification() -> None:
    with_lengths = AtrInfo(
        capabilities=bytes.fromhex("9421C0"), max_command_bytes=4096, max_response_bytes=4096
    )
    assert with_lengths.to_bytes() == bytes.fromhex("47039421C0 7F6608 02021000 02021000")
    without = AtrInfo(capabilities=bytes.fromhex("942180"))
    assert without.to_bytes() == bytes.fromhex("4703942180")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "47029421",
        "47039421C0 7F6604 02021000",
        "47039421C0 7F6608 0202007F 02021000",
        "47039421C0 7F6606 020110 020110",  # shorter than the shortest that a card may announce
        "47039421C0 7F660A 0203100000 0203100000",
        "47039421C0 7F6608 02029000 02021000",
        "7F6608 02021000 02021000",
        "7F6608 02021000 02021000 47039421C0",
        "47039421C0 47039421C0",
    ],
)
def test_malformed_atr_information_is_refused(data: str) -> None:
    with pytest.raises(CardDataError) as raised:
        AtrInfo.from_bytes(bytes.fromhex(data))
    assert raised.value.code == "atr-info.malformed"


def test_one_length_alone_is_not_written() -> None:
    with pytest.raises(CardDataError):
        AtrInfo(capabilities=bytes(3), max_command_bytes=4096)


def test_data_group_1_is_the_bytes_of_the_specification() -> None:
    data = bytes.fromhex("615D 5F1F5A") + UTOPIA.encode()
    assert DataGroup1.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    ("zone", "code"),
    [
        (UTOPIA.replace("7408122", "7408123"), "data-group.malformed"),
        (UTOPIA[:-1], "data-group.malformed"),
        (UTOPIA[:-1] + "\u00e9", "data-group.malformed"),
        ("P<UTOERIKSSON".ljust(88, "<"), "data-group.unsupported-encoding"),
        ("I<UTOERIKSSON".ljust(72, "<"), "data-group.unsupported-encoding"),
    ],
)
def test_other_zones_are_refused(zone: str, code: str) -> None:
    data = tlv.encode(0x61, tlv.encode(0x5F1F, zone.encode("latin-1")))
    with pytest.raises(DataGroupError) as raised:
        DataGroup1.from_bytes(data)
    assert raised.value.code == code


def test_data_group_11_is_the_bytes_of_the_specification() -> None:
    name, place = text("Nguyễn<<Thị<Đoan<Trang"), text("Huế")
    content = (
        f"5C06 5F0E5F2B5F11 5F0E{len(name) // 2:02X}{name} 5F2B08 3139373030333039"
        f" 5F11{len(place) // 2:02X}{place}"
    )
    assert PERSONAL.to_bytes() == tlv.encode(0x6B, bytes.fromhex(content))


def test_a_name_without_a_known_secondary_part_has_no_separator() -> None:
    whole = replace(PERSONAL, primary_name="Y Bhăm Êban", secondary_name="")
    assert "Y<Bhăm<Êban".encode() in whole.to_bytes()
    assert b"<<" not in whole.to_bytes()
    assert PersonalDetails.from_bytes(whole.to_bytes()) == whole


def test_a_name_of_99_bytes_is_held_and_a_longer_one_left_out() -> None:
    held = replace(PERSONAL, primary_name="A" * 50, secondary_name="B" * 47)
    assert (held.primary_name, held.secondary_name) == ("A" * 50, "B" * 47)
    assert b"\x5f\x0e\x63" in held.to_bytes()
    left_out = replace(PERSONAL, primary_name="A" * 50, secondary_name="B" * 48)
    assert (left_out.primary_name, left_out.secondary_name) == (None, "")
    assert left_out.to_bytes()[2:8] == bytes.fromhex("5C04 5F2B5F11")
    assert PersonalDetails.from_bytes(left_out.to_bytes()) == left_out
    # Bytes count, not letters.
    assert replace(PERSONAL, primary_name="Ế" * 33, secondary_name="").primary_name is not None
    assert replace(PERSONAL, primary_name="Ế" * 34, secondary_name="").primary_name is None


@pytest.mark.parametrize(
    "fields",
    [
        {"primary_name": ""},
        {"primary_name": " A"},
        {"primary_name": "A "},
        {"primary_name": "A  B"},
        {"secondary_name": "A<B"},
        {"primary_name": None},
        {"primary_name": unicodedata.normalize("NFD", "Nguyễn")},
        {"secondary_name": "A\nB"},
        {"place_of_birth": ""},
        {"place_of_birth": "H" * 321},
        {"place_of_birth": "H\u202eu"},
        {"place_of_birth": "\ud800"},
    ],
)
def test_personal_details_that_the_file_cannot_hold_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(DataGroupError):
        replace(PERSONAL, **fields)


def replaced(value: PersonalDetails | DocumentDetails, old: str, new: str) -> bytes:
    """The file with one text put in the place of another of the same length."""
    assert len(old.encode()) == len(new.encode())
    assert old.encode() in value.to_bytes()
    return value.to_bytes().replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("19700309", "19700230"),
        ("19700309", "00000309"),
        ("19700309", "1970 309"),
        ("Đoan<Trang", "Đoan<<rang"),
        ("Đoan<Trang", "Đoan Trang"),
        ("Trang", "Tran<"),
        ("Nguyễn", "<guyễn"),
    ],
)
def test_malformed_personal_details_are_refused(old: str, new: str) -> None:
    with pytest.raises(DataGroupError):
        PersonalDetails.from_bytes(replaced(PERSONAL, old, new))


def test_text_that_is_not_utf_8_in_normalisation_form_c_is_refused() -> None:
    decomposed = unicodedata.normalize("NFD", "ế").encode()
    for place in (b"\xff\xfe", b"Hu\xc3", decomposed, "Ð".encode("utf-16"), b"\xed\xa0\x80"):
        data = tlv.encode(
            0x6B,
            bytes.fromhex("5C04 5F2B5F11 5F2B08 3139373030333039") + tlv.encode(0x5F11, place),
        )
        with pytest.raises(DataGroupError):
            PersonalDetails.from_bytes(data)


def test_a_full_name_that_ends_with_a_separator_is_refused() -> None:
    for name in (b"A<<", b"<<B", b"A<<B<<C", b"A<<<B", b"<A"):
        data = tlv.encode(
            0x6B,
            bytes.fromhex("5C06 5F0E5F2B5F11")
            + tlv.encode(0x5F0E, name)
            + bytes.fromhex("5F2B08 3139373030333039 5F1101 41"),
        )
        with pytest.raises(DataGroupError):
            PersonalDetails.from_bytes(data)


def test_a_tag_list_that_names_other_tags_is_refused() -> None:
    data = PERSONAL.to_bytes()
    for old, new in (("5F0E5F2B5F11", "5F0E5F115F2B"), ("5C06", "5C86")):
        with pytest.raises(DataGroupError):
            PersonalDetails.from_bytes(data.replace(bytes.fromhex(old), bytes.fromhex(new), 1))


def test_data_group_12_is_the_bytes_of_the_specification() -> None:
    committee = text("Tỉnh ủy A")
    content = (
        f"5C08 5F195F265F555F56 5F19{len(committee) // 2:02X}{committee}"
        f" 5F2608{text('20261121')} 5F550E{text('20261121235958')} 5F560E{text('membercard 0.1')}"
    )
    assert DOCUMENT.to_bytes() == tlv.encode(0x6C, bytes.fromhex(content))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("20261121235958", "20261121245958"),
        ("20261121235958", "20261121235960"),
        ("20261121235958", "20261131235958"),
        ("20261121235958", "2026112123595 "),
    ],
)
def test_malformed_document_details_are_refused(old: str, new: str) -> None:
    with pytest.raises(DataGroupError):
        DocumentDetails.from_bytes(replaced(DOCUMENT, old, new))


def test_a_time_of_personalisation_is_a_whole_second_in_utc() -> None:
    moment = DOCUMENT.personalised_at
    for other in (
        moment.replace(tzinfo=None),
        moment.replace(microsecond=1),
        moment.astimezone(timezone(timedelta(hours=7))),
    ):
        with pytest.raises(DataGroupError):
            replace(DOCUMENT, personalised_at=other)


def test_data_group_13_is_the_bytes_of_the_specification() -> None:
    def printable(value: str) -> bytes:
        return tlv.encode(0x13, value.encode())

    def utf8(value: str) -> bytes:
        return tlv.encode(0x0C, value.encode())

    record = b"".join(
        (
            tlv.encode(0x04, bytes(range(16))),
            bytes.fromhex("020101"),
            printable("01000001"),
            printable("123456ABC"),
            printable("001070000001"),
            utf8("Y Bhăm Êban"),
            utf8("Êban"),
            utf8("Y Bhăm"),
            printable("A.01"),
            utf8("Đảng bộ A"),
            printable("20000229"),
            printable("20010228"),
            utf8("Đắk Lắk"),
            utf8("Ê Đê"),
            bytes.fromhex("020102"),
            bytes.fromhex("020102"),
            printable("20261121"),
            printable("20361121"),
        )
    )
    expected = tlv.encode(0x6D, tlv.encode(0x30, record))
    assert MEMBER.to_bytes() == expected
    assert MemberRecord.from_bytes(expected) == MEMBER


@pytest.mark.parametrize(
    "fields",
    [
        {"salt": bytes(15)},
        {"card_number": "0100001"},
        {"card_number": "01.00001"},
        {"card_number": "0100000١"},
        {"record_number": "123456"},
        {"record_number": "123456abc"},
        {"record_number": "12345ABCD"},
        {"citizen_number": "00107000000"},
        {"full_name": "Y Bhăm"},
        {"full_name": "Y Bhăm Êban Êban"},
        {"primary_name": ""},
        {"primary_name": "Ê" * 81},
        {"secondary_name": "A" * 161},
        {"organisation_code": ""},
        {"organisation_code": "Đ"},
        {"organisation_code": "A" * 33},
        {"organisation_name": "A\x00"},
        {"organisation_name": unicodedata.normalize("NFD", "Đảng bộ")},
        {"home_town": ""},
        {"ethnic_group": "K" * 65},
        {"ordinal": 0},
        {"ordinal": 100},
    ],
)
def test_a_member_record_that_the_file_cannot_hold_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(DataGroupError) as raised:
        replace(MEMBER, **fields)
    # Whatever the record holds, an error names the field only.
    assert all(
        str(value) not in str(raised.value) for value in fields.values() if len(str(value)) > 3
    )


def record(change: Callable[[DeclaredRecord], None]) -> bytes:
    """The file of a record that was changed behind the back of its checks."""
    inner = asn1.decode_der(DeclaredRecord, tlv.parse(MEMBER.to_bytes()).value)
    change(inner)
    return tlv.encode(0x6D, asn1.encode_der(inner))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2),
        ("version", 0),
        ("kind", 0),
        ("kind", 4),
        ("ordinal", 100),
        ("ordinal", -1),
        ("admission_date", asn1.PrintableString("20010229")),
        ("valid_until", asn1.PrintableString("2036 121")),
        ("card_number", asn1.PrintableString("0100000A")),
        ("home_town", "Hue\u0301"),
        ("home_town", ""),
        ("primary_name", "A" * 161),
        ("primary_name", "A\u200bB"),
    ],
)
def test_a_member_record_of_other_content_is_refused(name: str, value: object) -> None:
    with pytest.raises(DataGroupError) as raised:
        MemberRecord.from_bytes(record(lambda inner: setattr(inner, name, value)))
    assert raised.value.code == "data-group.malformed"


def test_kinds_have_the_numbers_of_the_specification() -> None:
    assert {kind.name: kind.value for kind in CardKind} == {
        "FIRST_ISSUE": 1,
        "EXCHANGE": 2,
        "RE_ISSUE": 3,
    }
