"""The station's side of the personalisation channel: GlobalPlatform SCP03, mode S8, AES-128 (SPEC.md, 8.1).

Sources: GlobalPlatform Card Specification 2.3.1, Amendment D ("SCP03"). The level is always 33: commands
and answers are encrypted and authenticated. Nothing here is ever repeated by itself: about ten wrong
authentications in a row lock a chip for good.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
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

__all__ = [
    "CHALLENGE_BYTES",
    "SECURITY_LEVEL",
    "CardCryptogramError",
    "InitializeUpdateResponse",
    "Scp03Keys",
    "Scp03Session",
    "SecureChannelError",
    "SessionKeys",
    "key_check_value",
    "key_data",
]

CHALLENGE_BYTES = 8
"""Mode S8: challenges, cryptograms and MACs have eight bytes."""

SECURITY_LEVEL = 0x33
"""C-MAC, C-DECRYPTION, R-MAC and R-ENCRYPTION."""

_KEY_BYTES = 16
_BLOCK = 16
_MAC_BYTES = 8
_SERIAL_BYTES = 10
_PROTOCOL = 0x03
_OPTIONS = 0x60
_SECURE_CLA = 0x84
_KEY_TYPE_AES = 0x88
_NO_INITIAL_VECTOR = bytes(_BLOCK)
_RESPONSE_COUNTER_BIT = 1 << 127
_MAX_SHORT_DATA = 0xFF


class SecureChannelError(AccessError):
    """An answer that the channel's keys do not vouch for; the channel is over."""

    default_code = "personalisation.secure-channel"


class CardCryptogramError(AccessError):
    """The chip does not hold the keys that it should: no authentication was tried on it."""

    default_code = "personalisation.card-cryptogram"


class _Derivation(IntEnum):
    """Data derivation constants (SCP03, 4.1.5)."""

    CARD_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    ENC = 0x04
    MAC = 0x06
    RMAC = 0x07


