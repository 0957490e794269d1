"""Builders of every command that a terminal or a personalisation station sends (SPEC.md, 4.3 and 8.3).

They give commands in plain: a secure messaging session or a personalisation channel puts its own bits into
CLA and its own objects into the data field. Commands whose answer has data carry Le from the start, so
that a card need not answer ``61xx``.
"""

from collections.abc import Iterable
from datetime import date
from enum import IntEnum

from card_layout import tlv
from card_layout.errors import CardDataError
from card_layout.iso7816.apdu import MAX_SHORT, CommandApdu

__all__ = [
    "MAX_BINARY_OFFSET",
    "MAX_SHORT_IDENTIFIER",
    "PasswordReference",
    "create_application",
    "create_elementary_file",
    "external_authenticate",
    "external_authenticate_terminal",
    "general_authenticate",
    "generate_key_pair",
    "get_card_reference",
    "get_challenge",
    "get_key_information",
    "get_response",
    "get_wrong_authentications",
    "initialize_update",
    "internal_authenticate",
    "mutual_authenticate",
    "put_card_reference",
    "put_keys",
    "put_passwords",
    "put_trust_points",
    "read_binary",
    "read_binary_by_offset_object",
    "read_binary_by_short_identifier",
    "reset_retry_counter",
    "select_application",
    "select_elementary_file",
    "select_master_file",
    "set_authentication_template_for_chip_authentication",
    "set_authentication_template_for_pace",
    "set_authentication_template_for_terminal_authentication",
    "set_digital_signature_template",
    "set_key_agreement_template",
    "set_status",
    "update_binary",
    "update_binary_by_short_identifier",
    "verify_certificate",
]

MAX_BINARY_OFFSET = 0x7FFF
"""The highest offset that READ BINARY and UPDATE BINARY can name (bit 8 of P1 marks a short identifier)."""

MAX_SHORT_IDENTIFIER = 30
"""Short identifiers are 1 to 30 (ISO/IEC 7816-4, 7.3.1.1)."""

_OFFSET_OBJECT = 0x54
_MAX_OFFSET_OBJECT = 0xFFFFFFFF
_COMMAND_CHAINING = 0x10
_GLOBAL_PLATFORM = 0x80


class PasswordReference(IntEnum):
    """Which password opens the card, as ``[83]`` of MSE:Set AT names it (ICAO 9303-11, 4.4.4.1)."""

    MRZ = 0x01
    CAN = 0x02
    PIN = 0x03
    PUK = 0x04


def select_application(application_identifier: bytes) -> CommandApdu:
    """SELECT by DF name, without asking for file control information.

    Raises:
        CardDataError: the identifier has not 5 to 16 bytes.
    """
    if not 5 <= len(application_identifier) <= 16:
        raise CardDataError(
            f"application identifier has {len(application_identifier)} bytes, expected 5 to 16"
        )
    return CommandApdu(cla=0x00, ins=0xA4, p1=0x04, p2=0x0C, data=application_identifier)


def select_master_file(*, with_identifier: bool = False) -> CommandApdu:
    """SELECT the master file; chips differ in whether they want ``3F00`` spelled out."""
    return CommandApdu(
        cla=0x00, ins=0xA4, p1=0x00, p2=0x0C, data=b"\x3f\x00" if with_identifier else b""
    )


def select_elementary_file(file_identifier: int) -> CommandApdu:
    """SELECT an elementary file of the current DF.

    Raises:
        CardDataError: the identifier is not two bytes.
    """
    return CommandApdu(
        cla=0x00, ins=0xA4, p1=0x02, p2=0x0C, data=_two_bytes("file identifier", file_identifier)
    )


def read_binary(offset: int, expected_length: int) -> CommandApdu:
    """READ BINARY of the current file from ``offset``, at most ``expected_length`` bytes.

    Raises:
        CardDataError: the offset is beyond ``MAX_BINARY_OFFSET``.
    """
    p1, p2 = _offset(offset)
    return CommandApdu(cla=0x00, ins=0xB0, p1=p1, p2=p2, expected_length=expected_length)


