"""SCP03 modes S8 and S16, security level 33, card's end (GPC Amendment D; SPEC.md, 8.1)."""

from dataclasses import dataclass, field, replace
from typing import Self

from cryptography.hazmat.primitives.constant_time import bytes_eq

from simulators.card.aes import (
    BLOCK,
    cmac,
    decrypt_cbc,
    derive_scp03,
    encrypt_block,
    encrypt_cbc,
    pad,
    unpad,
)
from simulators.card.command import Command
from simulators.card.reply import Reply
from simulators.card.status import Refused, StatusWord
from simulators.image import PersonalisationKeys

__all__ = ["SECURITY_LEVEL", "Scp03Session"]

SECURITY_LEVEL = 0x33
"""C-MAC, C-DECRYPTION, R-MAC and R-ENCRYPTION."""

_PROTOCOL = 0x03
_OPTIONS = {8: 0x60, 16: 0x61}
"""Bytes of a challenge, cryptogram and MAC -> parameter ``i``: random challenge, R-MAC and R-ENC; bit 1 is S16."""

_CARD_CRYPTOGRAM = 0x00
_HOST_CRYPTOGRAM = 0x01
_SESSION_ENC = 0x04
_SESSION_MAC = 0x06
_SESSION_RMAC = 0x07
_ANSWERS_WITH_MAC = (0x62, 0x63)


@dataclass(slots=True)
class Scp03Session:
    """One session: begun by INITIALIZE UPDATE, open once EXTERNAL AUTHENTICATE was right."""

    dek: bytes = field(repr=False)
    encryption_key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)
    response_mac_key: bytes = field(repr=False)
    host_cryptogram: bytes = field(repr=False)
    initial_answer: bytes = field(repr=False)
    mac_bytes: int
    is_open: bool = False
    _chaining_value: bytes = field(default=bytes(BLOCK), repr=False)
    _counter: int = 0

    @classmethod
    def begin(
        cls,
        *,
        serial: bytes,
        keys: PersonalisationKeys,
        host_challenge: bytes,
        card_challenge: bytes,
    ) -> Self:
        """Derive the session keys and the answer to INITIALIZE UPDATE (SCP03, 6.2.2 and 7.1.1).

        Both challenges have 8 bytes, or 16 in mode S16; session keys are as long as the static ones.
        """
        context = host_challenge + card_challenge
        size = len(card_challenge)

        def derive(key: bytes, constant: int, length: int) -> bytes:
            return derive_scp03(key, constant=constant, context=context, bits=8 * length)

        mac_key = derive(keys.mac, _SESSION_MAC, len(keys.mac))
        cryptogram = derive(mac_key, _CARD_CRYPTOGRAM, size)
        return cls(
            dek=keys.dek,
            encryption_key=derive(keys.enc, _SESSION_ENC, len(keys.enc)),
            mac_key=mac_key,
            response_mac_key=derive(keys.mac, _SESSION_RMAC, len(keys.mac)),
            host_cryptogram=derive(mac_key, _HOST_CRYPTOGRAM, size),
            mac_bytes=size,
            initial_answer=(
                serial
                + bytes((keys.key_version, _PROTOCOL, _OPTIONS[size]))
                + card_challenge
                + cryptogram
            ),
        )

    def authenticate(self, command: Command) -> None:
        """EXTERNAL AUTHENTICATE: the host's MAC and cryptogram (SCP03, 7.1.2).

        Raises:
            Refused: 6700, 6982 where the MAC is wrong, 6300 where the cryptogram is.
        """
        if len(command.data) != 2 * self.mac_bytes:
            raise Refused(StatusWord.WRONG_LENGTH)
        cryptogram = self._check_mac(command)
        if not bytes_eq(cryptogram, self.host_cryptogram):
            raise Refused(StatusWord.AUTHENTICATION_FAILED)
        self.is_open = True

    def unwrap(self, command: Command) -> Command:
        """The command inside, still with its CLA (SCP03, 6.2.4 and 6.2.6).

        Raises:
            Refused: 6982 where the MAC or the encryption is wrong: the session is over.
        """
        self._counter += 1
        cryptogram = self._check_mac(command)
        data = b""
        if cryptogram:
            if len(cryptogram) % BLOCK:
                raise Refused(StatusWord.SECURITY_STATUS)
            iv = encrypt_block(self.encryption_key, self._counter.to_bytes(BLOCK, "big"))
            plain = unpad(decrypt_cbc(self.encryption_key, cryptogram, iv=iv))
            if plain is None:
                raise Refused(StatusWord.SECURITY_STATUS)
            data = plain
        return replace(command, data=data)

    def wrap(self, reply: Reply) -> bytes:
        """The data field of the answer: encrypted data and R-MAC; errors carry neither (SCP03, 6.2.5 and 6.2.7)."""
        if reply.status_word != StatusWord.SUCCESS and (
            reply.status_word >> 8 not in _ANSWERS_WITH_MAC
        ):
            return b""
        data = b""
        if reply.data:
            block = b"\x80" + self._counter.to_bytes(BLOCK - 1, "big")
            iv = encrypt_block(self.encryption_key, block)
            data = encrypt_cbc(self.encryption_key, pad(reply.data), iv=iv)
        status_word = reply.status_word.to_bytes(2, "big")
        mac = cmac(self.response_mac_key, self._chaining_value + data + status_word)
        return data + mac[: self.mac_bytes]

    def _check_mac(self, command: Command) -> bytes:
        """The data before the MAC; Lc is authenticated as it stands on the wire, with the MAC counted."""
        if len(command.data) < self.mac_bytes:
            raise Refused(StatusWord.SECURITY_STATUS)
        data, mac = command.data[: -self.mac_bytes], command.data[-self.mac_bytes :]
        length = len(command.data)
        is_long = command.is_extended or length > 0xFF
        encoded = b"\x00" + length.to_bytes(2, "big") if is_long else bytes((length,))
        value = cmac(self.mac_key, self._chaining_value + command.header + encoded + data)
        if not bytes_eq(mac, value[: self.mac_bytes]):
            raise Refused(StatusWord.SECURITY_STATUS)
        self._chaining_value = value
        return data
