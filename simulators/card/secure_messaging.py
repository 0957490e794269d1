"""Secure messaging of the reading side, card's end (9303-11, 9.8; SPEC.md, 5.3)."""

from dataclasses import replace

from cryptography.hazmat.primitives.constant_time import bytes_eq

from card_layout import tlv
from simulators.card.aes import pad
from simulators.card.command import CHAIN, Command
from simulators.card.reply import Reply
from simulators.card.session_cipher import CHECKSUM_BYTES, SessionCipher
from simulators.card.status import Refused, StatusWord

__all__ = ["SecureMessaging"]

_CRYPTOGRAM = 0x87
_CRYPTOGRAM_OF_ODD_INSTRUCTION = 0x85
_EXPECTED_LENGTH = 0x97
_STATUS_WORD = 0x99
_MAC = 0x8E
_ANSWER_OVERHEAD = 4 + 2 + CHECKSUM_BYTES
"""Bytes of DO 99 and DO 8E, which stand in every answer."""


class SecureMessaging:
    """One session: its keys, and the send sequence counter, which begins at 0 but for BAC.

    Whatever ``unwrap`` refuses ends the session: the caller drops the object.
    """

    def __init__(self, cipher: SessionCipher, *, send_sequence_counter: int = 0) -> None:
        self._cipher = cipher
        self._send_sequence_counter = send_sequence_counter
        self._answers_odd_instruction = False

    def unwrap(self, command: Command) -> Command:
        """The command inside, with CLA 00, or 10 where the terminal announces more (9303-11, 4.4.4).

        Raises:
            Refused: 6987 where objects are missing, 6988 where they are wrong.
        """
        self._send_sequence_counter += 1
        self._answers_odd_instruction = bool(command.ins & 1)
        try:
            objects = tlv.parse_all(command.data)
        except tlv.TlvError as error:
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG) from error
        tags = [item.tag for item in objects]
        if _MAC not in tags:
            raise Refused(StatusWord.SECURE_MESSAGING_MISSING)
        cryptogram_tag = _CRYPTOGRAM_OF_ODD_INSTRUCTION if command.ins & 1 else _CRYPTOGRAM
        order = [tag for tag in (cryptogram_tag, _EXPECTED_LENGTH, _MAC) if tag in tags]
        if tags != order:
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
        values = {item.tag: item.value for item in objects}
        protected = tlv.concatenate(objects[:-1])
        if not bytes_eq(values[_MAC], self._checksum(self._pad(command.header) + protected)):
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
        data = (
            self._decrypt(values[cryptogram_tag], cryptogram_tag)
            if cryptogram_tag in values
            else b""
        )
        expected_length, asks_for_all = _read_expected_length(values.get(_EXPECTED_LENGTH))
        return replace(
            command,
            cla=command.cla & CHAIN,
            data=data,
            expected_length=expected_length,
            asks_for_all=asks_for_all,
        )

    def wrap(self, reply: Reply) -> bytes:
        """The data field of the protected answer; the status word stands in it and goes behind it in clear, too."""
        self._send_sequence_counter += 1
        objects = b""
        if reply.data:
            cryptogram = self._cipher.encrypt(reply.data, self._send_sequence_counter)
            objects = (
                tlv.encode(_CRYPTOGRAM_OF_ODD_INSTRUCTION, cryptogram)
                if self._answers_odd_instruction
                else tlv.encode(_CRYPTOGRAM, b"\x01" + cryptogram)
            )
        objects += tlv.encode(_STATUS_WORD, reply.status_word.to_bytes(2, "big"))
        return objects + tlv.encode(_MAC, self._checksum(objects))

    def room(self, limit: int) -> int:
        """How many bytes of data fit into a protected answer of ``limit`` bytes, status word not counted."""
        block_bytes = self._cipher.block_bytes
        blocks = (limit - _ANSWER_OVERHEAD) // block_bytes
        while _cryptogram_bytes(blocks * block_bytes) > limit - _ANSWER_OVERHEAD:
            blocks -= 1
        return blocks * block_bytes - 1

    def _decrypt(self, value: bytes, tag: int) -> bytes:
        cryptogram = value
        if tag == _CRYPTOGRAM:
            if value[:1] != b"\x01":
                raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
            cryptogram = value[1:]
        if not cryptogram or len(cryptogram) % self._cipher.block_bytes:
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
        data = self._cipher.decrypt(cryptogram, self._send_sequence_counter)
        if data is None:
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
        return data

    def _checksum(self, message: bytes) -> bytes:
        return self._cipher.checksum(message, self._send_sequence_counter)

    def _pad(self, data: bytes) -> bytes:
        return pad(data, self._cipher.block_bytes)


def _read_expected_length(value: bytes | None) -> tuple[int | None, bool]:
    if value is None:
        return None, False
    if len(value) not in (1, 2):
        raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
    number = int.from_bytes(value, "big")
    return number or 1 << 8 * len(value), number == 0


def _cryptogram_bytes(size: int) -> int:
    """Bytes of DO 87 around so many encrypted ones."""
    return len(tlv.encode(_CRYPTOGRAM, bytes(1 + size)))
