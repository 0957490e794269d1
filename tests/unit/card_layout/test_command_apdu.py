import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.errors import CardDataError
from card_layout.iso7816.apdu import MAX_EXTENDED, CommandApdu, ResponseApdu

BYTES = st.integers(0, 255)


def command(data: bytes = b"", expected_length: int | None = None) -> CommandApdu:
    return CommandApdu(
        cla=0x00, ins=0xB0, p1=0x81, p2=0x02, data=data, expected_length=expected_length
    )


@pytest.mark.parametrize(
    ("data", "expected_length", "extended", "wire"),
    [
        # ISO/IEC 7816-4, 5.1: cases 1, 2S, 3S, 4S.
        (b"", None, None, "00B08102"),
        (b"", 1, None, "00B0810201"),
        (b"", 256, None, "00B0810200"),
        (b"\xaa\xbb", None, None, "00B0810202AABB"),
        (b"\xaa\xbb", 256, None, "00B0810202AABB00"),
        # Cases 1, 2E, 3E, 4E.
        (b"", None, True, "00B08102"),
        (b"", 1, True, "00B08102000001"),
        (b"", 257, None, "00B08102000101"),
        (b"", 65536, None, "00B08102000000"),
        (b"\xaa", None, True, "00B08102000001AA"),
        (b"\xaa", 65536, None, "00B08102000001AA0000"),
    ],
)
def test_each_case_has_its_wire_form(
    data: bytes, expected_length: int | None, *, extended: bool | None, wire: str
) -> None:
    assert command(data, expected_length).to_bytes(extended=extended) == bytes.fromhex(wire)


def test_data_of_256_bytes_needs_the_extended_form() -> None:
    assert command(bytes(255)).to_bytes()[4] == 255
    assert command(bytes(256)).to_bytes()[4:7] == bytes.fromhex("000100")
    with pytest.raises(CardDataError):
        command(bytes(256)).to_bytes(extended=False)
    with pytest.raises(CardDataError):
        command(expected_length=257).to_bytes(extended=False)


@pytest.mark.parametrize(
    "fields",
    [
        {"cla": 256},
        {"ins": -1},
        {"p1": 256},
        {"p2": 1000},
        {"data": bytes(65536)},
        {"expected_length": 0},
        {"expected_length": 65537},
    ],
)
def test_fields_that_no_apdu_can_carry_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(CardDataError):
        CommandApdu(**({"cla": 0, "ins": 0, "p1": 0, "p2": 0} | fields))


def test_data_is_not_in_the_repr() -> None:
    assert "secret" not in repr(command(b"secret"))
    assert "secret" not in repr(ResponseApdu(b"secret", 0x9000))


@given(st.binary(max_size=300), st.sampled_from([0x60, 0x61, 0x6A, 0x90, 0x9F]), BYTES)
def test_a_response_survives_its_encoding(data: bytes, first: int, second: int) -> None:
    wire = data + bytes((first, second))
    response = ResponseApdu.from_bytes(wire)
    assert response == ResponseApdu(data, first << 8 | second)
    assert response.to_bytes() == wire


@given(st.binary(max_size=40))
def test_any_bytes_are_a_response_or_a_data_error(data: bytes) -> None:
    try:
        response = ResponseApdu.from_bytes(data)
    except CardDataError:
        return
    assert response.to_bytes() == data


@pytest.mark.parametrize(
    "wire", [b"", b"\x90", b"\x50\x00", b"\x00\x00", bytes(MAX_EXTENDED + 1) + b"\x90\x00"]
)
def test_responses_without_a_status_word_or_without_end_are_refused(wire: bytes) -> None:
    with pytest.raises(CardDataError) as raised:
        ResponseApdu.from_bytes(wire)
    assert raised.value.code == "card.malformed-response"


@given(st.binary(max_size=600), st.none() | st.integers(1, 65536))
def test_the_wire_form_says_what_the_command_says(data: bytes, expected_length: int | None) -> None:
    wire = command(data, expected_length).to_bytes()
    assert _parse(wire) == (data, expected_length)


def _parse(wire: bytes) -> tuple[bytes, int | None]:
    """A reading of ISO/IEC 7816-4, table 3 of the test's own."""
    body = wire[4:]
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or 256
    if body[0]:
        data, rest = body[1 : 1 + body[0]], body[1 + body[0] :]
        return data, None if not rest else rest[0] or 256
    if len(body) == 3:
        return b"", int.from_bytes(body[1:], "big") or 65536
    length = int.from_bytes(body[1:3], "big")
    data, rest = body[3 : 3 + length], body[3 + length :]
    return data, None if not rest else int.from_bytes(rest, "big") or 65536
