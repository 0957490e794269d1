"""The rules that every file keeps: a value survives its bytes, and only its own bytes are accepted."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import CardDataError
from card_layout.files.atr_info import AtrInfo
from card_layout.files.biometric_records import BiometricRecord, FingerRecords, IrisRecords
from card_layout.files.card_access import CardAccess
from card_layout.files.card_security import CardSecurity
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_12 import DocumentDetails
from card_layout.files.data_group_13 import CardKind, MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.registry import FILE_TYPES, GROUP_OF_TAG, TAG_OF_GROUP, CardFile, decode_file
from card_layout.files.security_infos import (
    ActiveAuthenticationInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
    UnknownSecurityInfo,
)
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from card_layout.files.trust_points import TrustPoints
from card_layout.mrz import MachineReadableZone
from card_layout.rsa import RsaPublicKey

CODES = {
    "EF.ATR/INFO": {"atr-info.malformed"},
    "EF.CardAccess": {"access.card-access-malformed"},
    "EF.CardSecurity": {"card-security.not-proven"},
    "EF.COM": {"common-data.malformed"},
    "EF.SOD": {"security-object.malformed"},
    "EF.CVCA": {"terminal-authentication.trust-points-malformed"},
}
DATA_GROUP_CODES = {"data-group.malformed", "data-group.unsupported-encoding"}

JPEG = bytes.fromhex("FFD8 FFE00010 4A46494600010101004800480000 FFC0000B 08 0200 0180 01011100")
JPEG2000 = bytes.fromhex("FF4FFF51 0029 0000 00000180 00000200 00000000 00000000".replace(" ", ""))

TEXT = st.text(
    st.sampled_from("abcxyzABCXYZ Nguyễn ĐỗÊơưệ'-.,1234567890"), min_size=1, max_size=40
).filter(str.strip)
WORDS = st.lists(st.sampled_from(["Nguyễn", "Y", "Êban", "Đỗ", "H'Hen", "Văn"]), min_size=1).map(
    " ".join
)
DATES = st.dates(min_value=date(1, 1, 1))
DIGITS = st.sampled_from("0123456789")
KEYS = st.builds(
    lambda curve: EcPublicKey(curve=curve, point=curve.generator), st.sampled_from(NamedCurve)
)
NUMBERS = st.integers(0, 300)
PACE_INFOS = st.builds(
    PaceInfo,
    protocol=st.sampled_from(["0.4.0.127.0.7.2.2.4.2.2", "0.4.0.127.0.7.2.2.4.6.4"]),
    version=NUMBERS,
    parameter_id=st.none() | NUMBERS,
)
INFOS = (
    PACE_INFOS
    | st.builds(
        ChipAuthenticationInfo,
        protocol=st.sampled_from(["0.4.0.127.0.7.2.2.3.2.2", "0.4.0.127.0.7.2.2.3.1.1"]),
        version=NUMBERS,
        key_id=st.none() | NUMBERS,
    )
    | st.builds(
        ChipAuthenticationPublicKeyInfo,
        public_key=KEYS,
        key_id=st.none() | NUMBERS,
        explicit_parameters=st.booleans(),
    )
    | st.builds(
        ChipAuthenticationPublicKeyInfo,
        public_key=KEYS,
        key_id=st.none() | NUMBERS,
        explicit_parameters=st.just(False),
        standardised_parameters=st.just(True),
    )
    | st.builds(
        ActiveAuthenticationInfo,
        version=NUMBERS,
        signature_algorithm=st.sampled_from(["0.4.0.127.0.7.1.1.4.1.3", "1.2.3"]),
    )
    | st.builds(TerminalAuthenticationInfo, version=NUMBERS)
    | st.builds(
        TerminalAuthenticationInfo,
        file_identifier=st.integers(0, 0xFFFF),
        short_identifier=st.none() | st.integers(1, 30),
    )
    | st.sampled_from(
        ["3009060104020101020102", "300706022A03040101", "300E060904007F000702020702020101"]
    ).map(lambda encoded: UnknownSecurityInfo.from_bytes(bytes.fromhex(encoded)))
)
RSA_KEYS = st.builds(
    RsaPublicKey,
    modulus=st.sampled_from([1024, 1792, 2048]).flatmap(
        lambda bits: st.integers(1 << (bits - 1), (1 << bits) - 1).map(lambda number: number | 1)
    ),
    exponent=st.sampled_from([3, 65537]),
)
ACTIVE_AUTHENTICATION_KEYS = st.builds(
    ActiveAuthenticationKey,
    subject_public_key_info=RSA_KEYS.map(lambda key: key.to_subject_public_key_info())
    | st.tuples(KEYS, st.booleans()).map(
        lambda drawn: drawn[0].to_subject_public_key_info(explicit=drawn[1])
    ),
)
SECURITY_INFOS = st.builds(
    SecurityInfos,
    infos=st.lists(INFOS, min_size=1, max_size=5).map(tuple),
    is_in_der_order=st.just(True),
)
ZONES = st.builds(
    MachineReadableZone,
    document_code=st.just("CM"),
    issuing_state=st.just("VNM"),
    document_number=st.text(st.sampled_from("ABC0123"), min_size=9, max_size=9),
    birth_date=st.sampled_from(["600101", "991231", "000229"]),
    sex=st.sampled_from("MF<"),
    expiry_date=st.sampled_from(["360101", "351130"]),
    nationality=st.just("VNM"),
    name=st.sampled_from(["NGUYEN<<VAN<A".ljust(30, "<"), "Y<BHAM<EBAN".ljust(30, "<")]),
)


def member_record(*, primary_name: str, secondary_name: str, **fields: Any) -> MemberRecord:
    """A record whose full name has the words of both parts, the family name last."""
    return MemberRecord(
        full_name=f"{secondary_name} {primary_name}".strip(),
        primary_name=primary_name,
        secondary_name=secondary_name,
        **fields,
    )


MEMBER_RECORDS = st.builds(
    member_record,
    salt=st.binary(min_size=16, max_size=16),
    card_number=st.text(DIGITS, min_size=8, max_size=8),
    record_number=st.from_regex(r"[0-9]{6}[A-Z]{1,3}", fullmatch=True),
    citizen_number=st.text(DIGITS, min_size=12, max_size=12),
    primary_name=TEXT,
    secondary_name=TEXT | st.just(""),
    organisation_code=st.from_regex(r"[A-Z0-9.]{1,32}", fullmatch=True),
    organisation_name=TEXT,
    admission_date=DATES,
    recognition_date=DATES,
    home_town=TEXT,
    ethnic_group=TEXT,
    kind=st.sampled_from(CardKind),
    ordinal=st.integers(1, 99),
    valid_from=DATES,
    valid_until=DATES,
)


def biometric_records(
    features: int, subtypes: list[int], form: int, begin: bytes, length_bytes: int
) -> st.SearchStrategy[tuple[BiometricRecord, ...]]:
    def record(subtype: int, picture: bytes, tag: int) -> BiometricRecord:
        length = len(begin) + length_bytes + len(picture)
        return BiometricRecord(
            header=bytes((0x81, 1, features, 0x82, 1, subtype, 0x87, 2, 1, 1, 0x88, 2, 0, form)),
            tag=tag,
            record=begin + length.to_bytes(length_bytes, "big") + picture,
        )

    one = st.builds(
        record, st.sampled_from(subtypes), st.binary(max_size=30), st.sampled_from([0x5F2E, 0x7F2E])
    )
    return st.lists(one, min_size=1, max_size=3).map(tuple)


VALUES: dict[str, st.SearchStrategy[CardFile]] = {
    "EF.ATR/INFO": st.builds(
        AtrInfo,
        capabilities=st.binary(min_size=3, max_size=3),
        max_command_bytes=st.integers(261, 65544),
        max_response_bytes=st.integers(258, 65538),
    )
    | st.builds(AtrInfo, capabilities=st.binary(min_size=3, max_size=3)),
    "EF.CardAccess": st.builds(CardAccess, security_infos=SECURITY_INFOS),
    "EF.CardSecurity": st.builds(
        CardSecurity,
        content_info=st.binary(max_size=200).map(lambda value: tlv.encode(0x30, value)),
    ),
    "EF.COM": st.builds(
        CommonData,
        data_group_tags=st.sets(st.integers(1, 16)).map(
            lambda groups: tuple(TAG_OF_GROUP[group] for group in sorted(groups))
        ),
    ),
    "EF.SOD": st.builds(
        SecurityObjectFile,
        content_info=st.binary(max_size=300).map(lambda value: tlv.encode(0x30, value)),
    ),
    "EF.CVCA": st.builds(
        TrustPoints,
        references=st.lists(
            st.binary(min_size=8, max_size=16), min_size=1, max_size=2, unique=True
        ).map(tuple),
    ),
    "EF.DG1": st.builds(DataGroup1, mrz=ZONES),
    "EF.DG2": st.builds(
        Portrait.of_picture,
        st.tuples(st.sampled_from([JPEG, JPEG2000]), st.binary(max_size=50)).map(b"".join),
    ),
    "EF.DG3": st.builds(
        FingerRecords,
        records=biometric_records(0x08, [0, 5, 6, 9, 22], 0x07, b"FIR\x00010\x00", 6),
    )
    | st.builds(FingerRecords, records=st.just(()), random=st.binary(max_size=16)),
    "EF.DG4": st.builds(
        IrisRecords, records=biometric_records(0x10, [0, 1, 2], 0x09, b"IIR\x00010\x00", 4)
    ),
    "EF.DG11": st.builds(
        PersonalDetails,
        primary_name=WORDS,
        secondary_name=WORDS | st.just(""),
        birth_date=DATES,
        place_of_birth=TEXT,
    ),
    "EF.DG12": st.builds(
        DocumentDetails,
        issuing_committee=TEXT,
        date_of_issue=DATES,
        personalised_at=st.datetimes(timezones=st.just(UTC)).map(
            lambda moment: moment.replace(microsecond=0)
        ),
        personalisation_system=TEXT,
    ),
    "EF.DG13": MEMBER_RECORDS,
    "EF.DG14": st.builds(SecurityOptions, security_infos=SECURITY_INFOS),
    "EF.DG15": ACTIVE_AUTHENTICATION_KEYS,
}

each_file = pytest.mark.parametrize("name", list(FILE_TYPES))


@dataclass(frozen=True)
class Outcome:
    value: CardFile | None
    code: str | None


def outcome(name: str, data: bytes) -> Outcome:
    """A value, or the code of a data error; nothing else may come out of a file."""
    try:
        return Outcome(decode_file(name, data), None)
    except CardDataError as error:
        return Outcome(None, error.code)


def require_identical_or_refused(name: str, data: bytes) -> None:
    result = outcome(name, data)
    if result.value is not None:
        assert result.value.to_bytes() == data
    else:
        assert result.code in CODES.get(name, DATA_GROUP_CODES)


def test_every_registered_file_is_put_to_the_test() -> None:
    assert list(VALUES) == list(FILE_TYPES)


@each_file
@given(st.data())
def test_a_value_survives_its_bytes(name: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[name])
    encoded = value.to_bytes()
    read = decode_file(name, encoded)
    assert read == value
    assert type(read) is FILE_TYPES[name]
    assert read.to_bytes() == encoded


@each_file
@given(st.binary(max_size=400))
def test_any_bytes_are_a_value_or_a_data_error(name: str, data: bytes) -> None:
    require_identical_or_refused(name, data)


@each_file
@given(st.data())
@settings(max_examples=200)
def test_changed_bytes_are_refused_or_encode_identically(name: str, data: st.DataObject) -> None:
    encoded = bytearray(data.draw(VALUES[name]).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(encoded) - 1))
        kind = data.draw(st.sampled_from(["change", "insert", "delete", "flip"]))
        if kind == "change":
            encoded[position] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            encoded.insert(position, data.draw(st.integers(0, 255)))
        elif kind == "delete" and len(encoded) > 1:
            del encoded[position]
        else:
            encoded[position] ^= 1 << data.draw(st.integers(0, 7))
    require_identical_or_refused(name, bytes(encoded))


@each_file
@given(st.data())
def test_objects_taken_out_doubled_or_swapped_are_refused_or_encode_identically(
    name: str, data: st.DataObject
) -> None:
    # Well-formed framing around the wrong content reaches deeper than random bytes do.
    encoded = data.draw(VALUES[name]).to_bytes()
    require_identical_or_refused(name, rearrange(encoded, data))


def rearrange(encoded: bytes, data: st.DataObject) -> bytes:
    """Some template of the file with one of its objects dropped, doubled, moved or emptied."""
    try:
        parts = list(tlv.parse_all(encoded))
    except tlv.TlvError:
        return encoded
    if not parts:
        return encoded
    index = data.draw(st.integers(0, len(parts) - 1))
    kind = data.draw(
        st.sampled_from(["drop", "double", "move", "empty", "enter", "enter", "enter"])
    )
    if kind == "enter" and parts[index].is_constructed:
        parts[index] = tlv.Tlv(parts[index].tag, rearrange(parts[index].value, data))
    elif kind == "drop":
        del parts[index]
    elif kind == "double":
        parts.insert(index, parts[index])
    elif kind == "move":
        parts.append(parts.pop(index))
    else:
        parts[index] = tlv.Tlv(parts[index].tag, b"")
    return tlv.concatenate(parts)


@each_file
@given(st.data())
def test_cut_and_lengthened_files_are_refused(name: str, data: st.DataObject) -> None:
    encoded = data.draw(VALUES[name]).to_bytes()
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    # EF.ATR/INFO cut between its two objects is that of a card without extended lengths.
    if name == "EF.ATR/INFO":
        require_identical_or_refused(name, cut)
    else:
        assert outcome(name, cut).value is None
    assert outcome(name, encoded + b"\x00").value is None
    assert outcome(name, encoded + encoded).value is None


@each_file
def test_a_length_of_gigabytes_is_refused(name: str) -> None:
    for header in ("6184FFFFFFFF", "3084FFFFFFFF", "7F6184FFFFFFFF", "3180", "6D80"):
        assert outcome(name, bytes.fromhex(header)).value is None


@each_file
@given(st.data())
@settings(max_examples=20)
def test_a_value_shows_nothing_of_its_holder(name: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[name])
    shown = repr(value)
    for secret in ("Nguyễn", "NGUYEN", "Êban", "EBAN"):
        assert secret not in shown


def test_an_unknown_file_has_no_content() -> None:
    with pytest.raises(CardDataError) as raised:
        decode_file("EF.DG99", b"")
    assert raised.value.code == "card.unknown-file"


def test_tags_and_groups_are_one_to_one() -> None:
    # ICAO 9303-10, table 38.
    assert bytes(TAG_OF_GROUP[group] for group in range(1, 17)).hex().upper() == (
        "617563766566676869" + "6A6B6C6D6E6F70"
    )
    assert {GROUP_OF_TAG[tag] for tag in TAG_OF_GROUP.values()} == set(range(1, 17))


def test_moments_in_other_zones_of_utc_are_the_same() -> None:
    details = DocumentDetails(
        issuing_committee="Tỉnh ủy",
        date_of_issue=date(2026, 1, 2),
        personalised_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        personalisation_system="membercard",
    )
    assert b"20260102030405" in details.to_bytes()
