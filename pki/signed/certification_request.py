"""A certification request (PKCS#10, RFC 2986) for a key that stays where it is: only its ``Signer`` is needed."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_layout import tlv
from pki.errors import PkiRefusedError
from pki.keys.signer import Signer

__all__ = ["encode_certification_request"]

_COMMON_NAME = bytes.fromhex("0603550403")
_MAX_NAME_CHARACTERS = 64


def encode_certification_request(signer: Signer, *, common_name: str) -> bytes:
    """The request, DER: the name is a wish, the public key is proven by the signature.

    Raises:
        PkiRefusedError: ``certificate.name-invalid``.
        KeystoreError: the key failed.
    """
    if not (1 <= len(common_name) <= _MAX_NAME_CHARACTERS and common_name.isprintable()):
        raise PkiRefusedError(
            f"name has {len(common_name)} characters, expected 1 to {_MAX_NAME_CHARACTERS} printable ones",
            code="certificate.name-invalid",
        )
    attribute = tlv.encode(0x30, _COMMON_NAME + tlv.encode(0x0C, common_name.encode()))
    content = tlv.encode(
        0x30,
        tlv.encode(0x02, b"\x00")
        + tlv.encode(0x30, tlv.encode(0x31, attribute))
        + signer.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        + tlv.encode(0xA0, b""),
    )
    signature = tlv.encode(0x03, b"\x00" + signer.sign(content))
    return tlv.encode(0x30, content + signer.algorithm.identifier + signature)
