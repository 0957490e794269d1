"""The three keys of a chip's personalisation channel (SPEC.md 8.2)."""

from dataclasses import dataclass, field

from issuer.domain.chip import KEY_VERSION_PERSONALISATION, KEY_VERSION_TRANSPORT
from issuer.errors import IssuerRefusedError

__all__ = ["ChipKeySet", "key_label"]

_LABELS = {
    KEY_VERSION_TRANSPORT: b"membercard transport",
    KEY_VERSION_PERSONALISATION: b"membercard personalisation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipKeySet:
    """AES-128 keys ENC, MAC and DEK of one chip under one key version."""

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
    try:
        return _LABELS[key_version]
    except KeyError:
        raise IssuerRefusedError(
            f"the chip holds keys of version {key_version:02X}, expected "
            f"{KEY_VERSION_TRANSPORT:02X} or {KEY_VERSION_PERSONALISATION:02X}",
            code="personalisation.key-version",
        ) from None
