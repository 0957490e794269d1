"""What a token does besides signing and deriving: check values of master keys, and key agreement for stations."""

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import KDF, Attribute, KeyType, Mechanism, ObjectClass

from card_layout import tlv
from card_layout.curves import NamedCurve
from pki.errors import KeystoreError
from pki.keys.keystore import CHECK_VALUE_BYTES, check_key_id
from pki.keys.pkcs11 import Pkcs11Keystore

__all__ = ["TokenKeystore"]

_OBJECT_IDENTIFIER: Final = 0x06
_BLOCK_BYTES: Final = 16

_AGREES_AND_SIGNS: Final = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.DERIVE: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
}


class TokenKeystore(Pkcs11Keystore):
    """A ``Pkcs11Keystore`` that is an ``AgreementKeystore``, too."""

    def check_value(self, key_id: str) -> bytes:
        """The first bytes of AES-CMAC over sixteen zero bytes (ANSI X9.24-1), calculated in the token."""
        check_key_id(key_id)
        with self._use():
            key = self._find(key_id, ObjectClass.SECRET_KEY)
            mac = bytes(key.sign(bytes(_BLOCK_BYTES), mechanism=Mechanism.AES_CMAC))
        return mac[:CHECK_VALUE_BYTES]

    def create_agreement_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """Generate a key pair in the token that can agree on keys, and sign the request for its certificate."""
        identifier = check_key_id(key_id).encode()
        with self._use() as session:
            self._require_new(key_id)
            parameters = session.create_domain_parameters(
                KeyType.EC,
                {Attribute.EC_PARAMS: tlv.encode(_OBJECT_IDENTIFIER, curve.oid_bytes)},
                local=True,
            )
            public, private = parameters.generate_keypair(
                store=True,
                id=identifier,
                label=key_id,
                public_template={Attribute.VERIFY: True, Attribute.ENCRYPT: False},
                private_template=dict(_AGREES_AND_SIGNS),
            )
            try:
                _check_agreement_key(key_id, private)
            except KeystoreError:
                public.destroy()
                private.destroy()
                raise
        self._make_durable()

    def random_bytes(self, count: int) -> bytes:
        """From the token's own generator (PKCS#11, C_GenerateRandom)."""
        with self._use() as session:
            drawn = bytes(session.generate_random(8 * count))
        if len(drawn) != count:
            raise KeystoreError(
                f"the token gave {len(drawn)} random bytes, expected {count}",
                code="keystore.token-failed",
            )
        return drawn

    def agree(self, key_id: str, public_key: ec.EllipticCurvePublicKey) -> bytes:
        """ECDH in the token (PKCS#11, CKM_ECDH1_DERIVE without a derivation function); only the result leaves it."""
        own = self.signer(key_id).public_key
        if (
            not isinstance(own, ec.EllipticCurvePublicKey)
            or own.curve.name != public_key.curve.name
        ):
            raise KeystoreError(
                f"key {key_id} is not on the curve of the other key", code="keystore.key-invalid"
            )
        length = (public_key.curve.key_size + 7) // 8
        point = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        with self._use():
            private = self._find(key_id, ObjectClass.PRIVATE_KEY)
            # The secret is of one use and has to be read: a session object, gone with the session at the latest.
            secret = private.derive_key(
                KeyType.GENERIC_SECRET,
                8 * length,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, point),
                store=False,
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            try:
                return bytes(secret[Attribute.VALUE])
            finally:
                secret.destroy()


def _check_agreement_key(key_id: str, private: Any) -> None:
    found = {
        "sensitive": private[Attribute.SENSITIVE] is True,
        "not extractable": private[Attribute.EXTRACTABLE] is False,
        "for key agreement": private[Attribute.DERIVE] is True,
        "not for decryption": private[Attribute.DECRYPT] is False,
        "made in the token": private[Attribute.LOCAL] is True
        and private[Attribute.NEVER_EXTRACTABLE] is True,
    }
    for name, holds in found.items():
        if not holds:
            raise KeystoreError(f"key {key_id} is not {name}", code="keystore.key-damaged")
