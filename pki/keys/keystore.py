"""The port to a keystore: signing keys and master keys by name, which never come out (SPEC.md, 8.2)."""

import re
from typing import Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout.curves import NamedCurve
from pki.errors import KeystoreError
from pki.keys.signer import Signer

__all__ = [
    "CHECK_VALUE_BYTES",
    "MASTER_KEY_BYTES",
    "RSA_KEY_BITS",
    "RSA_PUBLIC_EXPONENT",
    "AgreementKeystore",
    "Keystore",
    "check_key_id",
    "check_master_key",
    "check_rsa_bits",
    "kdf_blocks",
    "master_key_check_value",
]

MASTER_KEY_BYTES = 32
"""A master key is an AES-256 key."""

RSA_KEY_BITS = (3072, 4096)
"""The lengths of RSA keys that are made; the shortest is as strong as P-256."""

RSA_PUBLIC_EXPONENT = 65537

CHECK_VALUE_BYTES = 5
"""A check value of an AES key has five bytes (ANSI X9.24-1)."""

_BLOCK_BYTES = 16
_MAX_DERIVED_BYTES = 64
_KEY_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")


@runtime_checkable
class Keystore(Protocol):
    """Holds private and master keys; key identifiers are lower-case words like ``ds-1``."""

    def create_signing_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """Generate a private key that can sign and cannot be taken out.

        Raises:
            KeystoreError: ``keystore.key-exists``, ``keystore.key-id-invalid``, or the token failed.
        """

    def create_rsa_signing_key(self, *, key_id: str, bits: int) -> None:
        """Generate an RSA private key of ``bits`` (3072 or 4096) that signs with RSASSA-PSS.

        Raises:
            KeystoreError: as ``create_signing_key``; ``keystore.key-invalid`` for another length.
        """

    def signer(self, key_id: str) -> Signer:
        """The private key to sign with.

        Raises:
            KeystoreError: ``keystore.key-unknown``, ``keystore.key-damaged``.
        """

    def create_master_key(self, *, key_id: str) -> None:
        """Draw a 32-byte master key that can derive and cannot be taken out.

        Raises:
            KeystoreError: as ``create_signing_key``.
        """

    def import_master_key(self, *, key_id: str, value: bytes) -> None:
        """Take in a 32-byte master key that somebody else drew.

        Raises:
            KeystoreError: as ``create_signing_key``; ``keystore.key-invalid`` for another length.
        """

    def derive(self, key_id: str, *, label: bytes, context: bytes, length: int) -> bytes:
        """A key of ``length`` bytes (1-64) derived from a master key (NIST SP 800-108; SPEC.md, 8.2).

        Raises:
            KeystoreError: ``keystore.key-unknown``, ``keystore.derivation-invalid``.
        """

    def key_ids(self) -> tuple[str, ...]:
        """Every key held, signing and master keys together, in alphabetical order."""

    def destroy(self, key_id: str) -> None:
        """Destroy a key for good.

        Raises:
            KeystoreError: ``keystore.key-unknown``.
        """

    def close(self) -> None:
        """Let go of token and secrets; closing twice is harmless."""


@runtime_checkable
class AgreementKeystore(Keystore, Protocol):
    """A keystore that also tells check values of master keys, and holds keys that others seal to."""

    def check_value(self, key_id: str) -> bytes:
        """What names a master key's value without telling it: 5 bytes (``master_key_check_value``).

        Raises:
            KeystoreError: ``keystore.key-unknown``, ``keystore.key-damaged``.
        """

    def create_agreement_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """Generate a private key for ECDH that cannot be taken out; it signs the request for its certificate, too.

        Raises:
            KeystoreError: as ``create_signing_key``.
        """

    def agree(self, key_id: str, public_key: ec.EllipticCurvePublicKey) -> bytes:
        """The shared secret of ECDH with somebody's public key on the same curve: the x coordinate.

        Raises:
            KeystoreError: ``keystore.key-unknown``, ``keystore.key-invalid`` for a key on another curve.
        """

    def random_bytes(self, count: int) -> bytes:
        """So many bytes of the generator that also draws the keys.

        Raises:
            KeystoreError: the token failed (``keystore.token-failed``).
        """


def master_key_check_value(value: bytes) -> bytes:
    """The first five bytes of AES-CMAC over sixteen zero bytes (ANSI X9.24-1), for a key that is at hand.

    Raises:
        KeystoreError: ``keystore.key-invalid`` for a key of another length.
    """
    mac = CMAC(AES(check_master_key(value)))
    mac.update(bytes(_BLOCK_BYTES))
    return mac.finalize()[:CHECK_VALUE_BYTES]


def check_key_id(key_id: str) -> str:
    """The identifier itself, once it is known to be a plain word that is safe as a file name.

    Raises:
        KeystoreError: ``keystore.key-id-invalid``.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise KeystoreError(
            f"key identifier is {key_id[:80]!r}, expected 1 to 64 characters a-z, 0-9, hyphen and full stop",
            code="keystore.key-id-invalid",
        )
    return key_id


def check_master_key(value: bytes) -> bytes:
    """The master key itself, once it has the right length.

    Raises:
        KeystoreError: ``keystore.key-invalid``.
    """
    if len(value) != MASTER_KEY_BYTES:
        raise KeystoreError(
            f"master key has {len(value)} bytes, expected {MASTER_KEY_BYTES}",
            code="keystore.key-invalid",
        )
    return value


def check_rsa_bits(bits: int) -> int:
    """The length itself, once it is one that is made.

    Raises:
        KeystoreError: ``keystore.key-invalid``.
    """
    if bits not in RSA_KEY_BITS:
        raise KeystoreError(
            f"RSA key would have {bits} bits, expected one of {RSA_KEY_BITS}",
            code="keystore.key-invalid",
        )
    return bits


def kdf_blocks(*, label: bytes, context: bytes, length: int) -> tuple[bytes, ...]:
    """What AES-CMAC runs over, one input for every 16 derived bytes (NIST SP 800-108r1, 4.1; SPEC.md, 8.2).

    ``[i] || Label || 00 || Context || [L]`` with a counter i and a length L in bits of four bytes each.

    Raises:
        KeystoreError: ``keystore.derivation-invalid`` for a length other than 1 to 64 bytes.
    """
    if not 1 <= length <= _MAX_DERIVED_BYTES:
        raise KeystoreError(
            f"derived length is {length} bytes, expected 1 to {_MAX_DERIVED_BYTES}",
            code="keystore.derivation-invalid",
        )
    if b"\x00" in label:
        raise KeystoreError(
            "label of a derived key holds a zero byte, which is what ends it",
            code="keystore.derivation-invalid",
        )
    rest = label + b"\x00" + context + (8 * length).to_bytes(4, "big")
    count = (length + _BLOCK_BYTES - 1) // _BLOCK_BYTES
    return tuple(counter.to_bytes(4, "big") + rest for counter in range(1, count + 1))
