"""The three keys of a chip's personalisation channel (SPEC.md 8.2)."""

from dataclasses import dataclass, field

from issuer.domain.chip import (
    KEY_VERSION_PERSONALISATION,
    KEY_VERSION_TRANSPORT,
    LAST_KEY_VERSION_PERSONALISATION,
    is_personalisation_version,
)
from issuer.errors import IssuerRefusedError

__all__ = ["ChipKeySet", "WrongKeyTries", "key_label"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongKeyTries:
    """How often in a row a chip was given wrong keys, and how often it may be before it ends for good."""

    used: int
    limit: int

    def require_more_than_one(self) -> None:
        """Leave a chip alone that has one try left: no machine makes the attempt that may end it.

        Raises:
            IssuerRefusedError: ``personalisation.last-try``.
        """
        if self.used >= self.limit - 1:
            raise IssuerRefusedError(
                f"{self} with wrong keys: the next wrong one ends the chip, so no station tries",
                code="personalisation.last-try",
            )

    def __str__(self) -> str:
        return f"{self.used} of {self.limit} tries used"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipKeySet:
    """AES keys ENC, MAC and DEK of one chip under one key version, all of 16, 24 or 32 bytes."""

    key_version: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)


def key_label(key_version: int) -> bytes:
    """The first words of the derivation label for keys of this version; the key's name follows.

    Raises:
        IssuerRefusedError: the version is neither the transport keys' nor ours
            (``personalisation.key-version``).
    """
    if key_version == KEY_VERSION_TRANSPORT:
        return b"membercard transport"
    if is_personalisation_version(key_version):
        return b"membercard personalisation"
    raise IssuerRefusedError(
        f"the chip holds keys of version {key_version:02X}, expected {KEY_VERSION_TRANSPORT:02X} or "
        f"{KEY_VERSION_PERSONALISATION:02X} to {LAST_KEY_VERSION_PERSONALISATION:02X}",
        code="personalisation.key-version",
    )
