"""PACE's integrated and chip-authentication mapping against the worked examples of ICAO 9303-11, appendices H and I.

The values are those that the standard prints, as two public repositories have them: gmrtd/gmrtd, pace_test.go (I, with
an EF.CardSecurity that its authors made), and nl.zienit.icao_examples, PACE_IMTest (H, with every intermediate value).
"""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card_layout import der, tlv
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.security_infos import PaceInfo, SecurityInfos
from card_layout.iso7816 import commands
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.protocols.algorithms import PaceMapping, SessionCipher
from card_layout.protocols.chip_authentication_mapping import (
    ChipAuthenticationMapping,
    decrypt_chip_authentication_data,
)
from card_layout.protocols.integrated_mapping import (
    encode_number,
    integrate_nonces,
    pseudo_random_number,
)
from card_layout.protocols.pace import PacePassword, PaceResult, perform_pace
from card_layout.protocols.session_keys import KeyPurpose, derive_key

CURVE = NamedCurve.BRAINPOOLP256R1
INTEGRATED = PaceInfo(protocol="0.4.0.127.0.7.2.2.4.4.2", parameter_id=13)
CHIP_AUTHENTICATION = PaceInfo(protocol="0.4.0.127.0.7.2.2.4.6.2", parameter_id=13)

# Appendix H: nonces s and t, R(s, t), its remainder, and the mapped generator.
CHIP_NONCE = "2923BE84E16CD6AE529049F1F1BBE9EB"
TERMINAL_NONCE = "5DD4CBFC96F5453B130D890A1CDBAE32"
PSEUDO_RANDOM = (
    "E4447E2DFB3586BAC05DDB00156B57FBB2179A3949294C9725418980"
    "0C517BAA8DA0FF397ED8C445D3E421E4FEB57322"
)
REMAINDER = "A2F8FF2DF50E52C6599F386ADCB595D229F6A167ADE2BE5F2C3296ADD5B7430E"
GENERATOR = (
    "048E82D31559ED0FDE92A4D0498ADD3C23BABA94FB77691E31E90AEA77FB17D427"
    "4C1AE14BD0C3DBAC0C871B7F3608169364437CA30AC243A089D3F266C1E60FAD"
)

# Appendix I: the chip's static public key.
STATIC_KEY = (
    "041872709494399E7470A6431BE25E83EEE24FEA568C2ED28DB48E05DB3A610DC8"
    "84D256A40E35EFCB59BF6753D3A489D28C7A4D973C2DA138A6E7A4A08F68E16F"
)


class ReplayedCard:
    """Expects exactly these commands, and gives their answers."""

    atr = b"\x3b\x80\x80\x01\x01"

    def __init__(self, *exchanges: tuple[str, str]) -> None:
        self.exchanges = list(exchanges)

    def transmit(self, command: bytes) -> bytes:
        expected, response = self.exchanges.pop(0)
        assert command.hex().upper() == expected.upper()
        return bytes.fromhex(response)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def scalars(*values: str) -> Iterator[int]:
    return iter([int(value, 16) for value in values])


def test_the_worked_example_of_integrated_mapping_is_reproduced_step_by_step() -> None:
    nonces = {
        "chip_nonce": bytes.fromhex(CHIP_NONCE),
        "terminal_nonce": bytes.fromhex(TERMINAL_NONCE),
    }
    output = pseudo_random_number(CURVE, SessionCipher.AES_128, **nonces)
    assert output.hex().upper() == PSEUDO_RANDOM
    assert int.from_bytes(output, "big") % CURVE.p == int(REMAINDER, 16)
    assert encode_number(CURVE, int(REMAINDER, 16)).hex().upper() == GENERATOR
    assert integrate_nonces(CURVE, SessionCipher.AES_128, **nonces).hex().upper() == GENERATOR


