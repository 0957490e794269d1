"""One key, one certificate: a key that somebody has already is nobody else's.

Two people with one key would be one person, and a token that draws a key twice has no randomness.
"""

from collections.abc import Iterator
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.certificates.certificate import load_certificate
from pki.errors import PkiRefusedError
from pki.keys.algorithms import PublicKey
from pki.services.state import PkiState

__all__ = ["check_key_is_new"]


def check_key_is_new(public_key: PublicKey, state: PkiState) -> None:
    """Whether no certificate of this home is for the key, whatever it is a certificate of.

    Raises:
        PkiRefusedError: ``key.duplicate``.
    """
    sought = _encoded(public_key)
    is_known = any(_key_of(certificate) == sought for certificate in _certificates(state))
    if not is_known and isinstance(public_key, ec.EllipticCurvePublicKey):
        point = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        is_known = any(record.point == point for record in state.card_verifiable.records)
    if is_known:
        raise PkiRefusedError(
            "there is a certificate for this key already",
            code="key.duplicate",
            hint="make a new key: one that two people or two purposes share belongs to neither",
        )


def _certificates(state: PkiState) -> Iterator[bytes]:
    authorisations = state.authorisations
    found: list[bytes | None] = [state.service_authority_certificate, *authorisations.roots]
    found += [record.certificate for record in state.authorities.values()]
    found += [record.certificate for record in state.signers.values()]
    found += [record.certificate for record in state.services.values()]
    found += [record.certificate for record in authorisations.operators.values()]
    return (certificate for certificate in found if certificate is not None)


@lru_cache(maxsize=16384)
def _key_of(certificate: bytes) -> bytes:
    return _encoded(load_certificate(certificate).public_key)


def _encoded(public_key: PublicKey) -> bytes:
    """The key in one encoding, however a certificate writes its curve down."""
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