@dataclass(frozen=True, slots=True, kw_only=True)
class Scp03Keys:
    """The three static AES-128 keys of one chip."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("enc", "mac", "dek"):
            size = len(getattr(self, name))
            if size != _KEY_BYTES:
                raise CardDataError(f"key {name} has {size} bytes, expected {_KEY_BYTES}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializeUpdateResponse:
    """What a chip answers to INITIALIZE UPDATE: which chip it is, and which keys it will use."""

    serial: bytes
    key_version: int
    card_challenge: bytes
    card_cryptogram: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the 29 bytes of SPEC.md, 8.1.

        Raises:
            CardDataError: another length, protocol or option than those.
        """
        expected = _SERIAL_BYTES + 3 + 2 * CHALLENGE_BYTES
        if len(data) != expected:
            raise CardDataError(
                f"the answer to INITIALIZE UPDATE has {len(data)} bytes, expected {expected}",
                code="personalisation.malformed",
            )
        version, protocol, options = data[_SERIAL_BYTES : _SERIAL_BYTES + 3]
        if (protocol, options) != (_PROTOCOL, _OPTIONS):
            raise CardDataError(
                f"got secure channel protocol {protocol:02X} with option {options:02X}, "
                f"expected {_PROTOCOL:02X} with {_OPTIONS:02X}",
                code="personalisation.malformed",
            )
        challenge = _SERIAL_BYTES + 3
        return cls(
            serial=data[:_SERIAL_BYTES],
            key_version=version,
            card_challenge=data[challenge : challenge + CHALLENGE_BYTES],
            card_cryptogram=data[challenge + CHALLENGE_BYTES :],
        )

    def to_bytes(self) -> bytes:
        """The 29 bytes."""
        return (
            self.serial
            + bytes((self.key_version, _PROTOCOL, _OPTIONS))
            + self.card_challenge
            + self.card_cryptogram
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys:
    """S-ENC, S-MAC and S-RMAC of one session."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    rmac: bytes = field(repr=False)
    context: bytes = field(repr=False)

    @classmethod
    def derive(cls, keys: Scp03Keys, host_challenge: bytes, card_challenge: bytes) -> Self:
        """The session keys for one pair of challenges (SCP03, 6.2.1)."""
        context = host_challenge + card_challenge
        return cls(
            enc=_derive(keys.enc, _Derivation.ENC, context, _KEY_BYTES),
            mac=_derive(keys.mac, _Derivation.MAC, context, _KEY_BYTES),
            rmac=_derive(keys.mac, _Derivation.RMAC, context, _KEY_BYTES),
            context=context,
        )

    def card_cryptogram(self) -> bytes:
        """What the chip must have answered (SCP03, 6.2.2.2)."""
        return _derive(self.mac, _Derivation.CARD_CRYPTOGRAM, self.context, CHALLENGE_BYTES)

    def host_cryptogram(self) -> bytes:
        """What the chip expects of us (SCP03, 6.2.2.3)."""
        return _derive(self.mac, _Derivation.HOST_CRYPTOGRAM, self.context, CHALLENGE_BYTES)


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
        raise to refuse the chip. ``host_challenge`` is drawn where it is not given.

        Raises:
            CardCryptogramError: the chip holds other keys; EXTERNAL AUTHENTICATE was not sent.
            CardRefusedError: the chip refused (code ``personalisation.refused``, or
                ``personalisation.authentication-refused`` where it does not accept our cryptogram).
            CardDataError: its answer is malformed.
            TransportError: the exchange broke off.
        """
        if host_challenge is None:
            host_challenge = secrets.token_bytes(CHALLENGE_BYTES)
        response = channel.transmit(
            commands.initialize_update(key_version=key_version, host_challenge=host_challenge)
        )
        _require_status(response, "INITIALIZE UPDATE", "personalisation.refused")
        chip = InitializeUpdateResponse.from_bytes(response.data)
        keys = keys_for(chip)
        session_keys = SessionKeys.derive(keys, host_challenge, chip.card_challenge)
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

    def encrypt_key(self, key: bytes) -> bytes:
        """A key under the chip's static DEK, as PUT KEY carries it (SPEC.md, 8.3)."""
        if len(key) != _KEY_BYTES:
            raise CardDataError(f"key has {len(key)} bytes, expected {_KEY_BYTES}")
        encryptor = Cipher(AES(self._data_encryption_key), CBC(_NO_INITIAL_VECTOR)).encryptor()
        return encryptor.update(key) + encryptor.finalize()

    def replace_keys(self, new_keys: Scp03Keys, *, new_key_version: int) -> None:
        """PUT KEY: replace all three keys at once, and check the chip's own check values of them.

        Raises:
            CardRefusedError: the chip kept its keys.
            SecureChannelError: the chip tells other check values than those of the new keys.
        """
        new = (new_keys.enc, new_keys.mac, new_keys.dek)
        answer = self.require(
            commands.put_keys(
                new_key_version=new_key_version,
                key_data=b"".join(
                    key_data(self.encrypt_key(key), key_check_value(key)) for key in new
                ),
            )
        )
        expected = bytes((new_key_version,)) + b"".join(key_check_value(key) for key in new)
        if not hmac.compare_digest(answer, expected):
            self._fail("the chip's check values are not those of the new keys")

    @staticmethod
    def max_command_data(max_command_bytes: int | None) -> int:
        """The most plain bytes of a command: ``max_command_bytes`` whole, or ``None`` for a short APDU."""
        room = (
            _MAX_SHORT_DATA if max_command_bytes is None else max_command_bytes - 9
        ) - _MAC_BYTES
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
        size = len(command.data) + _MAC_BYTES
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
            data=command.data + self._chaining_value[:_MAC_BYTES],
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
        data, mac = response.data[:-_MAC_BYTES], response.data[-_MAC_BYTES:]
        expected = self._response_mac.copy()
        expected.update(self._chaining_value + data + status.to_bytes(2, "big"))
        if not hmac.compare_digest(mac, expected.finalize()[:_MAC_BYTES]):
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


def key_check_value(key: bytes) -> bytes:
    """The first three bytes of AES over sixteen 01 (SPEC.md, 8.3)."""
    encryptor = Cipher(AES(key), CBC(_NO_INITIAL_VECTOR)).encryptor()
    return (encryptor.update(b"\x01" * _BLOCK) + encryptor.finalize())[:3]


def key_data(encrypted_key: bytes, check_value: bytes) -> bytes:
    """One key in PUT KEY: type, length, length of the key, the key, its check value (GPC, 11.8.2.3)."""
    return (
        bytes((_KEY_TYPE_AES, len(encrypted_key) + 1, len(encrypted_key)))
        + encrypted_key
        + bytes((len(check_value),))
        + check_value
    )


def _derive(key: bytes, constant: _Derivation, context: bytes, size: int) -> bytes:
    """SCP03, 4.1.5: SP 800-108 in counter mode; one block of AES-CMAC is enough for AES-128."""
    mac = CMAC(AES(key))
    mac.update(
        bytes((*bytes(11), constant, 0x00)) + (8 * size).to_bytes(2, "big") + b"\x01" + context
    )
    return mac.finalize()[:size]


def _require_status(response: ResponseApdu, command: str, code: str) -> None:
    if response.status_word != StatusWord.SUCCESS:
        _refuse(response, command, code)


def _refuse(response: ResponseApdu, what: str, code: str) -> NoReturn:
    raise CardRefusedError(
        f"the chip refused {what} ({describe(response.status_word)})",
        status_word=response.status_word,
        code=code,
    )