def test_the_worked_example_of_integrated_mapping_opens_the_card() -> None:
    # The standard prints the key of the nonce and no password to it; the nonce is sent here under one that is known.
    printed_key = AES(bytes.fromhex("591468CDA83D65219CCCB8560233600F"))
    printed = bytes.fromhex("143DC40C08C8E891FBED7DEDB92B64AD")
    nonce = Cipher(printed_key, CBC(bytes(16))).decryptor().update(printed)
    assert nonce.hex().upper() == CHIP_NONCE
    password_key = AES(derive_key(b"123456", KeyPurpose.PASSWORD))
    encrypted = Cipher(password_key, CBC(bytes(16))).encryptor().update(nonce).hex()
    card = ReplayedCard(
        ("0022C1A412800A04007F0007020204040283010284010D", "9000"),
        ("10860000027C0000", f"7C128010{encrypted}9000"),
        (f"10860000147C128110{TERMINAL_NONCE}00", "7C0282009000"),
        (
            (
                "10860000457C4383410489CBA23FFE96AA18D824627C3E934E54A9FD0B87A95D1471DC1C0ABFDCD640D4"
                "6755DE9B7B778280B6BEBD57439ADFEB0E21FD4ED6DF42578C13418A59B34C3700"
            ),
            (
                "7C4384410467F78E5F7F7686082B293E8D087E056916D0F74BC01A5F8957D0DE45691E51E8"
                "932B69A962B52A0985AD2C0A271EE6A13A8ADDDCD1A3A994B9DED257F4D227539000"
            ),
        ),
        ("008600000C7C0A8508450F02B86F6A090900", "7C0A860875D4D96E8D5B03089000"),
    )
    channel = CardChannel(card)
    drawn = scalars("A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595")

    result = perform_pace(
        channel,
        pace_info=INTEGRATED,
        password=PacePassword.can("123456"),
        random_scalar=lambda _: next(drawn),
        random_bytes=lambda _: bytes.fromhex(TERMINAL_NONCE),
    )

    assert not card.exchanges
    assert result.algorithm.mapping is PaceMapping.INTEGRATED
    assert result.chip_authentication_mapping is None
    expect_keys(channel, "0D3FEB33251A6370893D62AE8DAAF51B", "B01E89E3D9E8719E586B50B4A7506E0B")


def expect_keys(channel: CardChannel, encryption_key: str, mac_key: str) -> None:
    expected = SecureMessagingSession(bytes.fromhex(encryption_key), bytes.fromhex(mac_key))
    command = commands.select_application(bytes.fromhex("A0000002471001"))
    assert channel.session is not None
    assert channel.session.wrap(command) == expected.wrap(command)


def open_by_chip_authentication_mapping(*more: tuple[str, str]) -> tuple[PaceResult, CardChannel]:
    card = ReplayedCard(
        ("0022C1A412800A04007F0007020204060283010184010D", "9000"),
        ("10860000027C0000", "7C128010CB60E8E0D85B76A9BD304747C2AD42E29000"),
        (
            (
                "10860000457C438141047F1D410ADB7DDB3B84BF1030800981A9105D7457B4A3ADE002384F3086C67EDE"
                "1AB889104A27DB6D842B019020FBF3CEACB0DC627F7BDCAC29969E19D0E553C100"
            ),
            (
                "7C43824104A234236AA9B9621E8EFB73B5245C0E09D2576E5277183C1208BDD55280CAE8B3"
                "04F365713A356E65A451E165ECC9AC0AC46E3771342C8FE5AEDD092685338E239000"
            ),
        ),
        (
            (
                "10860000457C43834104446C934084D9DAB863944F219520076C29EE3F7AE6722B11FF319EC1C7728F95"
                "5483400BFF60BF0C5929270009277DC2A515E12575010AD9BA916CF1BF86FEFC00"
            ),
            (
                "7C4384410402AD566F3C6EC7F9324509AD50A51FA52030782A4968FCFEDF737DAEA9933331"
                "11C3B9B4C2287789BD137E7F8AA882E2A3C633CCD6ECC2C63C57AD401A09C2E19000"
            ),
        ),
        (
            "008600000C7C0A8508E86BD06018A1CD3B00",
            (
                "7C3C86088596CF055C67C1A38A301EEA964DAAE372AC990E3EFDE6333353BFC89A6704D93D"
                "A8798CF77F5B7A54BD10CBA372B42BE0B9B5F28AA8DE2F4F929000"
            ),
        ),
        *more,
    )
    channel = CardChannel(card)
    drawn = scalars(
        "5D8BB87BD74D985A4B7D4325B9F7B976FE835122773400798914AA22738135CC",
        "76ECFDAA9841C323A3F5FC5E88B88DB3EFF7E35EBF57A7E6946CB630006C2120",
    )
    result = perform_pace(
        channel,
        pace_info=CHIP_AUTHENTICATION,
        password=PacePassword.mrz("C11T002JM496081222310314"),
        random_scalar=lambda _: next(drawn),
    )
    assert len(card.exchanges) == len(more)
    return result, channel


