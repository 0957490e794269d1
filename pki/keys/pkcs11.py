"""Keys in a PKCS#11 token: made there, used there, never taken out. SoftHSM2 here, any HSM by the same calls.

Keys are found by CKA_ID, which is their identifier in ASCII. Private keys are sensitive and not extractable,
and that is read back after they were made.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import pkcs11
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass

from card_layout import tlv
from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from card_layout.tlv import TlvError
from pki.durable import sync_directory
from pki.errors import KeystoreError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.keystore import (
    RSA_PUBLIC_EXPONENT,
    check_key_id,
    check_master_key,
    check_rsa_bits,
    kdf_blocks,
)
from pki.keys.token_library import TOKEN_LOCK, TokenSession, initialise_token

__all__ = ["Pkcs11Keystore", "Pkcs11Signer"]

_OBJECT_IDENTIFIER: Final = 0x06
_OCTET_STRING: Final = 0x04

_ONLY_SIGNS: Final = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}

_ONLY_AUTHENTICATES: Final = _ONLY_SIGNS | {
    Attribute.VERIFY: False,
    Attribute.ENCRYPT: False,
    Attribute.WRAP: False,
}


class Pkcs11Signer:
    """A ``Signer`` whose private key stays in the token."""

    def __init__(
        self,
        *,
        key_id: str,
        public_key: PublicKey,
        sign_digest: Callable[[bytes], bytes],
    ) -> None:
        self._key_id = key_id
        self._public_key = public_key
        self._algorithm = SignatureAlgorithm.for_key(public_key)
        self._sign_digest = sign_digest

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm that fits the key."""
        return self._algorithm

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """A signature over ``message``; for ECDSA the token gives r and s side by side (PKCS#11, CKM_ECDSA)."""
        octets = self._sign_digest(self._algorithm.hash_algorithm.digest(message))
        if isinstance(self._public_key, rsa.RSAPublicKey):
            return octets
        half = len(octets) // 2
        if not octets or len(octets) % 2:
            raise KeystoreError(
                f"key {self._key_id} gave a signature of {len(octets)} bytes",
                code="keystore.signature-wrong",
            )
        return encode_dss_signature(
            int.from_bytes(octets[:half], "big"), int.from_bytes(octets[half:], "big")
        )


