"""The terminal's side of secure messaging with AES (ICAO 9303-11, 9.8; SPEC.md, 5.3).

A session trusts nothing but what its own keys verify. The first answer that is plain, out of form or
wrongly authenticated ends it: from then on every call raises, so that no caller can go on in plain by
mistake.
"""

import hmac
from functools import lru_cache
from typing import NoReturn

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout import tlv
from card_layout.errors import AccessError, CardDataError
from card_layout.iso7816.apdu import MAX_EXTENDED, MAX_SHORT, CommandApdu, ResponseApdu

__all__ = ["MAC_BYTES", "SecureMessagingError", "SecureMessagingSession", "pad", "unpad"]

MAC_BYTES = 8
"""AES-CMAC is truncated to its first eight bytes (ICAO 9303-11, 9.8.6.2)."""

_BLOCK = 16
_SECURE_CLA = 0x0C
_TAG_CRYPTOGRAM = 0x87
_TAG_CRYPTOGRAM_ODD = 0x85
_TAG_EXPECTED_LENGTH = 0x97
_TAG_STATUS = 0x99
_TAG_MAC = 0x8E
_PADDING_INDICATOR = b"\x01"
_STATUS_HEADER = bytes((_TAG_STATUS, 2))
_STATUS_AND_MAC_BYTES = 4 + 2 + MAC_BYTES
_TAGS_WITHOUT_DATA = (_TAG_STATUS, _TAG_MAC)
_TAGS_WITH_DATA = (_TAG_CRYPTOGRAM, _TAG_STATUS, _TAG_MAC)
_TAGS_WITH_DATA_ODD = (_TAG_CRYPTOGRAM_ODD, _TAG_STATUS, _TAG_MAC)
"""What answers a command with an odd instruction (ICAO 9303-11, 9.8.4)."""

_MAC_HEADER = bytes((_TAG_MAC, MAC_BYTES))
_PADDINGS = tuple(b"\x80" + bytes(_BLOCK - 1 - size) for size in range(_BLOCK))
"""By the bytes of the last block that are there already."""

_HEADER_PADDING = _PADDINGS[4]
"""Behind CLA INS P1 P2."""

_MAX_COUNTER = (1 << 128) - 1


class SecureMessagingError(AccessError):
    """An answer in a session that the session's keys do not vouch for; the session is over."""

    default_code = "access.secure-messaging"


