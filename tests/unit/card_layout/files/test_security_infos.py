import pytest

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from card_layout.errors import CardDataError
from card_layout.files.card_access import CardAccess
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.malformed import CardAccessError, DataGroupError
from card_layout.files.security_infos import (
    ID_CA_ECDH_AES_128,
    ID_PACE_ECDH_GM_AES_128,
    ID_PK_ECDH,
    MAX_INFOS,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
    UnknownSecurityInfo,
)

PACE = PaceInfo(parameter_id=12)
CHIP = ChipAuthenticationInfo(key_id=1)
KEY = ChipAuthenticationPublicKeyInfo(
    public_key=EcPublicKey(curve=NamedCurve.SECP256R1, point=NamedCurve.SECP256R1.generator),
    key_id=1,
)


def test_the_files_of_an_issued_card_are_the_bytes_of_the_specification() -> None:
    # SPEC.md, 3.4: OID, version 2, parameterId 12.
    pace = "3012 060A 04007F00070202040202 020102 02010C"
    assert CardAccess(security_infos=SecurityInfos(infos=(PACE,))).to_bytes() == bytes.fromhex(
        "3114" + pace
    )
    # SPEC.md, 3.11: version 1, keyId 1.
    chip = "3012 060A 04007F00070202030202 020101 020101"
    assert SecurityOptions(
        security_infos=SecurityInfos(infos=(PACE, CHIP))
    ).to_bytes() == bytes.fromhex("6E2A 3128" + chip + pace)
    assert PACE.to_bytes() == bytes.fromhex(pace)


def test_infos_are_found_by_their_kind() -> None:
    infos = SecurityInfos(infos=(KEY, PACE, CHIP))
    assert infos.pace_infos == (PACE,)
    assert infos.chip_authentication_infos == (CHIP,)
    assert infos.chip_authentication_keys == (KEY,)
    assert (PACE.protocol, CHIP.protocol, KEY.protocol) == (
        ID_PACE_ECDH_GM_AES_128,
        ID_CA_ECDH_AES_128,
        ID_PK_ECDH,
    )


def test_a_set_is_written_in_the_order_of_der_whatever_order_it_was_given_in() -> None:
    one = SecurityInfos(infos=(PACE, CHIP, KEY))
    other = SecurityInfos(infos=(KEY, CHIP, PACE))
    assert one == other
    assert one.to_bytes() == other.to_bytes()
    encodings = [part.to_bytes() for part in tlv.parse(one.to_bytes()).children()]
    assert encodings == sorted(encodings)


def test_a_set_in_another_order_is_read_and_keeps_its_order() -> None:
    # Real chips hold such sets (the BSI reference data set is one), and hashes cover them as they are.
    encoded = tlv.encode(der.SET, PACE.to_bytes() + CHIP.to_bytes())
    infos = SecurityInfos.from_bytes(encoded)
    assert not infos.is_in_der_order
    assert infos.to_bytes() == encoded
    assert infos.pace_infos == (PACE,)


@pytest.mark.parametrize(
    "encoded",
    [
        "3009 0604 01020304 020101",
        "3007 0602 2A03 040141",
        "300D 0609 04007F000702020202 0000".replace("0000", "0500"),
        # PACEDomainParameterInfo: one arc less than a PACEInfo (9303-11, 9.2.1).
        "3010 0609 04007F000702020402 3003 020101",
        # id-PK-DH: a key that is not on a curve.
        "300D 0609 04007F000702020101 0500",
    ],
)
def test_infos_of_unknown_protocols_are_kept_byte_for_byte(encoded: str) -> None:
    info = bytearray(bytes.fromhex(encoded))
    info[1] = len(info) - 2
    infos = SecurityInfos.from_bytes(tlv.encode(der.SET, bytes(info)))
    assert infos.infos == (UnknownSecurityInfo.from_bytes(bytes(info)),)
    assert infos.to_bytes() == tlv.encode(der.SET, bytes(info))
    assert infos.pace_infos == infos.chip_authentication_keys == ()


def test_a_key_on_a_curve_that_is_not_ours_is_kept_and_not_offered() -> None:
    known = KEY.public_key.to_subject_public_key_info(explicit=False)
    secp256k1 = known.replace(
        NamedCurve.SECP256R1.oid_bytes,
        der.encode_object_identifier("1.3.132.0.10")[:8].ljust(8, b"\x01"),
    )
    assert secp256k1 != known
    info = tlv.encode(
        der.SEQUENCE,
        tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(ID_PK_ECDH)) + secp256k1,
    )
    with pytest.raises(CurveError) as raised:
        ChipAuthenticationPublicKeyInfo.from_bytes(info)
    assert raised.value.code == "curve.unsupported"
    infos = SecurityInfos.from_bytes(tlv.encode(der.SET, info))
    assert infos.chip_authentication_keys == ()
    assert infos.to_bytes() == tlv.encode(der.SET, info)


def test_a_key_whose_point_is_not_on_its_curve_makes_the_file_malformed() -> None:
    encoded = bytearray(SecurityOptions(security_infos=SecurityInfos(infos=(KEY,))).to_bytes())
    encoded[-10] ^= 1
    with pytest.raises(DataGroupError) as raised:
        SecurityOptions.from_bytes(bytes(encoded))
    assert raised.value.code == "data-group.malformed"
    with pytest.raises(CardAccessError):
        SecurityInfos.from_bytes(tlv.parse(bytes(encoded)).value)