def read_binary_by_offset_object(offset: int, expected_length: int) -> CommandApdu:
    """READ BINARY with the odd instruction, from any offset of the current file (ISO/IEC 7816-4, 11.3.3).

    ``expected_length`` counts the whole answer, the data object 53 around the content.

    Raises:
        CardDataError: the offset has more than four bytes, or is negative; code ``reading.malformed``.
    """
    if not 0 <= offset <= _MAX_OFFSET_OBJECT:
        raise CardDataError(
            f"an offset is {offset}, expected 0 to {_MAX_OFFSET_OBJECT}", code="reading.malformed"
        )
    encoded = offset.to_bytes(max(1, (offset.bit_length() + 7) // 8), "big")
    return CommandApdu(
        cla=0x00,
        ins=0xB1,
        p1=0x00,
        p2=0x00,
        data=tlv.encode(_OFFSET_OBJECT, encoded),
        expected_length=expected_length,
    )


def read_binary_by_short_identifier(
    short_identifier: int, offset: int, expected_length: int
) -> CommandApdu:
    """READ BINARY that also selects the file.

    Raises:
        CardDataError: no short identifier, or an offset of more than one byte.
    """
    p1, p2 = _short_identifier(short_identifier, offset)
    return CommandApdu(cla=0x00, ins=0xB0, p1=p1, p2=p2, expected_length=expected_length)


def get_response(expected_length: int) -> CommandApdu:
    """GET RESPONSE for the rest of an answer (SPEC.md, 4.6)."""
    return CommandApdu(cla=0x00, ins=0xC0, p1=0x00, p2=0x00, expected_length=expected_length)


def set_authentication_template_for_pace(
    *, protocol: bytes, password: PasswordReference, parameter_id: int | None
) -> CommandApdu:
    """MSE:Set AT for PACE; ``protocol`` is the value of the OBJECT IDENTIFIER (ICAO 9303-11, 4.4.4.1)."""
    data = tlv.encode(0x80, protocol) + tlv.encode(0x83, bytes((password,)))
    if parameter_id is not None:
        data += tlv.encode(0x84, _unsigned(parameter_id))
    return CommandApdu(cla=0x00, ins=0x22, p1=0xC1, p2=0xA4, data=data)


def set_authentication_template_for_chip_authentication(
    *, protocol: bytes, key_id: int | None
) -> CommandApdu:
    """MSE:Set AT for chip authentication (ICAO 9303-11, 6.2.4; TR-03110-3, B.2)."""
    data = tlv.encode(0x80, protocol)
    if key_id is not None:
        data += tlv.encode(0x84, _unsigned(key_id))
    return CommandApdu(cla=0x00, ins=0x22, p1=0x41, p2=0xA4, data=data)


def set_key_agreement_template(*, public_key: bytes, key_id: int | None) -> CommandApdu:
    """MSE:Set KAT: chip authentication with 3DES, in one command (ICAO 9303-11, 6.2.4.1; SPEC.md, 5.10)."""
    data = tlv.encode(0x91, public_key)
    if key_id is not None:
        data += tlv.encode(0x84, _unsigned(key_id))
    return CommandApdu(cla=0x00, ins=0x22, p1=0x41, p2=0xA6, data=data)


def reset_retry_counter(password: PasswordReference) -> CommandApdu:
    """RESET RETRY COUNTER without data: the password counts from the start again (TR-03110-3, B.11.8)."""
    return CommandApdu(cla=0x00, ins=0x2C, p1=0x03, p2=password)


def general_authenticate(objects: bytes, *, is_last: bool = True) -> CommandApdu:
    """GENERAL AUTHENTICATE with ``[7C] { objects }``; all but the last of a protocol set bit 5 of CLA."""
    return CommandApdu(
        cla=0x00 if is_last else _COMMAND_CHAINING,
        ins=0x86,
        p1=0x00,
        p2=0x00,
        data=tlv.encode(0x7C, objects),
        expected_length=MAX_SHORT,
    )


def get_challenge(size: int) -> CommandApdu:
    """GET CHALLENGE for ``size`` random bytes of the card (ICAO 9303-11, 4.3.4.1)."""
    return CommandApdu(cla=0x00, ins=0x84, p1=0x00, p2=0x00, expected_length=size)


def internal_authenticate(challenge: bytes, *, expected_length: int) -> CommandApdu:
    """INTERNAL AUTHENTICATE of active authentication (ICAO 9303-11, 6.1.4)."""
    return CommandApdu(
        cla=0x00, ins=0x88, p1=0x00, p2=0x00, data=challenge, expected_length=expected_length
    )


def mutual_authenticate(data: bytes) -> CommandApdu:
    """EXTERNAL AUTHENTICATE of basic access control, answered by as many bytes (ICAO 9303-11, 4.3.4.2)."""
    return CommandApdu(cla=0x00, ins=0x82, p1=0x00, p2=0x00, data=data, expected_length=len(data))


def set_digital_signature_template(authority_reference: bytes) -> CommandApdu:
    """MSE:Set DST: the key that signed the certificate that follows (TR-03110-3, B.3)."""
    return CommandApdu(
        cla=0x00, ins=0x22, p1=0x81, p2=0xB6, data=tlv.encode(0x83, authority_reference)
    )


def verify_certificate(content: bytes) -> CommandApdu:
    """PSO:Verify Certificate; ``content`` is the value of 7F21: body and signature (TR-03110-3, B.3)."""
    return CommandApdu(cla=0x00, ins=0x2A, p1=0x00, p2=0xBE, data=content)


def set_authentication_template_for_terminal_authentication(
    holder_reference: bytes,
) -> CommandApdu:
    """MSE:Set AT for terminal authentication: the terminal's own key (TR-03110-3, B.3)."""
    return CommandApdu(
        cla=0x00, ins=0x22, p1=0x81, p2=0xA4, data=tlv.encode(0x83, holder_reference)
    )


def external_authenticate_terminal(signature: bytes) -> CommandApdu:
    """EXTERNAL AUTHENTICATE of terminal authentication: r || s, answered without data (TR-03110-3, B.3)."""
    return CommandApdu(cla=0x00, ins=0x82, p1=0x00, p2=0x00, data=signature)


def initialize_update(*, key_version: int, host_challenge: bytes) -> CommandApdu:
    """INITIALIZE UPDATE (SCP03, 7.1.1); key version 00 asks for whatever keys the card holds.

    Raises:
        CardDataError: the challenge has not 8 bytes (mode S8) or 16 (S16).
    """
    if len(host_challenge) not in (8, 16):
        raise CardDataError(f"host challenge has {len(host_challenge)} bytes, expected 8 or 16")
    return CommandApdu(
        cla=_GLOBAL_PLATFORM,
        ins=0x50,
        p1=key_version,
        p2=0x00,
        data=host_challenge,
        expected_length=MAX_SHORT,
    )


def external_authenticate(*, security_level: int, host_cryptogram: bytes) -> CommandApdu:
    """EXTERNAL AUTHENTICATE before its MAC is put behind the cryptogram (SCP03, 7.1.2)."""
    return CommandApdu(
        cla=_GLOBAL_PLATFORM, ins=0x82, p1=security_level, p2=0x00, data=host_cryptogram
    )


def put_keys(*, new_key_version: int, key_data: bytes, replaced_version: int = 0xFF) -> CommandApdu:
    """PUT KEY of three keys at once; ``key_data`` is what stands behind the key version.

    It replaces the keys of ``replaced_version``, the transport keys where nothing is said; 00 adds the new ones.
    """
    return CommandApdu(
        cla=_GLOBAL_PLATFORM,
        ins=0xD8,
        p1=replaced_version,
        p2=0x81,
        data=bytes((new_key_version,)) + key_data,
        expected_length=MAX_SHORT,
    )


def create_application(*, file_identifier: int, application_identifier: bytes) -> CommandApdu:
    """CREATE FILE for the application's DF, which becomes current (SPEC.md, 8.3)."""
    template = (
        tlv.encode(0x82, b"\x38")
        + tlv.encode(0x83, _two_bytes("file identifier", file_identifier))
        + tlv.encode(0x84, application_identifier)
    )
    return CommandApdu(
        cla=_GLOBAL_PLATFORM, ins=0xE0, p1=0x00, p2=0x00, data=tlv.encode(0x62, template)
    )


def create_elementary_file(
    *,
    file_identifier: int,
    short_identifier: int | None,
    capacity: int,
    read_rule: int,
    write_rule: int,
) -> CommandApdu:
    """CREATE FILE for a transparent file in the current DF; the rules are bytes of SPEC.md, 8.4."""
    template = tlv.encode(0x82, b"\x01") + tlv.encode(
        0x83, _two_bytes("file identifier", file_identifier)
    )
    if short_identifier is not None:
        p1, _ = _short_identifier(short_identifier, 0)
        template += tlv.encode(0x88, bytes(((p1 & 0x1F) << 3,)))
    template += tlv.encode(0x80, _two_bytes("capacity", capacity))
    template += tlv.encode(0x86, bytes((read_rule, write_rule)))
    return CommandApdu(
        cla=_GLOBAL_PLATFORM, ins=0xE0, p1=0x00, p2=0x00, data=tlv.encode(0x62, template)
    )


def generate_key_pair(*, curve: bytes, key_id: int) -> CommandApdu:
    """GENERATE ASYMMETRIC KEY PAIR; ``curve`` is the value of its OBJECT IDENTIFIER."""
    template = tlv.encode(0x06, curve) + tlv.encode(0x84, _unsigned(key_id))
    return CommandApdu(
        cla=_GLOBAL_PLATFORM,
        ins=0x47,
        p1=0x80,
        p2=0x00,
        data=tlv.encode(0xA6, template),
        expected_length=MAX_SHORT,
    )


def put_card_reference(reference: bytes) -> CommandApdu:
    """PUT DATA of the 16-byte card reference, with which personalisation begins.

    Raises:
        CardDataError: the reference has not 16 bytes.
    """
    if len(reference) != 16:
        raise CardDataError(f"card reference has {len(reference)} bytes, expected 16")
    return CommandApdu(cla=_GLOBAL_PLATFORM, ins=0xDA, p1=0x01, p2=0x02, data=reference)


def get_card_reference() -> CommandApdu:
    """GET DATA of the card reference."""
    return CommandApdu(cla=_GLOBAL_PLATFORM, ins=0xCA, p1=0x01, p2=0x02, expected_length=MAX_SHORT)


def get_wrong_authentications() -> CommandApdu:
    """GET DATA, in plain, of how many authentications in a row were wrong, and how many may be (SPEC.md, 8.1)."""
    return CommandApdu(cla=_GLOBAL_PLATFORM, ins=0xCA, p1=0x01, p2=0x04, expected_length=MAX_SHORT)


def get_key_information() -> CommandApdu:
    """GET DATA of the key information template: which keys of which versions the chip holds (SPEC.md, 8.3)."""
    return CommandApdu(cla=_GLOBAL_PLATFORM, ins=0xCA, p1=0x00, p2=0xE0, expected_length=MAX_SHORT)


def put_passwords(*, mrz_information: str, can: str) -> CommandApdu:
    """PUT DATA of both passwords (SPEC.md, 5.1 and 8.3)."""
    try:
        objects = tlv.encode(0x81, mrz_information.encode("ascii")) + tlv.encode(
            0x82, can.encode("ascii")
        )
    except UnicodeEncodeError:
        # The original exception would show the password.
        raise CardDataError("a password has other characters than ASCII") from None
    return CommandApdu(
        cla=_GLOBAL_PLATFORM, ins=0xDA, p1=0x01, p2=0x01, data=tlv.encode(0xA0, objects)
    )


def put_trust_points(*, certificates: Iterable[bytes], current_date: date) -> CommandApdu:
    """PUT DATA of current date and trust points, the newest first; the chip writes EF.CVCA (SPEC.md, 8.3)."""
    data = tlv.encode(0x81, f"{current_date:%Y%m%d}".encode("ascii")) + b"".join(certificates)
    return CommandApdu(cla=0x00, ins=0xDA, p1=0x01, p2=0x03, data=tlv.encode(0xA1, data))


def update_binary(offset: int, content: bytes) -> CommandApdu:
    """UPDATE BINARY of the current file from ``offset``.

    Raises:
        CardDataError: the offset is beyond ``MAX_BINARY_OFFSET``.
    """
    p1, p2 = _offset(offset)
    return CommandApdu(cla=0x00, ins=0xD6, p1=p1, p2=p2, data=content)


def update_binary_by_short_identifier(
    short_identifier: int, offset: int, content: bytes
) -> CommandApdu:
    """UPDATE BINARY that also selects the file.

    Raises:
        CardDataError: no short identifier, or an offset of more than one byte.
    """
    p1, p2 = _short_identifier(short_identifier, offset)
    return CommandApdu(cla=0x00, ins=0xD6, p1=p1, p2=p2, data=content)


def set_status(life_cycle: int) -> CommandApdu:
    """SET STATUS of the card; ``life_cycle`` is LL of SPEC.md, 6.1."""
    return CommandApdu(cla=_GLOBAL_PLATFORM, ins=0xF0, p1=0x80, p2=life_cycle)


def _offset(offset: int) -> tuple[int, int]:
    if not 0 <= offset <= MAX_BINARY_OFFSET:
        raise CardDataError(f"offset is {offset}, expected 0 to {MAX_BINARY_OFFSET}")
    return offset >> 8, offset & 0xFF


def _short_identifier(short_identifier: int, offset: int) -> tuple[int, int]:
    if not 1 <= short_identifier <= MAX_SHORT_IDENTIFIER:
        raise CardDataError(
            f"short identifier is {short_identifier}, expected 1 to {MAX_SHORT_IDENTIFIER}"
        )
    if not 0 <= offset <= 0xFF:
        raise CardDataError(f"offset is {offset}, expected 0 to 255 with a short identifier")
    return 0x80 | short_identifier, offset


def _two_bytes(name: str, value: int) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise CardDataError(f"{name} is {value}, expected two bytes")
    return value.to_bytes(2, "big")


def _unsigned(value: int) -> bytes:
    if value < 0:
        raise CardDataError(f"reference is {value}, expected a number that is not negative")
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
