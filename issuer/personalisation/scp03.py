"""The station's side of the personalisation channel: GlobalPlatform SCP03, modes S8 and S16 (SPEC.md, 8.1).

Sources: GlobalPlatform Card Specification 2.3.1, Amendment D ("SCP03"). The level is always 33: commands
and answers are encrypted and authenticated. Nothing here is ever repeated by itself: about ten wrong
authentications in a row lock a chip for good.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout.errors import AccessError, CardDataError, CardError, CardRefusedError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import MAX_SHORT, CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.secure_messaging import pad, unpad
from card_layout.iso7816.status_words import StatusWord, describe
from issuer.personalisation.scp03_keys import (
    Scp03Keys,
    Scp03Mode,
    SessionKeys,
    key_check_value,
    key_data,
)

__all__ = [
    "SECURITY_LEVEL",
    "TRANSPORT_VERSION",
    "CardCryptogramError",
    "InitializeUpdateResponse",
    "Scp03Session",
    "SecureChannelError",
]

SECURITY_LEVEL = 0x33
"""C-MAC, C-DECRYPTION, R-MAC and R-ENCRYPTION."""

_BLOCK = 16
_SERIAL_BYTES = 10
_CHALLENGE = _SERIAL_BYTES + 3
_PROTOCOL = 0x03
_SECURE_CLA = 0x84
_RESPONSE_COUNTER_BIT = 1 << 127
_MAX_SHORT_DATA = 0xFF

TRANSPORT_VERSION = 0xFF
"""The version of the keys with which a chip is delivered (SPEC.md, 8.2)."""


class SecureChannelError(AccessError):
    """An answer that the channel's keys do not vouch for; the channel is over."""

    default_code = "personalisation.secure-channel"


