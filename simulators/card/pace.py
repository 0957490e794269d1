"""PACE over elliptic curves, card's end (9303-11, 4.4; SPEC.md, 5.2)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from cryptography.hazmat.primitives.constant_time import bytes_eq

from card_layout import tlv
from card_layout.curves import NamedCurve
from simulators.card.aes import BLOCK, cmac, encrypt_block, encrypt_cbc, pad
from simulators.card.integrated_mapping import map_nonces, nonce_bytes
from simulators.card.pace_offers import Mapping, PaceOffer
from simulators.card.points import Point, PointError
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.session_cipher import (
    CHECKSUM_BYTES,
    ENCRYPTION,
    MAC,
    PASSWORD,
    derive_key,
    key_bytes,
    open_cipher,
)
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_template
from simulators.image import EcKey, SessionAlgorithm

__all__ = [
    "PaceExchange",
    "encrypt_chip_authentication_data",
    "mrz_secret",
    "password_key",
    "random_scalar",
]

_DYNAMIC_AUTHENTICATION = 0x7C


class _Step(Enum):
    """What the terminal must send next."""

    NONCE = auto()
    MAP = auto()
    AGREE = auto()
    TOKEN = auto()
    OVER = auto()


@dataclass(slots=True)
class PaceExchange:
    """One run of PACE: four GENERAL AUTHENTICATE; whatever it refuses ends it, and the caller drops the object.

    ``chip_key`` is the key that chip authentication mapping proves, on the curve of the offer.
    """

    offer: PaceOffer
    password_key: bytes = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)
    chip_key: EcKey | None = field(default=None, repr=False)
    _step: _Step = field(default=_Step.NONCE, init=False)
    _nonce: bytes = field(default=b"", init=False, repr=False)
    _generator: Point | None = field(default=None, init=False, repr=False)
    _mapping_scalar: int = field(default=0, init=False, repr=False)
    _shared_secret: bytes = field(default=b"", init=False, repr=False)
    _own_public: bytes = field(default=b"", init=False, repr=False)
    _other_public: bytes = field(default=b"", init=False, repr=False)

    @property
    def expects_last(self) -> bool:
        """Whether the next command is the last one, which has no chaining bit (9303-11, 4.4.4)."""
        return self._step is _Step.TOKEN

    def answer(self, data: bytes) -> bytes:
        """The data field of the answer to the next GENERAL AUTHENTICATE.

        Raises:
            Refused: 6A80 where the data or a point is wrong, 6300 where the token is.
        """
        match self._step:
            case _Step.NONCE:
                objects = self._give_nonce(data)
            case _Step.MAP:
                objects = self._map(data)
            case _Step.AGREE:
                objects = self._agree(data)
            case _Step.TOKEN:
                objects = self._confirm(data)
            case _Step.OVER:
                raise Refused(StatusWord.CONDITIONS_OF_USE)
        return tlv.encode(_DYNAMIC_AUTHENTICATION, objects)

    def secure_messaging(self) -> SecureMessaging:
        """The session that a successful run opens."""
        return SecureMessaging(open_cipher(self._shared_secret, self.offer.algorithm))

    @property
    def proves_chip(self) -> bool:
        """Whether a successful run is chip authentication at once (9303-11, 4.4.3.5)."""
        return self.offer.mapping is Mapping.CHIP_AUTHENTICATION and self.chip_key is not None

    @property
    def own_key(self) -> bytes:
        """The chip's ephemeral key of the agreement, compressed: its x coordinate (TR-03110-3, A.2.2.3)."""
        return _compress(self._own_public)

    @property
    def other_key(self) -> bytes:
        """The terminal's ephemeral key of the agreement, compressed."""
        return _compress(self._other_public)

    def _give_nonce(self, data: bytes) -> bytes:
        read_template(data, _DYNAMIC_AUTHENTICATION, required=())
        is_integrated = self.offer.mapping is Mapping.INTEGRATED
        size = nonce_bytes(key_bytes(self.offer.algorithm)) if is_integrated else BLOCK
        self._nonce = self.random(size)
        self._step = _Step.MAP
        return tlv.encode(0x80, encrypt_cbc(self.password_key, self._nonce))

    def _map(self, data: bytes) -> bytes:
        """The new generator (9303-11, 4.4.3.3), and what the terminal needs for it."""
        encoded = read_template(data, _DYNAMIC_AUTHENTICATION, required=(0x81,))[0x81]
        is_integrated = self.offer.mapping is Mapping.INTEGRATED
        try:
            answer = self._map_integrated(encoded) if is_integrated else self._map_generic(encoded)
        except PointError as error:
            raise Refused(StatusWord.WRONG_DATA) from error
        self._step = _Step.AGREE
        return tlv.encode(0x82, answer)

    def _map_integrated(self, other_nonce: bytes) -> bytes:
        """Nothing is given back: both sides compute alone (9303-11, 4.4.3.3.2)."""
        if len(other_nonce) != key_bytes(self.offer.algorithm):
            raise Refused(StatusWord.WRONG_DATA)
        self._generator = map_nonces(self.offer.curve, self._nonce, other_nonce)
        return b""

    def _map_generic(self, encoded: bytes) -> bytes:
        """The nonce times G, plus H (9303-11, 4.4.3.3.1); chip authentication mapping does the same and proves the scalar later."""
        generator = Point.generator(self.offer.curve)
        self._mapping_scalar = random_scalar(self.offer.curve, self.random)
        own = generator.times(self._mapping_scalar)
        shared = self._read_point(encoded, own).times(self._mapping_scalar)
        self._generator = generator.times(int.from_bytes(self._nonce, "big")).plus(shared)
        return own.to_bytes()

    def _agree(self, data: bytes) -> bytes:
        """Key agreement on the mapped generator, and the session keys (9303-11, 4.4.3.1 and 9.7)."""
        encoded = read_template(data, _DYNAMIC_AUTHENTICATION, required=(0x83,))[0x83]
        if self._generator is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        private = random_scalar(self.offer.curve, self.random)
        try:
            own = self._generator.times(private)
            self._shared_secret = self._read_point(encoded, own).times(private).x_bytes()
        except PointError as error:
            raise Refused(StatusWord.WRONG_DATA) from error
        self._own_public, self._other_public = own.to_bytes(), encoded
        self._step = _Step.TOKEN
        return tlv.encode(0x84, self._own_public)

    def _confirm(self, data: bytes) -> bytes:
        """Both tokens; each side authenticates the other's public key (9303-11, 4.4.3.4)."""
        token = read_template(data, _DYNAMIC_AUTHENTICATION, required=(0x85,))[0x85]
        if not bytes_eq(token, self._token(self._own_public)):
            raise Refused(StatusWord.AUTHENTICATION_FAILED)
        self._step = _Step.OVER
        answer = tlv.encode(0x86, self._token(self._other_public))
        if self.proves_chip and self.chip_key is not None:
            key = derive_key(self._shared_secret, ENCRYPTION, self.offer.algorithm)
            encrypted = encrypt_chip_authentication_data(key, self.chip_key, self._mapping_scalar)
            answer += tlv.encode(0x8A, encrypted)
        return answer

    def _read_point(self, encoded: bytes, own: Point) -> Point:
        point = Point.from_bytes(self.offer.curve, encoded)
        if point == own:
            raise PointError("the terminal sent back the card's own key")
        return point

    def _token(self, public_key: bytes) -> bytes:
        authenticated = tlv.encode(0x06, self.offer.protocol) + tlv.encode(0x86, public_key)
        key = derive_key(self._shared_secret, MAC, self.offer.algorithm)
        return cmac(key, tlv.encode(0x7F49, authenticated))[:CHECKSUM_BYTES]


