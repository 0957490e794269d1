"""The keys and passwords of a card image, as values."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from card_layout.curves import NamedCurve

__all__ = [
    "PIN_TRIES",
    "PUK_TRIES",
    "ActiveAuthenticationKey",
    "EcKey",
    "HashAlgorithm",
    "Keys",
    "PersonalisationKeys",
    "RsaKey",
    "Secrets",
    "SessionAlgorithm",
    "SigningEcKey",
]


PIN_TRIES = 3
"""How often in a row a wrong PIN may come; the last time only after the CAN."""

PUK_TRIES = 10
"""How often in a row a wrong PUK may come."""


class SessionAlgorithm(StrEnum):
    """What protects a session of the reading side (9303-11, 9.8)."""

    TRIPLE_DES = "3des"
    AES_128 = "aes-128"
    AES_192 = "aes-192"
    AES_256 = "aes-256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What opens the card: ``can`` has six digits, ``mrz_information`` 24 characters (SPEC.md, 3.6).

    ``basic_access_control`` lets the MRZ open it without PACE, too, as the variant ``dev-bac`` does.
    """

    can: str | None = field(default=None, repr=False)
    mrz_information: str | None = field(default=None, repr=False)
    wrong_passwords: int = 0
    basic_access_control: bool = False
    pin: str | None = field(default=None, repr=False)
    pin_tries_left: int = PIN_TRIES
    puk: str | None = field(default=None, repr=False)
    puk_tries_left: int = PUK_TRIES

    @property
    def are_set(self) -> bool:
        """Whether both passwords that every card has are there."""
        return self.can is not None and self.mrz_information is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class EcKey:
    """A private key of the chip; ``algorithms`` are those that chip authentication with it may lead to."""

    curve: NamedCurve
    private_scalar: int = field(repr=False)
    key_id: int
    algorithms: tuple[SessionAlgorithm, ...] = (SessionAlgorithm.AES_128,)


class HashAlgorithm(StrEnum):
    """What active authentication hashes with."""

    SHA_1 = "sha-1"
    SHA_224 = "sha-224"
    SHA_256 = "sha-256"
    SHA_384 = "sha-384"
    SHA_512 = "sha-512"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningEcKey:
    """The key of active authentication with ECDSA."""

    curve: NamedCurve
    private_scalar: int = field(repr=False)
    hash_algorithm: HashAlgorithm = HashAlgorithm.SHA_256


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaKey:
    """The key of active authentication with RSA, as older documents have it."""

    modulus: int
    private_exponent: int = field(repr=False)
    hash_algorithm: HashAlgorithm = HashAlgorithm.SHA_1


ActiveAuthenticationKey: TypeAlias = SigningEcKey | RsaKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalisationKeys:
    """The SCP03 keys of key version ``key_version``, and how many wrong authentications came in a row.

    The count is the card's: it stands with the first of its sets and is 0 with the others.
    """

    key_version: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)
    wrong_authentications: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All keys of the chip; ``challenge_bytes`` is 8, or 16 where its personalisation channel is of mode S16."""

    chip_authentication: tuple[EcKey, ...] = ()
    active_authentication: ActiveAuthenticationKey | None = None
    personalisation: PersonalisationKeys | None = None
    further_key_sets: tuple[PersonalisationKeys, ...] = ()
    challenge_bytes: int = 8