class SecureMessagingSession:
    """Keys and counter of one session; commands and answers strictly alternate.

    ``send_sequence_counter`` is the value before the first command: 0 after PACE and chip authentication.
    """

    def __init__(
        self, encryption_key: bytes, mac_key: bytes, send_sequence_counter: int = 0
    ) -> None:
        if not 0 <= send_sequence_counter <= _MAX_COUNTER:
            raise SecureMessagingError("the send sequence counter does not fit 16 bytes")
        self._cipher_key = AES(encryption_key)
        # Making a context costs more than a block does: both are made once and copied or reused.
        self._block_encryptor = Cipher(self._cipher_key, ECB()).encryptor()  # noqa: S305 - single blocks: the IV of 9.8.6.1 is E(KSenc, SSC)
        self._mac = CMAC(AES(mac_key))
        self._counter = send_sequence_counter
        self._is_answer_due = False
        self._is_odd = False
        self._is_alive = True

    def __repr__(self) -> str:
        state = "alive" if self._is_alive else "over"
        return f"{type(self).__name__}({state})"

    @property
    def is_alive(self) -> bool:
        """Whether the session can still be used."""
        return self._is_alive

    @property
    def send_sequence_counter(self) -> int:
        """The counter as it was used last."""
        return self._counter

    def end(self) -> None:
        """Give up the session: every later call raises."""
        self._is_alive = False

    def max_response_data(self, limit: int) -> int:
        """The most plain bytes whose protected answer has at most ``limit`` bytes before SW1-SW2."""
        return _max_response_data(limit)

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """The protected form of a command.

        Its Le asks for whatever the protected answer may take: 256 bytes where that is enough, else 65,536.

        Raises:
            SecureMessagingError: the session is over, or the last answer is still due.
        """
        self._require_alive()
        if self._is_answer_due:
            self._fail("a command was sent before the last one was answered")
        self._advance()
        self._is_odd = bool(command.ins & 1)
        cla = command.cla | _SECURE_CLA
        body = self._protect(command)
        # ICAO 9303-11, 9.8.6.1: the padded header and the objects are padded again as a whole, and so get
        # a block of padding of their own where there are no objects.
        header = bytes((cla, command.ins, command.p1, command.p2))
        body += _MAC_HEADER + self._authenticate(header + _HEADER_PADDING + body)
        self._is_answer_due = True
        return CommandApdu(
            cla=cla,
            ins=command.ins,
            p1=command.p1,
            p2=command.p2,
            data=body,
            expected_length=self._outer_length(command.expected_length),
        )

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        """The answer inside a protected one.

        Raises:
            SecureMessagingError: anything that is not a complete, verified answer; the session is over then.
        """
        self._require_alive()
        if not self._is_answer_due:
            self._fail("an answer came without a command")
        self._is_answer_due = False
        self._advance()
        cryptogram, status, mac = self._split(response)
        # The MAC's object stands last and has ten bytes: what it covers is everything before it.
        covered = response.data[: -len(_MAC_HEADER) - MAC_BYTES]
        if not hmac.compare_digest(mac, self._authenticate(covered)):
            self._fail("the MAC of the answer is wrong")
        if int.from_bytes(status, "big") != response.status_word:
            self._fail("the protected status word and the trailer differ")
        data = b"" if cryptogram is None else self._decrypt(cryptogram)
        return ResponseApdu(data, response.status_word)

    def _protect(self, command: CommandApdu) -> bytes:
        body = b""
        if command.data:
            encryptor = Cipher(self._cipher_key, CBC(self._initial_vector())).encryptor()
            ciphertext = encryptor.update(pad(command.data)) + encryptor.finalize()
            if self._is_odd:
                body = tlv.encode(_TAG_CRYPTOGRAM_ODD, ciphertext)
            else:
                body = tlv.encode(_TAG_CRYPTOGRAM, _PADDING_INDICATOR + ciphertext)
        if command.expected_length is not None:
            body += _expected_length_object(command.expected_length)
        return body

    def _outer_length(self, expected: int | None) -> int:
        if expected is None or expected == MAX_SHORT:
            # An inner 00 asks for as many bytes as fit, and 256 bytes are what a short answer may have.
            return MAX_SHORT
        return MAX_SHORT if expected <= self.max_response_data(MAX_SHORT) else MAX_EXTENDED

    def _split(self, response: ResponseApdu) -> tuple[bytes | None, bytes, bytes]:
        """The values of exactly ``[87]? [99] [8E]`` in this order, ``[85]`` for ``[87]`` after an odd instruction."""
        data = response.data
        if not data:
            self._fail(f"a plain answer, status word {response.status_word:04X}")
        # The last two objects have one form only, so that there is one object before them at most to be parsed.
        end = len(data) - _STATUS_AND_MAC_BYTES
        mac = end + len(_STATUS_HEADER) + 2 + len(_MAC_HEADER)
        if (
            end < 0
            or not data.startswith(_STATUS_HEADER, end)
            or data[mac - 2 : mac] != _MAC_HEADER
        ):
            self._refuse_form(data)
        cryptogram = self._cryptogram(data, end) if end else None
        return cryptogram, data[end + len(_STATUS_HEADER) : mac - 2], data[mac:]

    def _cryptogram(self, data: bytes, end: int) -> bytes:
        """The value of the one object in front of ``end``."""
        try:
            tag, value = tlv.parse(data[:end])
        except CardDataError:
            self._refuse_form(data)
        if tag != (_TAG_CRYPTOGRAM_ODD if self._is_odd else _TAG_CRYPTOGRAM):
            self._refuse_form(data)
        return value

    def _refuse_form(self, data: bytes) -> NoReturn:
        """Say what is wrong with the objects of an answer."""
        try:
            objects = tlv.parse_all(data)
        except CardDataError as error:
            self._end_with("the answer is not a sequence of data objects", error)
        tags = tuple([item.tag for item in objects])
        with_data = _TAGS_WITH_DATA_ODD if self._is_odd else _TAGS_WITH_DATA
        if tags not in (_TAGS_WITHOUT_DATA, with_data):
            self._fail(f"the answer's objects are not [{with_data[0]:02X}] [99] [8E] in this order")
        self._fail("the answer's status word or MAC has a wrong length")

    def _decrypt(self, value: bytes) -> bytes:
        ciphertext = value
        if not self._is_odd:
            if value[:1] != _PADDING_INDICATOR:
                self._fail("the padding indicator of the answer is not 01")
            ciphertext = value[1:]
        if not ciphertext or len(ciphertext) % _BLOCK:
            self._fail("the answer's ciphertext is not made of whole blocks")
        decryptor = Cipher(self._cipher_key, CBC(self._initial_vector())).decryptor()
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        try:
            return unpad(padded)
        except CardDataError as error:
            self._end_with("the padding of the answer is wrong", error)

    def _initial_vector(self) -> bytes:
        return self._block_encryptor.update(self._counter.to_bytes(_BLOCK, "big"))

    def _authenticate(self, covered: bytes) -> bytes:
        """The MAC over the counter and what is given, padded to whole blocks (9303-11, 9.8.6.3)."""
        mac = self._mac.copy()
        padding = _PADDINGS[len(covered) % _BLOCK]
        mac.update(b"".join((self._counter.to_bytes(_BLOCK, "big"), covered, padding)))
        return mac.finalize()[:MAC_BYTES]

    def _advance(self) -> None:
        if self._counter == _MAX_COUNTER:
            self._fail("the send sequence counter is used up")
        self._counter += 1

    def _require_alive(self) -> None:
        if not self._is_alive:
            raise SecureMessagingError("the secure messaging session is over")

    def _fail(self, message: str) -> NoReturn:
        self.end()
        raise SecureMessagingError(message)

    def _end_with(self, message: str, error: CardDataError) -> NoReturn:
        self.end()
        raise SecureMessagingError(message) from error


