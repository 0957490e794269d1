"""3DES as basic access control uses it: CBC, Retail MAC, secure messaging (ICAO 9303-11, 9.8.4-9.8.6; SPEC.md, 5.7).

3DES is a cipher of the past, and nothing here is used unless a policy names basic access control. It stands in a
module of its own, so that what AES does can be read, measured and trusted without it.
"""

import hmac
from typing import NoReturn

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card_layout import tlv
from card_layout.errors import CardDataError
from card_layout.iso7816.apdu import MAX_EXTENDED, MAX_SHORT, CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingError

__all__ = [
    "BLOCK_BYTES",
    "KEY_BYTES",
    "MAC_BYTES",
    "TripleDesSession",
    "decrypt",
    "encrypt",
    "pad",
    "retail_mac",
]

BLOCK_BYTES = 8
KEY_BYTES = 16
"""Two keys of DES, the first of which is used again as the third."""

MAC_BYTES = 8

_SECURE_CLA = 0x0C
_NO_INITIAL_VECTOR = bytes(BLOCK_BYTES)
_STATUS_AND_MAC_BYTES = 4 + 2 + MAC_BYTES
_COUNTER_LIMIT = 1 << 8 * BLOCK_BYTES


def encrypt(key: bytes, data: bytes) -> bytes:
    """3DES in CBC mode from a zero vector over whole blocks."""
    encryptor = Cipher(_triple(key), CBC(_NO_INITIAL_VECTOR)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of ``encrypt``."""
    decryptor = Cipher(_triple(key), CBC(_NO_INITIAL_VECTOR)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def retail_mac(key: bytes, padded: bytes) -> bytes:
    """MAC algorithm 3 of ISO/IEC 9797-1 over whole blocks: DES in CBC mode, 3DES for the last block."""
    first, last = padded[:-BLOCK_BYTES], padded[-BLOCK_BYTES:]
    chained = _NO_INITIAL_VECTOR
    if first:
        # DES is 3DES with three equal keys.
        single = TripleDES(key[:BLOCK_BYTES] * 3)
        chained = Cipher(single, CBC(_NO_INITIAL_VECTOR)).encryptor().update(first)[-BLOCK_BYTES:]
    return Cipher(_triple(key), CBC(chained)).encryptor().update(last)


def pad(data: bytes) -> bytes:
    """ISO/IEC 9797-1 padding method 2 to whole blocks of DES: 80, then as many 00 as it takes."""
    return data + b"\x80" + bytes(BLOCK_BYTES - 1 - len(data) % BLOCK_BYTES)


class TripleDesSession:
    """A `CardSession` under 3DES and Retail MAC, with a send sequence counter of 8 bytes.

    ``send_sequence_counter`` is the value before the first command: basic access control draws it, after chip
    authentication it is 0.
    """

    def __init__(
        self, encryption_key: bytes, mac_key: bytes, send_sequence_counter: int = 0
    ) -> None:
        for name, key in (("encryption", encryption_key), ("MAC", mac_key)):
            if len(key) != KEY_BYTES:
                raise SecureMessagingError(
                    f"the {name} key has {len(key)} bytes, expected {KEY_BYTES}"
                )
        if not 0 <= send_sequence_counter < _COUNTER_LIMIT:
            raise SecureMessagingError("the send sequence counter does not fit 8 bytes")
        self._encryption_key = encryption_key
        self._mac_key = mac_key
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
        ciphertext = max(0, limit - _STATUS_AND_MAC_BYTES) // BLOCK_BYTES * BLOCK_BYTES
        while ciphertext and _object_bytes(1 + ciphertext) + _STATUS_AND_MAC_BYTES > limit:
            ciphertext -= BLOCK_BYTES
        # The padding takes at least one byte.
        return max(0, ciphertext - 1)

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """The protected form of a command.

        Raises:
            SecureMessagingError: the session is over, or the last answer is still due.
        """
        self._require_alive()
        if self._is_answer_due:
            self._fail("a command was sent before the last one was answered")
        self._advance()
        self._is_odd = bool(command.ins & 1)
        cla = command.cla | _SECURE_CLA
        body = b""
        if command.data:
            ciphertext = encrypt(self._encryption_key, pad(command.data))
            body = (
                tlv.encode(0x85, ciphertext)
                if self._is_odd
                else tlv.encode(0x87, b"\x01" + ciphertext)
            )
        expected = command.expected_length
        if expected is not None:
            # 00 stands for 256 and 0000 for 65,536, as in a Le field.
            width = 1 if expected <= MAX_SHORT else 2
            body += tlv.encode(0x97, (expected % (1 << 8 * width)).to_bytes(width, "big"))
        header = bytes((cla, command.ins, command.p1, command.p2))
        body += tlv.encode(0x8E, self._authenticate(pad(header) + body))
        self._is_answer_due = True
        return CommandApdu(
            cla=cla,
            ins=command.ins,
            p1=command.p1,
            p2=command.p2,
            data=body,
            expected_length=self._outer_length(expected),
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
        objects = self._objects(response)
        covered = tlv.concatenate(objects[:-1])
        if not hmac.compare_digest(objects[-1].value, self._authenticate(covered)):
            self._fail("the MAC of the answer is wrong")
        if objects[-2].value != response.status_word.to_bytes(2, "big"):
            self._fail("the protected status word and the trailer differ")
        data = self._plain(objects[0].value) if len(objects) == 3 else b""
        return ResponseApdu(data, response.status_word)

    def _objects(self, response: ResponseApdu) -> tuple[tlv.Tlv, ...]:
        """Exactly ``[87]? [99] [8E]`` in this order, ``[85]`` for ``[87]`` after an odd instruction."""
        if not response.data:
            self._fail(f"a plain answer, status word {response.status_word:04X}")
        try:
            objects = tlv.parse_all(response.data)
        except CardDataError as error:
            self.end()
            raise SecureMessagingError("the answer is not a sequence of data objects") from error
        cryptogram_tag = 0x85 if self._is_odd else 0x87
        if [item.tag for item in objects] not in ([0x99, 0x8E], [cryptogram_tag, 0x99, 0x8E]):
            self._fail(
                f"the answer's objects are not [{cryptogram_tag:02X}] [99] [8E] in this order"
            )
        if len(objects[-2].value) != 2 or len(objects[-1].value) != MAC_BYTES:
            self._fail("the answer's status word or MAC has a wrong length")
        return objects

    def _plain(self, cryptogram: bytes) -> bytes:
        ciphertext = cryptogram
        if not self._is_odd:
            if cryptogram[:1] != b"\x01":
                self._fail("the padding indicator of the answer is not 01")
            ciphertext = cryptogram[1:]
        if not ciphertext or len(ciphertext) % BLOCK_BYTES:
            self._fail("the answer's ciphertext is not made of whole blocks")
        padded = decrypt(self._encryption_key, ciphertext)
        end = len(padded.rstrip(b"\x00")) - 1
        if end < 0 or padded[end] != 0x80 or len(padded) - end > BLOCK_BYTES:
            self._fail("the padding of the answer is wrong")
        return padded[:end]

    def _outer_length(self, expected: int | None) -> int:
        if expected is None or expected == MAX_SHORT:
            # An inner 00 asks for as many bytes as fit, and 256 bytes are what a short answer may have.
            return MAX_SHORT
        return MAX_SHORT if expected <= self.max_response_data(MAX_SHORT) else MAX_EXTENDED

    def _authenticate(self, covered: bytes) -> bytes:
        return retail_mac(self._mac_key, pad(self._counter.to_bytes(BLOCK_BYTES, "big") + covered))

    def _advance(self) -> None:
        # The counter begins at a random value, so it may run over (9303-11, 9.8.6.3 knows no end of it).
        self._counter = (self._counter + 1) % _COUNTER_LIMIT

    def _require_alive(self) -> None:
        if not self._is_alive:
            raise SecureMessagingError("the secure messaging session is over")

    def _fail(self, message: str) -> NoReturn:
        self.end()
        raise SecureMessagingError(message)


def _triple(key: bytes) -> TripleDES:
    return TripleDES(key + key[:BLOCK_BYTES])


def _object_bytes(value: int) -> int:
    """How long a data object with a tag of one byte and a value of that length is."""
    return 1 + (1 if value < 0x80 else 1 + (value.bit_length() + 7) // 8) + value
