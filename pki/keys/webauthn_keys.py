"""Public keys of WebAuthn credentials: which algorithms are taken, what is checked of a key, and signatures by it."""

from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from pki.errors import PkiRefusedError
from pki.keys.weak_keys import weakness_of

__all__ = ["CoseAlgorithm", "WebauthnPublicKey", "check_webauthn_key", "verify_webauthn_signature"]

WebauthnPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

_RSA_BITS: Final = (2048, 3072, 4096)
_LEAST_RSA_EXPONENT: Final = 65537
_SIGN_BIT: Final = 1 << 255
_FIELD: Final = 2**255 - 19
# The y coordinates of all points of small order on edwards25519 (RFC 8032, 5.1): whoever has such a key signs anything.
_SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


class CoseAlgorithm(IntEnum):
    """The algorithms that are asked for, best first (RFC 9053; the names stand in journals)."""

    ES256 = -7
    EDDSA = -8
    RS256 = -257


def check_webauthn_key(encoded: bytes, algorithm: CoseAlgorithm) -> WebauthnPublicKey:
    """The key, once it is known to be of the algorithm's kind, and nothing is known against it.

    Args:
        encoded: DER SubjectPublicKeyInfo.
        algorithm: what it signs with.

    Raises:
        PkiRefusedError: ``webauthn.key-unsuitable``.
    """
    try:
        key = load_der_public_key(encoded)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unsuitable("a credential's key cannot be read") from error
    match key, algorithm:
        case ec.EllipticCurvePublicKey(), CoseAlgorithm.ES256:
            # W3C Web Authentication, 5.8.5: with this algorithm the curve is this one.
            if key.curve.name != ec.SECP256R1.name:
                raise _unsuitable(
                    f"a credential's key is on {key.curve.name}, not {algorithm.name}'s"
                )
        case rsa.RSAPublicKey(), CoseAlgorithm.RS256:
            exponent = key.public_numbers().e
            if key.key_size not in _RSA_BITS or exponent < _LEAST_RSA_EXPONENT:
                raise _unsuitable(
                    f"a credential's RSA key has {key.key_size} bits, expected one of {_RSA_BITS}, "
                    f"and an exponent of at least {_LEAST_RSA_EXPONENT}"
                )
        case ed25519.Ed25519PublicKey(), CoseAlgorithm.EDDSA:
            _check_ed25519(key)
            return key
        case _:
            raise _unsuitable(f"a credential's key is not of {algorithm.name}")
    weakness = weakness_of(key)
    if weakness is not None:
        raise _unsuitable(f"a credential's key is weak: {weakness}")
    return key


def verify_webauthn_signature(key: WebauthnPublicKey, *, message: bytes, signature: bytes) -> bool:
    """Whether the signature (W3C Web Authentication, 6.5.5) is the key's over the message, by its one algorithm."""
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            case ed25519.Ed25519PublicKey():
                key.verify(signature, message)
            case rsa.RSAPublicKey():
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _check_ed25519(key: ed25519.Ed25519PublicKey) -> None:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    y = int.from_bytes(raw, "little") & (_SIGN_BIT - 1)
    if y >= _FIELD or y in _SMALL_ORDER:
        raise _unsuitable(
            "a credential's key is a point of small order, or not in its one encoding"
        )


def _unsuitable(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="webauthn.key-unsuitable")