class Pkcs11Keystore:
    """A ``Keystore`` in one token, used by one process."""

    def __init__(
        self,
        *,
        module: Path,
        token_label: str,
        pin: str,
        configuration: Path | None = None,
        token_directory: Path | None = None,
    ) -> None:
        """Open the token.

        Args:
            module: the PKCS#11 library.
            token_label: the token's label.
            pin: the user's PIN.
            configuration: SoftHSM's configuration file; ``None`` for tokens that need none.
            token_directory: where SoftHSM keeps its objects, to be made durable; ``None`` for real HSMs.

        Raises:
            KeystoreError: ``keystore.pin-wrong``, ``keystore.missing``, ``keystore.module-unusable``.
        """
        self._session = TokenSession(
            module=module, token_label=token_label, pin=pin, configuration=configuration
        )
        self._token_directory = token_directory
        self._handles: dict[tuple[str, ObjectClass], Any] = {}
        self._handles_generation = 0
        with self._use():
            pass

    @classmethod
    def create(
        cls,
        *,
        module: Path,
        token_label: str,
        pin: str,
        configuration: Path,
        token_directory: Path,
    ) -> Self:
        """Make a new SoftHSM2 token and open it.

        Raises:
            KeystoreError: the library refused.
        """
        initialise_token(
            module=module, configuration=configuration, token_label=token_label, pin=pin
        )
        return cls(
            module=module,
            token_label=token_label,
            pin=pin,
            configuration=configuration,
            token_directory=token_directory,
        )

    def create_signing_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """Generate a key pair in the token, then check point, origin and usage."""
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
                private_template=dict(_ONLY_SIGNS),
            )
            try:
                value = _elliptic_key(key_id, public)
                if value.curve is not curve:
                    raise _wrong(key_id, f"is on {value.curve.label}, expected {curve.label}")
                _check_generated(key_id, value.to_cryptography(), private)
            except KeystoreError:
                public.destroy()
                private.destroy()
                raise
        self._make_durable()

    def create_rsa_signing_key(self, *, key_id: str, bits: int) -> None:
        """Generate an RSA key pair in the token, then check length, exponent, origin and usage."""
        identifier = check_key_id(key_id).encode()
        check_rsa_bits(bits)
        with self._use() as session:
            self._require_new(key_id)
            public, private = session.generate_keypair(
                KeyType.RSA,
                bits,
                store=True,
                id=identifier,
                label=key_id,
                public_template={
                    Attribute.VERIFY: True,
                    Attribute.ENCRYPT: False,
                    Attribute.WRAP: False,
                },
                private_template=dict(_ONLY_SIGNS),
            )
            try:
                public_key = _rsa_key(key_id, public)
                if public_key.key_size != bits:
                    raise _wrong(key_id, f"has {public_key.key_size} bits, expected {bits}")
                _check_generated(key_id, public_key, private)
            except KeystoreError:
                public.destroy()
                private.destroy()
                raise
        self._make_durable()

    def signer(self, key_id: str) -> Pkcs11Signer:
        """The private key, by its handle in the token."""
        check_key_id(key_id)
        with self._use():
            public = self._find(key_id, ObjectClass.PUBLIC_KEY)
            self._find(key_id, ObjectClass.PRIVATE_KEY)
            public_key = _public_key(key_id, public)
        is_rsa = isinstance(public_key, rsa.RSAPublicKey)

        def sign_digest(digest: bytes) -> bytes:
            with self._use():
                return _sign_digest(
                    self._find(key_id, ObjectClass.PRIVATE_KEY), digest, is_rsa=is_rsa
                )

        return Pkcs11Signer(key_id=key_id, public_key=public_key, sign_digest=sign_digest)

    def create_master_key(self, *, key_id: str) -> None:
        """Draw an AES-256 key in the token that can do nothing but AES-CMAC."""
        identifier = check_key_id(key_id).encode()
        with self._use() as session:
            self._require_new(key_id)
            key = session.generate_key(
                KeyType.AES,
                256,
                store=True,
                id=identifier,
                label=key_id,
                template=dict(_ONLY_AUTHENTICATES),
            )
            try:
                _check_secret(key_id, key, is_local=True)
            except KeystoreError:
                key.destroy()
                raise
        self._make_durable()

    def import_master_key(self, *, key_id: str, value: bytes) -> None:
        """Put a given AES-256 key into the token; from there it does not come out."""
        identifier = check_key_id(key_id).encode()
        check_master_key(value)
        with self._use() as session:
            self._require_new(key_id)
            key = session.create_object(
                {
                    **_ONLY_AUTHENTICATES,
                    Attribute.CLASS: ObjectClass.SECRET_KEY,
                    Attribute.KEY_TYPE: KeyType.AES,
                    Attribute.ID: identifier,
                    Attribute.LABEL: key_id,
                    Attribute.VALUE: value,
                }
            )
            try:
                _check_secret(key_id, key, is_local=False)
            except KeystoreError:
                key.destroy()
                raise
        self._make_durable()

    def derive(self, key_id: str, *, label: bytes, context: bytes, length: int) -> bytes:
        """SP 800-108 in counter mode, its AES-CMAC in the token (SPEC.md, 8.2)."""
        check_key_id(key_id)
        blocks = kdf_blocks(label=label, context=context, length=length)
        with self._use():
            key = self._find(key_id, ObjectClass.SECRET_KEY)
            derived = b"".join(
                bytes(key.sign(block, mechanism=Mechanism.AES_CMAC)) for block in blocks
            )
        return derived[:length]

    def key_ids(self) -> tuple[str, ...]:
        """The identifiers of private and secret keys."""
        found: set[str] = set()
        with self._use() as session:
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY):
                for item in session.get_objects({Attribute.CLASS: kind}):
                    found.add(bytes(item[Attribute.ID]).decode("ascii", "replace"))
        return tuple(sorted(found))

    def destroy(self, key_id: str) -> None:
        """Destroy every object of this identifier."""
        identifier = check_key_id(key_id).encode()
        with self._use() as session:
            objects = list(session.get_objects({Attribute.ID: identifier}))
            if not objects:
                raise _unknown(key_id)
            for item in objects:
                item.destroy()
            self._handles.clear()
        self._make_durable()

    def change_pin(self, *, old: str, new: str) -> None:
        """Let another user PIN open the token (PKCS#11, C_SetPIN).

        Raises:
            KeystoreError: the token refused.
        """
        with self._use() as session:
            session.set_pin(old, new)
        self._make_durable()

    def close(self) -> None:
        """Log out."""
        self._session.close()
        self._handles.clear()

    @contextmanager
    def _use(self) -> Iterator[Any]:
        """The session, with the library locked and its errors translated."""
        with TOKEN_LOCK:
            session = self._session.get()
            if self._handles_generation != self._session.generation:
                self._handles.clear()
                self._handles_generation = self._session.generation
            try:
                yield session
            except pkcs11.PKCS11Error as error:
                raise KeystoreError(f"the token failed: {type(error).__name__}") from error

    def _find(self, key_id: str, kind: ObjectClass) -> Any:
        handle = self._handles.get((key_id, kind))
        if handle is None:
            template = {Attribute.CLASS: kind, Attribute.ID: key_id.encode()}
            objects = list(self._session.get().get_objects(template))
            if not objects:
                raise _unknown(key_id)
            if len(objects) > 1:
                raise KeystoreError(
                    f"there are {len(objects)} keys {key_id}, expected one",
                    code="keystore.key-damaged",
                )
            handle = self._handles[key_id, kind] = objects[0]
        return handle

    def _require_new(self, key_id: str) -> None:
        if list(self._session.get().get_objects({Attribute.ID: key_id.encode()})):
            raise KeystoreError(f"there is a key {key_id} already", code="keystore.key-exists")

    def _make_durable(self) -> None:
        """SoftHSM2 does not sync what it writes: a key that was acknowledged must outlive a power cut."""
        if self._token_directory is None:
            return
        try:
            for directory, _, names in os.walk(self._token_directory):
                for name in names:
                    descriptor = os.open(Path(directory) / name, os.O_RDONLY)
                    try:
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)
                sync_directory(Path(directory))
        except OSError as error:
            raise KeystoreError(f"the token cannot be made durable: {error.strerror}") from error


