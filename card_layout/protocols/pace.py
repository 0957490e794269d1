"""The terminal's side of PACE over elliptic curves (ICAO 9303-11, 4.4; SPEC.md, 5.2 and 5.6)."""

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout import der, tlv
from card_layout.curves import CurveError, NamedCurve, curve_for_pace_parameter, decode_point
from card_layout.errors import AccessError, CardDataError, CardError, CardRefusedError
from card_layout.files.security_infos import PaceInfo
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.commands import PasswordReference
from card_layout.iso7816.secure_messaging import MAC_BYTES
from card_layout.iso7816.status_words import StatusWord, describe
from card_layout.mrz import password_from_information
from card_layout.protocols.algorithms import (
    PaceAlgorithm,
    PaceMapping,
    SessionCipher,
    pace_algorithm,
)
from card_layout.protocols.chip_authentication_mapping import (
    ChipAuthenticationMapping,
    decrypt_chip_authentication_data,
)
from card_layout.protocols.generic_mapping import EphemeralKey, RandomScalar, map_generator
from card_layout.protocols.integrated_mapping import chip_nonce_bytes, integrate_nonces
from card_layout.protocols.session_keys import KeyPurpose, derive_key, open_session

__all__ = [
    "PaceFailedError",
    "PacePassword",
    "PaceResult",
    "PaceUnsupportedError",
    "PasswordState",
    "PasswordUnusableError",
    "WrongPasswordError",
    "authentication_token",
    "perform_pace",
    "unblock_pin",
]

_VERSION = 2
_COUNTER = 0xC0
_WARNING_COUNTER = 0x63C0
"""63Cx: the password is selected, and x tries are left."""
_DEACTIVATED = 0x6283
_BLOCKED = 0x6983
_NONCE_BYTES = {
    SessionCipher.AES_128: (16,),
    # The chip chooses a whole number of blocks (9303-11, 4.4.3.2); two make a nonce as long as the key.
    SessionCipher.AES_192: (16, 32),
    SessionCipher.AES_256: (16, 32),
}
_NO_INITIAL_VECTOR = bytes(16)


class PaceUnsupportedError(AccessError):
    """A PACEInfo that we do not speak: another mapping, cipher, version or domain."""

    default_code = "access.pace-unsupported"


class PaceFailedError(AccessError):
    """PACE broke off for another reason than the password."""

    default_code = "access.pace-failed"


class WrongPasswordError(AccessError):
    """The chip says that the password is not its own.

    ``tries_left`` is what a chip that counts says: with 1 the password is suspended, with 0 blocked; ``None`` where
    it does not count, and trying another one is always allowed. A wrong PIN is never retried by a machine.
    """

    default_code = "access.wrong-password"

    def __init__(self, message: str, *, tries_left: int | None = None) -> None:
        super().__init__(message)
        self.tries_left = tries_left


@unique
class PasswordState(Enum):
    """Why a chip takes no try of a PIN or PUK (TR-03110-3, B.11.1)."""

    SUSPENDED = "access.password-suspended"
    """One try is left, and only for somebody who also opens the chip with the CAN in the same session."""
    BLOCKED = "access.password-blocked"
    DEACTIVATED = "access.password-deactivated"


class PasswordUnusableError(AccessError):
    """The chip takes no try of this password in its ``state``; none was spent."""

    def __init__(self, state: PasswordState) -> None:
        super().__init__(f"the password is {state.name.lower()}", code=state.value)
        self.state = state


@dataclass(frozen=True, slots=True, kw_only=True)
class PacePassword:
    """A password as PACE takes it (SPEC.md, 5.1); made by ``can`` or ``mrz``."""

    reference: PasswordReference
    secret: bytes = field(repr=False)

    @classmethod
    def can(cls, digits: str) -> Self:
        """The card access number printed on the card.

        Raises:
            CardDataError: not six digits; code ``access.password-malformed``.
        """
        if not re.fullmatch("[0-9]{6}", digits):
            raise CardDataError(
                f"the card access number has {len(digits)} characters, or others than digits, expected 6 digits",
                code="access.password-malformed",
            )
        return cls(reference=PasswordReference.CAN, secret=digits.encode("ascii"))

    @classmethod
    def mrz(cls, information: str) -> Self:
        """The MRZ information of 24 characters (SPEC.md, 3.6).

        Raises:
            MrzError: not a number and two dates with their check digits.
        """
        return cls(reference=PasswordReference.MRZ, secret=password_from_information(information))

    @classmethod
    def pin(cls, digits: str) -> Self:
        """The holder's PIN of 5 to 16 digits; the chip counts wrong ones (SPEC.md, 5.10).

        Raises:
            CardDataError: other than digits, or another number of them; code ``access.password-malformed``.
        """
        return cls(reference=PasswordReference.PIN, secret=_secret_digits("PIN", digits, 5))

    @classmethod
    def puk(cls, digits: str) -> Self:
        """The PUK of 8 to 16 digits, which unblocks the PIN.

        Raises:
            CardDataError: other than digits, or another number of them; code ``access.password-malformed``.
        """
        return cls(reference=PasswordReference.PUK, secret=_secret_digits("PUK", digits, 8))

    @property
    def is_counted(self) -> bool:
        """Whether the chip counts wrong tries, and may block the password."""
        return self.reference in (PasswordReference.PIN, PasswordReference.PUK)


