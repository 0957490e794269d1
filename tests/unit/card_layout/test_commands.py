import pytest

from card_layout.errors import CardDataError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.commands import PasswordReference
from card_layout.iso7816.status_words import (
    StatusWord,
    bytes_waiting,
    correct_length,
    describe,
)

OID = bytes.fromhex("04007F00070202040202")

# SPEC.md, 4.3 and 8.3, written out.
BUILT = {
    "00A4040C07A0000002471001": commands.select_application(bytes.fromhex("A0000002471001")),
    "00A4000C": commands.select_master_file(),
    "00A4000C023F00": commands.select_master_file(with_identifier=True),
    "00A4020C02011C": commands.select_elementary_file(0x011C),
    "00B07FFF00": commands.read_binary(0x7FFF, 256),
    "00B00000001000": commands.read_binary(0, 4096),
    "00B09C0010": commands.read_binary_by_short_identifier(0x1C, 0, 16),
    "00C0000000": commands.get_response(256),
    "0022C1A40F800A04007F00070202040202830102": commands.set_authentication_template_for_pace(
        protocol=OID, password=PasswordReference.CAN, parameter_id=None
    ),
    "0022C1A412800A04007F0007020204020283010184010D": (
        commands.set_authentication_template_for_pace(
            protocol=OID, password=PasswordReference.MRZ, parameter_id=13
        )
    ),
    "002241A40F800A04007F00070202040202840101": (
        commands.set_authentication_template_for_chip_authentication(protocol=OID, key_id=1)
    ),
    "002241A40C800A04007F00070202040202": (
        commands.set_authentication_template_for_chip_authentication(protocol=OID, key_id=None)
    ),
    "10860000027C0000": commands.general_authenticate(b"", is_last=False),
    "00860000067C048002AABB00": commands.general_authenticate(b"\x80\x02\xaa\xbb"),
    "8050FF0008010203040506070800": commands.initialize_update(
        key_version=0xFF, host_challenge=bytes(range(1, 9))
    ),
    "80823300080102030405060708": commands.external_authenticate(
        security_level=0x33, host_cryptogram=bytes(range(1, 9))
    ),
    "80D8FF810330AABB00": commands.put_keys(new_key_version=0x30, key_data=b"\xaa\xbb"),
    "80E000001262108201388302010084 07A0000002471001".replace(" ", ""): commands.create_application(
        file_identifier=0x0100, application_identifier=bytes.fromhex("A0000002471001")
    ),
    "80E0000014 6212 820101 83020101 880108 80020100 86020110".replace(" ", ""): (
        commands.create_elementary_file(
            file_identifier=0x0101,
            short_identifier=1,
            capacity=0x0100,
            read_rule=0x01,
            write_rule=0x10,
        )
    ),
    "80E0000011 620F 820101 83022F01 80020020 86020010".replace(" ", ""): (
        commands.create_elementary_file(
            file_identifier=0x2F01,
            short_identifier=None,
            capacity=0x20,
            read_rule=0x00,
            write_rule=0x10,
        )
    ),
    "8047800009A607060204008401 0100".replace(" ", ""): commands.generate_key_pair(
        curve=b"\x04\x00", key_id=1
    ),
    "80DA010210" + "AB" * 16: commands.put_card_reference(b"\xab" * 16),
    "80CA010200": commands.get_card_reference(),
    "80DA010107A00581014D8200": commands.put_passwords(mrz_information="M", can=""),
    "00D6012302AABB": commands.update_binary(0x0123, b"\xaa\xbb"),
    "00D69D0002AABB": commands.update_binary_by_short_identifier(0x1D, 0, b"\xaa\xbb"),
    "80F08005": commands.set_status(0x05),
}


@pytest.mark.parametrize("encoded", BUILT)
def test_a_command_has_the_bytes_of_the_specification(encoded: str) -> None:
    assert BUILT[encoded].to_bytes().hex().upper() == encoded


@pytest.mark.parametrize(
    "build",
    [
        lambda: commands.select_application(bytes(4)),
        lambda: commands.select_application(bytes(17)),
        lambda: commands.select_elementary_file(0x10000),
        lambda: commands.read_binary(0x8000, 1),
        lambda: commands.read_binary(-1, 1),
        lambda: commands.read_binary_by_short_identifier(0, 0, 1),
        lambda: commands.read_binary_by_short_identifier(31, 0, 1),
        lambda: commands.read_binary_by_short_identifier(1, 256, 1),
        lambda: commands.update_binary(0x8000, b""),
        lambda: commands.initialize_update(key_version=0, host_challenge=bytes(12)),
        lambda: commands.put_card_reference(bytes(15)),
        lambda: commands.put_passwords(mrz_information="Đ", can="123456"),
        lambda: commands.create_elementary_file(
            file_identifier=1, short_identifier=1, capacity=65536, read_rule=0, write_rule=0
        ),
        lambda: commands.set_authentication_template_for_chip_authentication(
            protocol=OID, key_id=-1
        ),
    ],
)
def test_a_command_that_cannot_be_said_is_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(CardDataError):
        build()


def test_a_password_is_in_no_error() -> None:
    with pytest.raises(CardDataError) as caught:
        commands.put_passwords(mrz_information="SECRETĐ", can="123456")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert isinstance(commands.put_passwords(mrz_information="X", can="1"), CommandApdu)


def test_waiting_bytes_and_corrected_lengths_count_00_as_256() -> None:
    assert (bytes_waiting(0x6110), bytes_waiting(0x6100), bytes_waiting(0x9000)) == (16, 256, None)
    assert (correct_length(0x6C10), correct_length(0x6C00), correct_length(0x6282)) == (
        16,
        256,
        None,
    )


def test_every_status_word_of_ours_has_a_meaning_and_others_are_unknown() -> None:
    meanings = [describe(status_word) for status_word in StatusWord]
    assert len(set(meanings)) == len(StatusWord)
    assert describe(0x6F00) == "unknown status word"
    assert "unknown status word" not in meanings
