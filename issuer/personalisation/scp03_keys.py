"""Keys of the personalisation channel: static ones, those of a session, and how keys travel (SPEC.md, 8.1 to 8.3).

Sources: GlobalPlatform Card Specification 2.3.1 and its Amendment D ("SCP03"), 4.1.5, 6.2 and 7.2.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout.errors import CardDataError

__all__ = [
    "KEY_LENGTHS",
    "Scp03Keys",
    "Scp03Mode",
    "SessionKeys",
    "key_check_value",
    "key_data",
]

KEY_LENGTHS = (16, 24, 32)
"""The lengths of AES keys, in bytes."""

_BLOCK = 16
_KEY_TYPE_AES = 0x88
_NO_INITIAL_VECTOR = bytes(_BLOCK)


class Scp03Mode(Enum):
    """How long challenges, cryptograms and MACs are; the chip tells it by bit 1 of ``i`` (SCP03, 5.1)."""

    S8 = 0x60
    S16 = 0x61

    @property
    def size(self) -> int:
        """Bytes of a challenge, a cryptogram and a MAC."""
        return 16 if self is Scp03Mode.S16 else 8

    @property
    def options(self) -> int:
        """The parameter ``i``: with random card challenge, R-MAC and R-ENC."""
        return self.value


class _Derivation(IntEnum):
    """Data derivation constants (SCP03, 4.1.5)."""

    CARD_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    ENC = 0x04
    MAC = 0x06
    RMAC = 0x07


@dataclass(frozen=True, slots=True, kw_only=True)
class Scp03Keys:
    """The three static AES keys of one chip, all of one length."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("enc", "mac", "dek"):
            size = len(getattr(self, name))
            if size not in KEY_LENGTHS:
                raise CardDataError(f"key {name} has {size} bytes, expected 16, 24 or 32")
            if size != len(self.enc):
                raise CardDataError(f"key {name} has {size} bytes, expected {len(self.enc)} as enc")

    @property
    def length(self) -> int:
        """Bytes of each of the three."""
        return len(self.enc)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys:
    """S-ENC, S-MAC and S-RMAC of one session, each as long as the static key that it comes from."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    rmac: bytes = field(repr=False)
    context: bytes = field(repr=False)
    mode: Scp03Mode = Scp03Mode.S8

    @classmethod
    def derive(
        cls,
        keys: Scp03Keys,
        host_challenge: bytes,
        card_challenge: bytes,
        *,
        mode: Scp03Mode = Scp03Mode.S8,
    ) -> Self:
        """The session keys for one pair of challenges (SCP03, 6.2.1)."""
        context = host_challenge + card_challenge
        return cls(
            enc=_derive(keys.enc, _Derivation.ENC, context, len(keys.enc)),
            mac=_derive(keys.mac, _Derivation.MAC, context, len(keys.mac)),
            rmac=_derive(keys.mac, _Derivation.RMAC, context, len(keys.mac)),
            context=context,
            mode=mode,
        )

    def card_cryptogram(self) -> bytes:
        """What the chip must have answered (SCP03, 6.2.2.2)."""
        return _derive(self.mac, _Derivation.CARD_CRYPTOGRAM, self.context, self.mode.size)

    def host_cryptogram(self) -> bytes:
        """What the chip expects of us (SCP03, 6.2.2.3)."""
        return _derive(self.mac, _Derivation.HOST_CRYPTOGRAM, self.context, self.mode.size)


def key_check_value(key: bytes) -> bytes:
    """The first three bytes of AES over sixteen 01 (SPEC.md, 8.3)."""
    encryptor = Cipher(AES(key), CBC(_NO_INITIAL_VECTOR)).encryptor()
    return (encryptor.update(b"\x01" * _BLOCK) + encryptor.finalize())[:3]


def key_data(key: bytes, data_encryption_key: bytes) -> bytes:
    """One key in PUT KEY: type, length, length of the key, the key encrypted, its check value (SCP03, 7.2).

    A key of 24 bytes is filled up with zeros to whole blocks before it is encrypted.

    Raises:
        CardDataError: the key is stronger than the one that would protect it, or is no AES key.
    """
    if len(key) not in KEY_LENGTHS:
        raise CardDataError(f"key has {len(key)} bytes, expected 16, 24 or 32")
    if len(key) > len(data_encryption_key):
        raise CardDataError(
            f"a key of {len(key)} bytes would be protected by one of {len(data_encryption_key)} only",
            code="personalisation.key-strength",
        )
    encryptor = Cipher(AES(data_encryption_key), CBC(_NO_INITIAL_VECTOR)).encryptor()
    encrypted = encryptor.update(key + bytes(-len(key) % _BLOCK)) + encryptor.finalize()
    check_value = key_check_value(key)
    return (
        bytes((_KEY_TYPE_AES, len(encrypted) + 1, len(key)))
        + encrypted
        + bytes((len(check_value),))
        + check_value
    )


def _derive(key: bytes, constant: _Derivation, context: bytes, size: int) -> bytes:
    """SCP03, 4.1.5: SP 800-108 in counter mode with AES-CMAC, as many blocks as the length asks for."""
    derived = b""
    for counter in range(1, -(-size // _BLOCK) + 1):
        mac = CMAC(AES(key))
        mac.update(
            bytes((*bytes(11), constant, 0x00))
            + (8 * size).to_bytes(2, "big")
            + bytes((counter,))
            + context
        )
        derived += mac.finalize()
    return derived[:size]
