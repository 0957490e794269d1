import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.errors import CardDataError
from card_layout.iso7816 import triple_des
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingError
from card_layout.iso7816.triple_des import TripleDesSession

ENCRYPTION_KEY = bytes(range(16))
MAC_KEY = bytes(range(16, 32))
READ = CommandApdu(cla=0, ins=0xB0, p1=0, p2=0, expected_length=256)


def answer(
    data: bytes, counter: int, status_word: int = 0x9000, *, is_odd: bool = False
) -> ResponseApdu:
    """What a chip with these keys answers, composed by hand."""
    body = b""
    if data:
        cryptogram = triple_des.encrypt(ENCRYPTION_KEY, triple_des.pad(data))
        body = tlv.encode(0x85, cryptogram) if is_odd else tlv.encode(0x87, b"\x01" + cryptogram)
    body += tlv.encode(0x99, status_word.to_bytes(2, "big"))
    mac = triple_des.retail_mac(MAC_KEY, triple_des.pad(counter.to_bytes(8, "big") + body))
    return ResponseApdu(body + tlv.encode(0x8E, mac), status_word)


def waiting_session(counter: int = 0) -> TripleDesSession:
    session = TripleDesSession(ENCRYPTION_KEY, MAC_KEY, counter)
    session.wrap(READ)
    return session


def test_the_published_vector_of_retail_mac_is_reproduced() -> None:
    # ICAO 9303-11, appendix D.3: the MAC over the terminal's cryptogram.
    cryptogram = bytes.fromhex("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2")
    key = bytes.fromhex("7962D9ECE03D1ACD4C76089DCE131543")
    mac = triple_des.retail_mac(key, triple_des.pad(cryptogram))
    assert mac == bytes.fromhex("5F1448EEA8AD90A7")


@given(st.binary(max_size=240), st.integers(0, (1 << 64) - 3))
def test_a_good_answer_is_opened(data: bytes, counter: int) -> None:
    session = waiting_session(counter)
    opened = session.unwrap(answer(data, counter + 2))
    assert opened == ResponseApdu(data, 0x9000)
    assert session.is_alive


def test_the_counter_runs_over() -> None:
    session = waiting_session((1 << 64) - 1)
    assert session.send_sequence_counter == 0
    assert session.unwrap(answer(b"data", 1)).data == b"data"


@given(st.binary(min_size=1, max_size=64))
def test_a_command_with_an_odd_instruction_has_no_padding_indicator(data: bytes) -> None:
    session = TripleDesSession(ENCRYPTION_KEY, MAC_KEY)
    wrapped = session.wrap(CommandApdu(cla=0, ins=0xB1, p1=0, p2=0, data=data))
    first = tlv.parse_all(wrapped.data)[0]
    assert first.tag == 0x85
    assert triple_des.decrypt(ENCRYPTION_KEY, first.value) == triple_des.pad(data)


@pytest.mark.parametrize("instruction", [0xB0, 0xB1])
@pytest.mark.parametrize("is_odd", [False, True])
def test_an_answer_has_the_object_of_its_instruction(instruction: int, *, is_odd: bool) -> None:
    session = TripleDesSession(ENCRYPTION_KEY, MAC_KEY)
    session.wrap(CommandApdu(cla=0, ins=instruction, p1=0, p2=0, expected_length=256))
    given_answer = answer(b"\x53\x01\x60", 2, is_odd=is_odd)
    if is_odd is bool(instruction & 1):
        assert session.unwrap(given_answer).data == b"\x53\x01\x60"
        return
    with pytest.raises(SecureMessagingError):
        session.unwrap(given_answer)
    assert not session.is_alive


def objects(*parts: tuple[int, bytes]) -> bytes:
    return b"".join(tlv.encode(tag, value) for tag, value in parts)