def _secret_digits(name: str, digits: str, least: int) -> bytes:
    if not re.fullmatch(f"[0-9]{{{least},16}}", digits):
        raise CardDataError(
            f"the {name} has {len(digits)} characters, or others than digits, expected {least} to 16 digits",
            code="access.password-malformed",
        )
    return digits.encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceResult:
    """How the card was opened: evidence for the checks that follow."""

    pace_info: PaceInfo
    password: PasswordReference
    curve: NamedCurve
    algorithm: PaceAlgorithm
    chip_public_key: bytes = field(repr=False)
    own_public_key: bytes = field(repr=False)
    """The ephemeral keys of the agreement, uncompressed points: terminal authentication binds itself to them."""
    chip_authentication_mapping: ChipAuthenticationMapping | None = field(default=None, repr=False)
    """With chip-authentication mapping: what remains to be compared with the chip's signed key."""


def perform_pace(
    channel: CardChannel,
    *,
    pace_info: PaceInfo,
    password: PacePassword,
    random_scalar: RandomScalar | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> PaceResult:
    """Open a card that was just reset; on success the channel has a secure messaging session.

    With a session opened by the CAN, PACE with a suspended PIN runs inside it, and replaces it (SPEC.md, 5.10).

    ``random_scalar`` gives the one-time private keys, first that of the mapping, then that of the agreement, where
    they are not drawn at random; ``random_bytes`` the terminal's nonce of integrated mapping, which has no key of its own.

    Raises:
        PaceUnsupportedError: the info is not one that we speak; nothing was sent.
        WrongPasswordError: the chip rejected our token.
        PasswordUnusableError: the PIN or PUK is suspended, blocked or deactivated; no try was spent.
        PaceFailedError: anything else that the chip did against the protocol.
        ReadingLimitError: a bound of the channel was reached.
        TransportError: the exchange broke off.
    """
    curve, algorithm = _supported_parameters(pace_info)
    outer_session = channel.session
    try:
        return _perform(channel, pace_info, password, curve, algorithm, random_scalar, random_bytes)
    except CardError:
        # A failed PACE ends the session that it ran in as well (SPEC.md, 5.5).
        if outer_session is not None:
            outer_session.end()
        raise


def _perform(  # noqa: PLR0917 - what perform_pace was given, and what it made of it
    channel: CardChannel,
    pace_info: PaceInfo,
    password: PacePassword,
    curve: NamedCurve,
    algorithm: PaceAlgorithm,
    random_scalar: RandomScalar | None,
    random_bytes: Callable[[int], bytes],
) -> PaceResult:
    cipher = algorithm.cipher
    protocol = der.encode_object_identifier(pace_info.protocol)
    try:
        _select_password(
            channel,
            commands.set_authentication_template_for_pace(
                protocol=protocol, password=password.reference, parameter_id=pace_info.parameter_id
            ),
            password,
        )
        nonce = _decrypt_nonce(_exchange(channel, b"", expected_tag=0x80), password, algorithm)
        mapping_public_key = None
        if algorithm.mapping is PaceMapping.INTEGRATED:
            generator = _integrate(channel, curve, cipher, nonce, random_bytes(cipher.key_bytes))
        else:
            mapping_key = EphemeralKey.draw(curve, random_scalar)
            mapping_public_key, generator = _map(channel, mapping_key, nonce)
        agreement_key = EphemeralKey.draw(curve, random_scalar)
        own_public_key = agreement_key.multiply(generator)
        card_public_key = _exchange(channel, tlv.encode(0x83, own_public_key), expected_tag=0x84)
        _require_other_point(curve, card_public_key, own_public_key)
        shared_secret = agreement_key.shared_x(card_public_key)
    except CurveError as error:
        raise PaceFailedError(f"the chip sent a key that cannot be used: {error}") from error
    except CardRefusedError as error:
        raise PaceFailedError(f"the chip broke off PACE: {error}") from error
    mac_key = derive_key(shared_secret, KeyPurpose.MAC, cipher)
    card_token, encrypted_data = _exchange_tokens(
        channel,
        authentication_token(mac_key, protocol, card_public_key),
        with_data=algorithm.mapping is PaceMapping.CHIP_AUTHENTICATION,
    )
    if not hmac.compare_digest(card_token, authentication_token(mac_key, protocol, own_public_key)):
        raise PaceFailedError("the chip's authentication token is wrong")
    mapping = None
    if encrypted_data is not None and mapping_public_key is not None:
        encryption_key = derive_key(shared_secret, KeyPurpose.ENCRYPTION, cipher)
        mapping = _chip_authentication_mapping(
            curve, mapping_public_key, encryption_key, encrypted_data
        )
    channel.session = open_session(shared_secret, cipher)
    return PaceResult(
        pace_info=pace_info,
        password=password.reference,
        curve=curve,
        algorithm=algorithm,
        chip_public_key=card_public_key,
        own_public_key=own_public_key,
        chip_authentication_mapping=mapping,
    )


def authentication_token(mac_key: bytes, protocol: bytes, public_key: bytes) -> bytes:
    """AES-CMAC over the other side's public key as a data object, 8 bytes (9303-11, 4.4.3.4)."""
    mac = CMAC(AES(mac_key))
    mac.update(tlv.encode(0x7F49, tlv.encode(0x06, protocol) + tlv.encode(0x86, public_key)))
    return mac.finalize()[:MAC_BYTES]


def _supported_parameters(pace_info: PaceInfo) -> tuple[NamedCurve, PaceAlgorithm]:
    algorithm = pace_algorithm(pace_info.protocol)
    if algorithm is None:
        raise PaceUnsupportedError(
            f"got PACE protocol {pace_info.protocol}, expected ECDH with a mapping and AES that we speak"
        )
    if pace_info.version != _VERSION:
        raise PaceUnsupportedError(f"got PACE version {pace_info.version}, expected {_VERSION}")
    if pace_info.parameter_id is None:
        raise PaceUnsupportedError("PACE uses domain parameters of its own, expected standard ones")
    try:
        return curve_for_pace_parameter(pace_info.parameter_id), algorithm
    except CurveError as error:
        raise PaceUnsupportedError(str(error)) from error


def _select_password(channel: CardChannel, command: CommandApdu, password: PacePassword) -> None:
    """MSE:Set AT, whose answer tells the state of a password that the chip counts."""
    if not password.is_counted:
        channel.require(command)
        return
    status_word = channel.transmit(command).status_word
    if status_word == _DEACTIVATED:
        raise PasswordUnusableError(PasswordState.DEACTIVATED)
    if status_word in (_WARNING_COUNTER, _BLOCKED):
        raise PasswordUnusableError(PasswordState.BLOCKED)
    if status_word == _WARNING_COUNTER + 1:
        if channel.session is None:
            raise PasswordUnusableError(PasswordState.SUSPENDED)
        return
    if status_word != StatusWord.SUCCESS and status_word & 0xFFF0 != _WARNING_COUNTER:
        raise CardRefusedError("the card refused the password", status_word=status_word)


def unblock_pin(channel: CardChannel) -> None:
    """Let the PIN's counter begin again, in a session opened by the PUK (TR-03110-3, B.11.8).

    Raises:
        AccessError: there is no session.
        CardRefusedError: the chip does not do it, for instance because the PUK may not be used any more.
    """
    if channel.session is None:
        raise AccessError("unblocking the PIN needs a session opened by the PUK, got none")
    channel.require(commands.reset_retry_counter(PasswordReference.PIN))


def _decrypt_nonce(encrypted: bytes, password: PacePassword, algorithm: PaceAlgorithm) -> bytes:
    cipher = algorithm.cipher
    expected = _NONCE_BYTES[cipher]
    if algorithm.mapping is PaceMapping.INTEGRATED:
        expected = (chip_nonce_bytes(cipher),)
    if len(encrypted) not in expected:
        raise PaceFailedError(
            f"the encrypted nonce has {len(encrypted)} bytes, "
            f"expected {' or '.join(map(str, expected))}"
        )
    key = derive_key(password.secret, KeyPurpose.PASSWORD, cipher)
    decryptor = Cipher(AES(key), CBC(_NO_INITIAL_VECTOR)).decryptor()
    return decryptor.update(encrypted) + decryptor.finalize()


def _integrate(
    channel: CardChannel,
    curve: NamedCurve,
    cipher: SessionCipher,
    chip_nonce: bytes,
    terminal_nonce: bytes,
) -> bytes:
    """Integrated mapping: the terminal sends a nonce, and the chip only says that it has it."""
    answer = _exchange(channel, tlv.encode(0x81, terminal_nonce), expected_tag=0x82)
    if answer:
        raise PaceFailedError(f"the chip's mapping data have {len(answer)} bytes, expected none")
    return integrate_nonces(curve, cipher, chip_nonce=chip_nonce, terminal_nonce=terminal_nonce)


def _map(channel: CardChannel, own_key: EphemeralKey, nonce: bytes) -> tuple[bytes, bytes]:
    """Generic mapping: the chip's public key of it, and the mapped generator."""
    own_point = own_key.public_point()
    card_point = _exchange(channel, tlv.encode(0x81, own_point), expected_tag=0x82)
    _require_other_point(own_key.curve, card_point, own_point)
    shared_point = own_key.multiply(card_point)
    return card_point, map_generator(own_key.curve, nonce=nonce, shared_point=shared_point)


def _require_other_point(curve: NamedCurve, card_point: bytes, own_point: bytes) -> None:
    """9303-11, 4.4.1: each side checks that the public keys differ, and that the other's is on the curve."""
    decode_point(curve, card_point)
    if card_point == own_point:
        raise PaceFailedError("the chip sent our own public key back")


def _exchange(channel: CardChannel, objects: bytes, *, expected_tag: int) -> bytes:
    command = commands.general_authenticate(objects, is_last=False)
    return _dynamic_object(channel.require(command), expected_tag)


def _chip_authentication_mapping(
    curve: NamedCurve, mapping_public_key: bytes, encryption_key: bytes, encrypted: bytes
) -> ChipAuthenticationMapping:
    try:
        data = decrypt_chip_authentication_data(encryption_key, encrypted, curve)
    except CardDataError as error:
        raise PaceFailedError(str(error)) from error
    return ChipAuthenticationMapping(curve=curve, mapping_public_key=mapping_public_key, data=data)


def _exchange_tokens(
    channel: CardChannel, own_token: bytes, *, with_data: bool
) -> tuple[bytes, bytes | None]:
    """The chip's token, and ``with_data`` its encrypted chip authentication data."""
    response = channel.transmit(commands.general_authenticate(tlv.encode(0x85, own_token)))
    # 63Cx comes from chips that count tries of a password which they can block.
    if response.status_word >> 8 == StatusWord.AUTHENTICATION_FAILED >> 8:
        counter = response.status_word & 0xFF
        raise WrongPasswordError(
            f"the chip does not accept the password: status word {response.status_word:04X}",
            tries_left=counter & 0x0F if counter >> 4 == _COUNTER >> 4 else None,
        )
    if response.status_word != StatusWord.SUCCESS:
        raise PaceFailedError(
            f"the chip broke off PACE ({describe(response.status_word)}): "
            f"status word {response.status_word:04X}"
        )
    if not with_data:
        return _dynamic_object(response.data, 0x86), None
    token, encrypted = _dynamic_objects(response.data, (0x86, 0x8A))
    return token, encrypted


def _dynamic_object(data: bytes, expected_tag: int) -> bytes:
    """The one object in ``[7C]``."""
    (value,) = _dynamic_objects(data, (expected_tag,))
    return value


def _dynamic_objects(data: bytes, expected_tags: tuple[int, ...]) -> tuple[bytes, ...]:
    """The objects in ``[7C]``, which are these in this order."""
    try:
        objects = tlv.parse_all(tlv.parse(data, expected_tag=0x7C).value)
    except tlv.TlvError as error:
        raise PaceFailedError(f"the chip's authentication data are malformed: {error}") from error
    found = tuple(item.tag for item in objects)
    if found != expected_tags:
        raise PaceFailedError(
            f"the chip's authentication data hold tags {[f'{tag:02X}' for tag in found[:4]]}, "
            f"expected {[f'{tag:02X}' for tag in expected_tags]}"
        )
    return tuple(item.value for item in objects)
