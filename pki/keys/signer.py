"""The port to one private key: everything that signs takes it, wherever the key lives."""

from typing import Protocol, runtime_checkable

from pki.keys.algorithms import PublicKey, SignatureAlgorithm

__all__ = ["Signer"]


@runtime_checkable
class Signer(Protocol):
    """One private key that can sign and never shows itself."""

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The one algorithm that this key signs with."""

    @property
    def public_key(self) -> PublicKey:
        """The public half."""

    def sign(self, message: bytes) -> bytes:
        """Hash and sign ``message``; an ECDSA signature is a DER ``ECDSA-Sig-Value`` (RFC 3279, 2.2.3).

        Raises:
            KeystoreError: the key or its token failed.
        """