def test_a_named_curve_is_read_as_such() -> None:
    named = ChipAuthenticationPublicKeyInfo(
        public_key=KEY.public_key, key_id=None, explicit_parameters=False
    )
    assert len(named.to_bytes()) < len(KEY.to_bytes())
    assert ChipAuthenticationPublicKeyInfo.from_bytes(named.to_bytes()) == named
    assert ChipAuthenticationPublicKeyInfo.from_bytes(KEY.to_bytes()) == KEY


def numbered(parameters: str, key: bytes = b"\x00" + KEY.public_key.point) -> bytes:
    algorithm = tlv.encode(der.SEQUENCE, bytes.fromhex("060704007F00070102" + parameters))
    key_info = tlv.encode(der.SEQUENCE, algorithm + tlv.encode(der.BIT_STRING, key))
    protocol = tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(ID_PK_ECDH))
    return tlv.encode(der.SEQUENCE, protocol + key_info)


def test_a_curve_that_is_named_by_its_number_is_read_as_such() -> None:
    number = f"0201{KEY.public_key.curve.pace_parameter_id:02X}"
    info = ChipAuthenticationPublicKeyInfo.from_bytes(numbered(number))
    assert info.public_key == KEY.public_key
    assert info.standardised_parameters
    assert info.to_bytes() == numbered(number)
    with pytest.raises(CardAccessError, match="both"):
        ChipAuthenticationPublicKeyInfo(
            public_key=KEY.public_key, key_id=None, standardised_parameters=True
        )


@pytest.mark.parametrize("parameters", ["", "0500", "02010C02010C", "0200"])
def test_a_number_that_is_none_makes_the_info_malformed(parameters: str) -> None:
    with pytest.raises(CardAccessError):
        ChipAuthenticationPublicKeyInfo.from_bytes(numbered(parameters))


@pytest.mark.parametrize("key", [b"", b"\x00", b"\x01" + KEY.public_key.point, bytes(66)])
def test_a_numbered_curve_with_another_key_makes_the_info_malformed(key: bytes) -> None:
    number = f"0201{KEY.public_key.curve.pace_parameter_id:02X}"
    with pytest.raises(CardAccessError):
        ChipAuthenticationPublicKeyInfo.from_bytes(numbered(number, key))


def test_a_number_of_another_curve_is_kept_unknown() -> None:
    with pytest.raises(CurveError) as raised:
        ChipAuthenticationPublicKeyInfo.from_bytes(numbered("02010A"))
    assert raised.value.code == "curve.unsupported"
    infos = SecurityInfos.from_bytes(tlv.encode(der.SET, numbered("02010A")))
    assert infos.chip_authentication_keys == ()


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "3100",
        "3000",
        "310430020600",
        # PACEInfo without a version, with text for it, with a number too many, with a longer number than needed.
        "310E 300C 060A 04007F00070202040202",
        "3111 300F 060A 04007F00070202040202 0C0102",
        "3117 3015 060A 04007F00070202040202 020102 02010C 020100",
        "3115 3013 060A 04007F00070202040202 02020002 02010C",
        "3114 3012 060A 04007F00070202040202 020182 02010C",
    ],
)
def test_malformed_sets_are_refused(encoded: str) -> None:
    for read in (SecurityInfos.from_bytes, CardAccess.from_bytes):
        with pytest.raises(CardAccessError) as raised:
            read(bytes.fromhex(encoded))
        assert raised.value.code == "access.card-access-malformed"
    with pytest.raises(DataGroupError):
        SecurityOptions.from_bytes(tlv.encode(0x6E, bytes.fromhex(encoded)))


def test_a_set_of_more_infos_than_a_reader_takes_is_refused() -> None:
    most = SecurityInfos(infos=(PACE,) * MAX_INFOS)
    assert SecurityInfos.from_bytes(most.to_bytes()) == most
    with pytest.raises(CardAccessError):
        SecurityInfos.from_bytes(tlv.encode(der.SET, PACE.to_bytes() * (MAX_INFOS + 1)))
    with pytest.raises(CardAccessError):
        SecurityInfos(infos=(PACE,) * (MAX_INFOS + 1))


def test_infos_with_the_protocol_of_another_are_not_built() -> None:
    for build in (
        lambda: PaceInfo(protocol=ID_CA_ECDH_AES_128, parameter_id=12),
        lambda: ChipAuthenticationInfo(protocol=ID_PACE_ECDH_GM_AES_128, key_id=1),
        lambda: ChipAuthenticationPublicKeyInfo(
            protocol=ID_CA_ECDH_AES_128, public_key=KEY.public_key, key_id=1
        ),
        lambda: UnknownSecurityInfo(protocol="1.2.3", encoded=PACE.to_bytes()),
        lambda: PaceInfo.from_bytes(CHIP.to_bytes()),
        lambda: ChipAuthenticationInfo.from_bytes(PACE.to_bytes()),
    ):
        with pytest.raises(CardDataError):
            build()