GOOD = answer(b"data", 2).data
BROKEN = {
    "plain": ResponseApdu(b"", 0x6988),
    "plain-success": ResponseApdu(b"", 0x9000),
    "rubbish": ResponseApdu(b"\xff\xff", 0x9000),
    "altered-data": ResponseApdu(GOOD[:5] + bytes((GOOD[5] ^ 1,)) + GOOD[6:], 0x9000),
    "altered-mac": ResponseApdu(GOOD[:-1] + bytes((GOOD[-1] ^ 1,)), 0x9000),
    "another-trailer": ResponseApdu(GOOD, 0x6282),
    "another-counter": answer(b"data", 4),
    "no-mac": ResponseApdu(GOOD[:-10], 0x9000),
    "short-mac": ResponseApdu(GOOD[:-10] + tlv.encode(0x8E, bytes(7)), 0x9000),
    "another-order": ResponseApdu(objects((0x8E, bytes(8)), (0x99, b"\x90\x00")), 0x9000),
    "object-twice": ResponseApdu(tlv.encode(0x99, b"\x90\x00") + GOOD, 0x9000),
}


@pytest.mark.parametrize("case", BROKEN)
def test_anything_else_ends_the_session(case: str) -> None:
    session = waiting_session()
    with pytest.raises(SecureMessagingError):
        session.unwrap(BROKEN[case])
    assert not session.is_alive
    with pytest.raises(SecureMessagingError, match="over"):
        session.wrap(READ)


@pytest.mark.parametrize(
    "cryptogram",
    [
        b"",
        b"\x01",
        b"\x02" + bytes(8),
        b"\x01" + bytes(7),
        b"\x01" + triple_des.encrypt(ENCRYPTION_KEY, bytes(8)),
        b"\x01" + triple_des.encrypt(ENCRYPTION_KEY, b"\x80" + bytes(15)),
    ],
    ids=["empty", "no-blocks", "indicator", "part-of-a-block", "no-padding", "long-padding"],
)
def test_a_malformed_cryptogram_under_a_good_mac_ends_the_session(cryptogram: bytes) -> None:
    body = tlv.encode(0x87, cryptogram) + tlv.encode(0x99, b"\x90\x00")
    mac = triple_des.retail_mac(MAC_KEY, triple_des.pad((2).to_bytes(8, "big") + body))
    session = waiting_session()
    with pytest.raises(SecureMessagingError):
        session.unwrap(ResponseApdu(body + tlv.encode(0x8E, mac), 0x9000))
    assert not session.is_alive


def test_commands_and_answers_alternate() -> None:
    session = waiting_session()
    with pytest.raises(SecureMessagingError, match="before the last one"):
        session.wrap(READ)
    session = TripleDesSession(ENCRYPTION_KEY, MAC_KEY)
    with pytest.raises(SecureMessagingError, match="without a command"):
        session.unwrap(answer(b"", 1))


@pytest.mark.parametrize("limit", [0, 14, 20, 22, 30, 100, 142, 143, 256, 4096])
def test_the_longest_protected_answer_fits_the_limit(limit: int) -> None:
    session = TripleDesSession(ENCRYPTION_KEY, MAC_KEY)
    most = session.max_response_data(limit)
    assert most == 0 or len(answer(bytes(most), 2).data) <= limit
    assert len(answer(bytes(most + 1), 2).data) > limit


@pytest.mark.parametrize("size", [0, 8, 24])
def test_keys_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(SecureMessagingError, match="expected 16"):
        TripleDesSession(bytes(size), MAC_KEY)


@pytest.mark.parametrize("counter", [-1, 1 << 64])
def test_a_counter_beyond_eight_bytes_is_refused(counter: int) -> None:
    with pytest.raises(SecureMessagingError, match="8 bytes"):
        TripleDesSession(ENCRYPTION_KEY, MAC_KEY, counter)


def test_a_session_shows_no_keys() -> None:
    assert repr(TripleDesSession(ENCRYPTION_KEY, MAC_KEY)) == "TripleDesSession(alive)"


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_any_bytes_raise_only_our_error(data: bytes, status_word: int) -> None:
    with pytest.raises(CardDataError):
        waiting_session().unwrap(ResponseApdu(data, status_word))