def _compress(encoded: bytes) -> bytes:
    """The x coordinate of 04 || X || Y."""
    return encoded[1 : 1 + len(encoded) // 2]


def encrypt_chip_authentication_data(key: bytes, chip_key: EcKey, mapping_scalar: int) -> bytes:
    """What proves the chip's key: the mapping's private key over the chip's own (9303-11, 4.4.3.5)."""
    order = chip_key.curve.n
    data = pow(chip_key.private_scalar, -1, order) * mapping_scalar % order
    iv = encrypt_block(key, b"\xff" * BLOCK)
    return encrypt_cbc(key, pad(data.to_bytes((order.bit_length() + 7) // 8, "big")), iv=iv)


def mrz_secret(information: str) -> bytes:
    """What stands for the MRZ as a password (9303-11, 9.7.3)."""
    return hashlib.sha1(information.encode("ascii")).digest()  # noqa: S324 -- fixed by 9303-11


def password_key(secret: bytes, algorithm: SessionAlgorithm) -> bytes:
    """The key that encrypts the nonce under a password."""
    return derive_key(secret, PASSWORD, algorithm)


def random_scalar(curve: NamedCurve, random: Callable[[int], bytes]) -> int:
    """A private key: uniform between 1 and the order less one, by drawing again what does not fit."""
    size = (curve.n.bit_length() + 7) // 8
    surplus_bits = 8 * size - curve.n.bit_length()
    while True:
        scalar = int.from_bytes(random(size), "big") >> surplus_bits
        if 1 <= scalar < curve.n:
            return scalar