def _check_generated(key_id: str, public_key: PublicKey, private: Any) -> None:
    """What was asked for is what was made: origin, secrecy, and a signature that verifies."""
    _check_secret(key_id, private, is_local=True)
    signer = Pkcs11Signer(
        key_id=key_id,
        public_key=public_key,
        sign_digest=lambda digest: _sign_digest(
            private, digest, is_rsa=isinstance(public_key, rsa.RSAPublicKey)
        ),
    )
    message = b"membercard: does this key sign what its public key verifies?"
    if not signer.algorithm.verifies(public_key, signature=signer.sign(message), message=message):
        raise _wrong(key_id, "gives signatures that its public key does not verify")


def _sign_digest(private: Any, digest: bytes, *, is_rsa: bool) -> bytes:
    """PKCS#11, CKM_ECDSA and CKM_RSA_PKCS_PSS: the token signs a digest that was made outside."""
    if is_rsa:
        return bytes(
            private.sign(
                digest,
                mechanism=Mechanism.RSA_PKCS_PSS,
                # The same hash in the mask, and a salt as long as it (RFC 4055, 3.1).
                mechanism_param=(Mechanism.SHA256, MGF.SHA256, len(digest)),
            )
        )
    return bytes(private.sign(digest, mechanism=Mechanism.ECDSA))


def _check_secret(key_id: str, key: Any, *, is_local: bool) -> None:
    found = {
        "sensitive": key[Attribute.SENSITIVE] is True,
        "not extractable": key[Attribute.EXTRACTABLE] is False,
        "for signing": key[Attribute.SIGN] is True,
        "not for deriving": key[Attribute.DERIVE] is False,
        "made in the token": not is_local
        or (key[Attribute.LOCAL] is True and key[Attribute.NEVER_EXTRACTABLE] is True),
    }
    for name, holds in found.items():
        if not holds:
            raise _wrong(key_id, f"is not {name}")


def _public_key(key_id: str, public: Any) -> PublicKey:
    if public[Attribute.KEY_TYPE] == KeyType.RSA:
        return _rsa_key(key_id, public)
    return _elliptic_key(key_id, public).to_cryptography()


def _rsa_key(key_id: str, public: Any) -> rsa.RSAPublicKey:
    exponent = int.from_bytes(bytes(public[Attribute.PUBLIC_EXPONENT]), "big")
    if exponent != RSA_PUBLIC_EXPONENT:
        raise _wrong(key_id, f"has public exponent {exponent}, expected {RSA_PUBLIC_EXPONENT}")
    modulus = int.from_bytes(bytes(public[Attribute.MODULUS]), "big")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise _wrong(key_id, "has a modulus that is none") from error


def _elliptic_key(key_id: str, public: Any) -> EcPublicKey:
    """The point, known to lie on one of our curves (PKCS#11, CKA_EC_POINT: a DER OCTET STRING)."""
    try:
        oid = tlv.parse(bytes(public[Attribute.EC_PARAMS]), expected_tag=_OBJECT_IDENTIFIER).value
        point = tlv.parse(bytes(public[Attribute.EC_POINT]), expected_tag=_OCTET_STRING).value
        curve = next((item for item in NamedCurve if item.oid_bytes == oid), None)
        if curve is None:
            raise _wrong(key_id, "is on a curve that is not supported")
        return EcPublicKey(curve=curve, point=point)
    except (TlvError, CurveError) as error:
        raise _wrong(key_id, "has a public key that is not a point of its curve") from error


def _wrong(key_id: str, what: str) -> KeystoreError:
    return KeystoreError(f"key {key_id} {what}", code="keystore.key-damaged")


def _unknown(key_id: str) -> KeystoreError:
    return KeystoreError(f"there is no key {key_id}", code="keystore.key-unknown")