@lru_cache(maxsize=64)
def _max_response_data(limit: int) -> int:
    ciphertext = max(0, limit - _STATUS_AND_MAC_BYTES) // _BLOCK * _BLOCK
    while ciphertext and _cryptogram_bytes(ciphertext) + _STATUS_AND_MAC_BYTES > limit:
        ciphertext -= _BLOCK
    # The padding takes at least one byte.
    return max(0, ciphertext - 1)


@lru_cache(maxsize=64)
def _expected_length_object(expected: int) -> bytes:
    """00 stands for 256 and 0000 for 65,536, as in a Le field."""
    width = 1 if expected <= MAX_SHORT else 2
    return tlv.encode(_TAG_EXPECTED_LENGTH, (expected % (1 << 8 * width)).to_bytes(width, "big"))


def _cryptogram_bytes(ciphertext: int) -> int:
    value = len(_PADDING_INDICATOR) + ciphertext
    length_bytes = 1 if value < 0x80 else 1 + (value.bit_length() + 7) // 8
    return 1 + length_bytes + value


def pad(data: bytes) -> bytes:
    """ISO/IEC 9797-1 padding method 2 to whole AES blocks: 80, then as many 00 as it takes."""
    return data + _PADDINGS[len(data) % _BLOCK]


def unpad(padded: bytes) -> bytes:
    """What ``pad`` was given.

    Raises:
        CardDataError: the last block does not end in 80 and zeros.
    """
    last_block = padded[-_BLOCK:].rstrip(b"\x00")
    if last_block[-1:] != b"\x80" or len(padded) % _BLOCK:
        raise CardDataError("the padding is not 80 and zeros within the last block")
    return padded[: len(last_block) - 1 - _BLOCK]