class CardCryptogramError(AccessError):
    """The chip does not hold the keys that it should: no authentication was tried on it."""

    default_code = "personalisation.card-cryptogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializeUpdateResponse:
    """What a chip answers to INITIALIZE UPDATE: which chip it is, and which keys it will use."""

    serial: bytes
    key_version: int
    card_challenge: bytes
    card_cryptogram: bytes
    mode: Scp03Mode = Scp03Mode.S8

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the 29 bytes (S8) or 45 bytes (S16) of SPEC.md, 8.1; ``i`` tells which.

        Raises:
            CardDataError: another length, protocol or option than those.
        """
        version, protocol, options = data[_SERIAL_BYTES:_CHALLENGE].ljust(3, b"\x00")[:3]
        try:
            mode = Scp03Mode(options)
        except ValueError:
            mode = None
        if mode is None or protocol != _PROTOCOL:
            raise CardDataError(
                f"got secure channel protocol {protocol:02X} with option {options:02X}, "
                f"expected {_PROTOCOL:02X} with {Scp03Mode.S8.options:02X} or {Scp03Mode.S16.options:02X}",
                code="personalisation.malformed",
            )
        expected = _CHALLENGE + 2 * mode.size
        if len(data) != expected:
            raise CardDataError(
                f"the answer to INITIALIZE UPDATE has {len(data)} bytes, expected {expected}",
                code="personalisation.malformed",
            )
        return cls(
            serial=data[:_SERIAL_BYTES],
            key_version=version,
            card_challenge=data[_CHALLENGE : _CHALLENGE + mode.size],
            card_cryptogram=data[_CHALLENGE + mode.size :],
            mode=mode,
        )

    def to_bytes(self) -> bytes:
        """The 29 or 45 bytes."""
        return (
            self.serial
            + bytes((self.key_version, _PROTOCOL, self.mode.options))
            + self.card_challenge
            + self.card_cryptogram
        )


class Scp03Session:
    """An open personalisation channel to one chip; opened by ``open``, over at the first broken answer."""

    def __init__(
        self,
        transmit: Callable[[CommandApdu], ResponseApdu],
        *,
        keys: Scp03Keys,
        session_keys: SessionKeys,
        chip: InitializeUpdateResponse,
    ) -> None:
        self._transmit = transmit
        self._chip = chip
        self._data_encryption_key = keys.dek
        self._mac_bytes = session_keys.mode.size
        self._key_version = chip.key_version
        self._cipher_key = AES(session_keys.enc)
        self._block_encryptor = Cipher(self._cipher_key, ECB()).encryptor()  # noqa: S305 - single blocks: the ICV of SCP03, 6.2.6 is E(S-ENC, counter)
        self._command_mac = CMAC(AES(session_keys.mac))
        self._response_mac = CMAC(AES(session_keys.rmac))
        self._chaining_value = bytes(_BLOCK)
        self._counter = 0
        self._is_alive = True

    def __repr__(self) -> str:
        state = "alive" if self._is_alive else "over"
        return f"{type(self).__name__}({state})"

    @classmethod
    def open(
        cls,
        channel: CardChannel,
        *,
        keys_for: Callable[[InitializeUpdateResponse], Scp03Keys],
        key_version: int = 0x00,
        host_challenge: bytes | None = None,
    ) -> Self:
        """Prove the chip's keys, then ours (SCP03, 6.2.2).

        ``keys_for`` gives the keys that the chip named by its serial and key version should hold; it may
        raise to refuse the chip. ``host_challenge`` is drawn where it is not given; a chip of mode S16 refuses one
        of 8 bytes by its length, and is asked again with 16. Nothing counts INITIALIZE UPDATE as a try.

        Raises:
            CardCryptogramError: the chip holds other keys; EXTERNAL AUTHENTICATE was not sent.
            CardRefusedError: the chip refused (code ``personalisation.refused``, or
                ``personalisation.authentication-refused`` where it does not accept our cryptogram).
            CardDataError: its answer is malformed.
            TransportError: the exchange broke off.
        """
        own = host_challenge or secrets.token_bytes(Scp03Mode.S8.size)
        response = _initialize_update(channel, key_version, own)
        if host_challenge is None and response.status_word == StatusWord.WRONG_LENGTH:
            own = secrets.token_bytes(Scp03Mode.S16.size)
            response = _initialize_update(channel, key_version, own)
        _require_status(response, "INITIALIZE UPDATE", "personalisation.refused")
        chip = InitializeUpdateResponse.from_bytes(response.data)
        if chip.mode.size != len(own) or key_version not in (0x00, chip.key_version):
            raise CardDataError(
                f"the chip answered {chip.mode.name} with keys of version {chip.key_version:02X}, "
                f"asked with {len(own)} bytes for version {key_version:02X}",
                code="personalisation.malformed",
            )
        keys = keys_for(chip)
        session_keys = SessionKeys.derive(keys, own, chip.card_challenge, mode=chip.mode)
        if not hmac.compare_digest(session_keys.card_cryptogram(), chip.card_cryptogram):
            raise CardCryptogramError(
                f"chip {chip.serial.hex().upper()} does not prove its keys of version {chip.key_version:02X}"
            )
        session = cls(channel.transmit, keys=keys, session_keys=session_keys, chip=chip)
        response = channel.transmit(
            session._authenticated(
                commands.external_authenticate(
                    security_level=SECURITY_LEVEL, host_cryptogram=session_keys.host_cryptogram()
                )
            )
        )
        _require_status(response, "EXTERNAL AUTHENTICATE", "personalisation.authentication-refused")
        return session

    @property
    def chip(self) -> InitializeUpdateResponse:
        """Which chip this is; authentic, since its cryptogram was verified under keys made from its serial."""
        return self._chip

    @property
    def key_version_held(self) -> int:
        """The version of the keys that the chip holds now in the place of those that opened the channel."""
        return self._key_version

    @property
    def is_alive(self) -> bool:
        """Whether the channel can still be used."""
        return self._is_alive

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        """One command under the channel, and its answer in plain.

        Status words other than ``9000``, ``62xx`` and ``63xx`` come without a MAC (SCP03, 6.2.5): they
        tell why the chip did not act, and prove nothing.

        Raises:
            SecureChannelError: the answer is not of this channel, which is over, as after ``6982``.
            TransportError: the exchange broke off; the channel is over.
        """
        if not self._is_alive:
            raise SecureChannelError("the personalisation channel is over")
        wrapped = self._authenticated(self._encrypted(command))
        try:
            response = self._transmit(wrapped)
        except CardError:
            self._is_alive = False
            raise
        return self._verified(response)

    def require(self, command: CommandApdu, *expected: int) -> bytes:
        """The data of an answer whose status word is ``9000``, or one of ``expected`` where given.

        Raises:
            CardRefusedError: the chip answered with another status word (code ``personalisation.refused``).
            CardError: as ``transmit``.
        """
        response = self.transmit(command)
        if response.status_word not in (expected or (StatusWord.SUCCESS,)):
            _refuse(response, f"instruction {command.ins:02X}", "personalisation.refused")
        return response.data

    def replace_keys(
        self,
        new_keys: Scp03Keys,
        *,
        new_key_version: int,
        replaced_version: int = TRANSPORT_VERSION,
    ) -> None:
        """PUT KEY: replace the three keys of a version at once, and check the chip's own check values of them.

        With ``replaced_version`` 00 the new ones come beside those that the chip holds.

        Raises:
            CardDataError: the new keys are longer than the one that protects them (``personalisation.key-strength``).
            CardRefusedError: the chip kept its keys.
            SecureChannelError: the chip tells other check values than those of the new keys.
        """
        new = (new_keys.enc, new_keys.mac, new_keys.dek)
        answer = self.require(
            commands.put_keys(
                replaced_version=replaced_version,
                new_key_version=new_key_version,
                key_data=b"".join(key_data(key, self._data_encryption_key) for key in new),
            )
        )
        expected = bytes((new_key_version,)) + b"".join(key_check_value(key) for key in new)
        if not hmac.compare_digest(answer, expected):
            self._fail("the chip's check values are not those of the new keys")
        if replaced_version == self._key_version:
            self._key_version = new_key_version

    def max_command_data(self, max_command_bytes: int | None) -> int:
        """The most plain bytes of a command: ``max_command_bytes`` whole, or ``None`` for a short APDU."""
        room = (
            _MAX_SHORT_DATA if max_command_bytes is None else max_command_bytes - 9
        ) - self._mac_bytes
        return max(0, room // _BLOCK * _BLOCK - 1)

    def _encrypted(self, command: CommandApdu) -> CommandApdu:
        """SCP03, 6.2.6: the counter counts every command, also one without data, which stays empty."""
        self._counter += 1
        data = command.data
        if data:
            encryptor = Cipher(self._cipher_key, CBC(self._initial_vector())).encryptor()
            data = encryptor.update(pad(data)) + encryptor.finalize()
        # The answer to every command may carry data and carries a MAC: Le is always there.
        return CommandApdu(
            cla=command.cla,
            ins=command.ins,
            p1=command.p1,
            p2=command.p2,
            data=data,
            expected_length=MAX_SHORT,
        )

    def _authenticated(self, command: CommandApdu) -> CommandApdu:
        """SCP03, 6.2.4: the MAC covers the last MAC in full, the header, Lc and the data field, not Le."""
        size = len(command.data) + self._mac_bytes
        length = bytes((size,)) if size <= _MAX_SHORT_DATA else b"\x00" + size.to_bytes(2, "big")
        mac = self._command_mac.copy()
        mac.update(
            self._chaining_value
            + bytes((_SECURE_CLA, command.ins, command.p1, command.p2))
            + length
            + command.data
        )
        self._chaining_value = mac.finalize()
        return CommandApdu(
            cla=_SECURE_CLA,
            ins=command.ins,
            p1=command.p1,
            p2=command.p2,
            data=command.data + self._chaining_value[: self._mac_bytes],
            expected_length=command.expected_length,
        )

    def _verified(self, response: ResponseApdu) -> ResponseApdu:
        """SCP03, 6.2.5 and 6.2.7."""
        status = response.status_word
        if status != StatusWord.SUCCESS and status >> 8 not in (0x62, 0x63):
            if response.data:
                self._fail("an answer with an error has data")
            if status == StatusWord.SECURITY_STATUS_NOT_SATISFIED:
                # SPEC.md, 8.1: this is how a chip says that the channel is over.
                self._is_alive = False
            return response
        data, mac = response.data[: -self._mac_bytes], response.data[-self._mac_bytes :]
        expected = self._response_mac.copy()
        expected.update(self._chaining_value + data + status.to_bytes(2, "big"))
        if not hmac.compare_digest(mac, expected.finalize()[: self._mac_bytes]):
            self._fail("the MAC of the answer is wrong or missing")
        if not data:
            return ResponseApdu(b"", status)
        if len(data) % _BLOCK:
            self._fail("the answer's ciphertext is not made of whole blocks")
        vector = self._initial_vector(_RESPONSE_COUNTER_BIT)
        decryptor = Cipher(self._cipher_key, CBC(vector)).decryptor()
        try:
            return ResponseApdu(unpad(decryptor.update(data) + decryptor.finalize()), status)
        except CardDataError as error:
            self._is_alive = False
            raise SecureChannelError("the padding of the answer is wrong") from error

    def _initial_vector(self, direction: int = 0) -> bytes:
        return self._block_encryptor.update((self._counter | direction).to_bytes(_BLOCK, "big"))

    def _fail(self, message: str) -> NoReturn:
        self._is_alive = False
        raise SecureChannelError(message)


def _initialize_update(
    channel: CardChannel, key_version: int, host_challenge: bytes
) -> ResponseApdu:
    return channel.transmit(
        commands.initialize_update(key_version=key_version, host_challenge=host_challenge)
    )


def _require_status(response: ResponseApdu, command: str, code: str) -> None:
    if response.status_word != StatusWord.SUCCESS:
        _refuse(response, command, code)


def _refuse(response: ResponseApdu, what: str, code: str) -> NoReturn:
    raise CardRefusedError(
        f"the chip refused {what} ({describe(response.status_word)})",
        status_word=response.status_word,
        code=code,
    )