def test_the_worked_example_of_chip_authentication_mapping_opens_the_card_and_proves_its_key() -> (
    None
):
    result, channel = open_by_chip_authentication_mapping()
    mapping = result.chip_authentication_mapping
    assert mapping is not None
    assert mapping.data.hex().upper() == (
        "85DC3FA93D0952BFA82F5FD189EE75BD82F11D1F0B8ED4BF5319AC9B53C426B3"
    )
    assert mapping.proves(EcPublicKey(curve=CURVE, point=bytes.fromhex(STATIC_KEY)))
    expect_keys(channel, "0A9DA4DB03BDDE39FC5202BC44B2E89E", "4B1C06491ED5140CA2B537D344C6C0B1")


def test_the_key_of_the_examples_card_security_is_the_one_that_was_proven() -> None:
    result, channel = open_by_chip_authentication_mapping(
        (
            "0CA4020C1D8711013824F3CB16CAA40DDFF8459C215CC4988E08158449671FCC718300",
            "990290008E085E007CA87260A77F9000",
        ),
        (
            "0CB000000D9701048E081049244EED15563D00",
            "8711017B0085CFF0A3845B7F1B02E72BBE6395990290008E083CF26FAD48F7888B9000",
        ),
        (
            "0CB000040D9701628E08D3FB753D695A16FE00",
            (
                "877101E7E1E51C85C8F09209C59CA459305EC2CC23FD0E6938F3915F74CAAC06794A8518FEB0A11CD8A7"
                "C0A26B88F3DA567A803DBDD79AA853FE272A9C02690017EC95CDCDB0FEB944E1B63FC8F293552F32B663"
                "B16E929871E785D164B72DF076B89C480537A5B4B80EAAAAF5E786D89A3814990290008E080CBFD5F7F4"
                "3CC3619000"
            ),
        ),
    )
    channel.require(commands.select_elementary_file(0x011D))
    content = channel.require(commands.read_binary(0, 4))
    content += channel.require(commands.read_binary(4, 0x62))
    infos = SecurityInfos.from_bytes(content)
    assert infos.to_bytes() == content
    (key,) = infos.chip_authentication_keys
    assert result.chip_authentication_mapping is not None
    assert result.chip_authentication_mapping.proves(key.public_key)


@pytest.mark.parametrize("position", range(32))
def test_another_number_proves_nothing(position: int) -> None:
    result, _ = open_by_chip_authentication_mapping()
    mapping = result.chip_authentication_mapping
    assert mapping is not None
    data = bytearray(mapping.data)
    data[position] ^= 1
    changed = ChipAuthenticationMapping(
        curve=CURVE, mapping_public_key=mapping.mapping_public_key, data=bytes(data)
    )
    assert not changed.proves(EcPublicKey(curve=CURVE, point=bytes.fromhex(STATIC_KEY)))


def test_the_negative_of_the_key_is_not_the_key() -> None:
    result, _ = open_by_chip_authentication_mapping()
    point = bytes.fromhex(STATIC_KEY)
    y = CURVE.p - int.from_bytes(point[33:], "big")
    mirrored = EcPublicKey(curve=CURVE, point=point[:33] + y.to_bytes(32, "big"))
    assert result.chip_authentication_mapping is not None
    assert not result.chip_authentication_mapping.proves(mirrored)


def test_the_data_of_the_example_are_decrypted_from_the_published_ciphertext() -> None:
    encrypted = bytes.fromhex(
        "1EEA964DAAE372AC990E3EFDE6333353BFC89A6704D93DA8798CF77F5B7A54BD"
        "10CBA372B42BE0B9B5F28AA8DE2F4F92"
    )
    data = decrypt_chip_authentication_data(
        bytes.fromhex("0A9DA4DB03BDDE39FC5202BC44B2E89E"), encrypted, CURVE
    )
    assert data.hex().upper().startswith("85DC3FA93D0952BF")


def test_the_domain_of_the_examples_key_is_named_by_its_number() -> None:
    # 9303-11, 9.5: standardizedDomainParameters with parameterId 13.
    algorithm = tlv.encode(
        der.OBJECT_IDENTIFIER, der.encode_object_identifier("0.4.0.127.0.7.1.2")
    ) + der.encode_integer(13)
    assert algorithm.hex().upper() == "060704007F0007010202010D"
