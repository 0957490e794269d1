"""Keys in this process's memory, and at rest in encrypted files: for development, tests and demonstrations.

A keystore is a directory: ``keystore.json`` with the parameters of the passphrase, and ``<key id>.key`` for
each key. Every key is sealed with AES-256-GCM under one key that scrypt (RFC 7914) makes of the passphrase;
the seal covers the key's identifier and kind, so that files cannot be swapped.
"""

import json
import secrets
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from card_layout.curves import NamedCurve
from pki.durable import create_file, replace_file, sync_directory
from pki.errors import KeystoreError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.keystore import (
    MASTER_KEY_BYTES,
    RSA_PUBLIC_EXPONENT,
    check_key_id,
    check_master_key,
    check_rsa_bits,
    kdf_blocks,
    master_key_check_value,
)

__all__ = ["PrivateKey", "SoftwareKeystore", "SoftwareSigner"]

_FORMAT: Final = 1
_SCRYPT_LOG2_N: Final = 15
"""32 MB and a tenth of a second for each guess at the passphrase."""

_CHECK: Final = b"membercard keystore"
_NONCE_BYTES: Final = 12
_NEXT: Final = ".next"
"""The ending of a key that is sealed under the next passphrase."""

_MAX_FILE_BYTES: Final = 16384
"""An RSA key of 4096 bits takes 5 kB in hexadecimal."""


PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""What signs in this process's memory."""


class _Kind(Enum):
    SIGNING = "signing"
    MASTER = "master"


class SoftwareSigner:
    """A ``Signer`` over a private key of the cryptography library."""

    def __init__(self, private_key: PrivateKey) -> None:
        self._private_key = private_key
        self._public_key = private_key.public_key()
        self._algorithm = SignatureAlgorithm.for_key(self._public_key)
        self._sign = _signing(private_key, self._algorithm)

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm that fits the key."""
        return self._algorithm

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    @property
    def private_key(self) -> PrivateKey:
        """The private half, which is in this process's memory anyway."""
        return self._private_key

    def sign(self, message: bytes) -> bytes:
        """A signature over ``message``."""
        return self._sign(message)


def _signing(private_key: PrivateKey, algorithm: SignatureAlgorithm) -> Callable[[bytes], bytes]:
    """How this key signs; what describes the algorithm is made once and not for every signature."""
    if isinstance(private_key, rsa.RSAPrivateKey):
        padding, primitive = algorithm.padding(), algorithm.hash_algorithm.to_cryptography()
        return lambda message: private_key.sign(message, padding, primitive)
    ecdsa = algorithm.hash_algorithm.ecdsa
    return lambda message: private_key.sign(message, ecdsa)


class SoftwareKeystore:
    """A ``Keystore`` of encrypted files in one directory."""

    def __init__(self, directory: Path, *, passphrase: bytes) -> None:
        """Open a keystore.

        Raises:
            KeystoreError: ``keystore.missing``, ``keystore.passphrase-wrong``, ``keystore.damaged``.
        """
        self._directory = directory
        self._sealing_key: AESGCM | None = _open(directory, passphrase)

    @classmethod
    def create(cls, directory: Path, *, passphrase: bytes) -> "SoftwareKeystore":
        """Make a new, empty keystore in a directory that has none.

        Raises:
            KeystoreError: ``keystore.exists``, ``keystore.passphrase-wrong`` for an empty one.
        """
        if not passphrase:
            raise KeystoreError("the passphrase is empty", code="keystore.passphrase-wrong")
        description, _ = _describe(passphrase)
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            create_file(directory / "keystore.json", description)
        except FileExistsError as error:
            raise KeystoreError(
                f"there is a keystore in {directory} already", code="keystore.exists"
            ) from error
        except OSError as error:
            raise KeystoreError(
                f"keystore {directory} cannot be written: {error.strerror}"
            ) from error
        return cls(directory, passphrase=passphrase)

    @classmethod
    def change_passphrase(cls, directory: Path, *, old: bytes, new: bytes) -> None:
        """Seal every key anew, under another passphrase.

        The copies lie beside the keys until ``keystore.json`` is replaced, which is when the new passphrase counts:
        a crash before it leaves copies that the next change overwrites, a crash after it copies that ``_finish_change``
        puts in their place.

        Raises:
            KeystoreError: ``keystore.passphrase-wrong``, or it cannot be written.
        """
        before = cls(directory, passphrase=old)
        description, sealing_key = _describe(new)
        try:
            for key_id in before.key_ids():
                kind = _Kind(_read_json(before._path(key_id)).get("kind"))
                value = before._load(key_id, kind)
                replace_file(
                    before._path(key_id).with_suffix(_NEXT),
                    _key_file(sealing_key, key_id, kind, value),
                )
            replace_file(directory / "keystore.json", description)
            _finish_change(directory, sealing_key)
        except OSError as error:
            raise KeystoreError(
                f"keystore {directory} cannot be written: {error.strerror}"
            ) from error
        finally:
            before.close()

    def create_signing_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """Generate a private key and seal it into a file."""
        private_key = ec.generate_private_key(curve.to_cryptography())
        self._store(key_id, _Kind.SIGNING, _encode(private_key))

    def create_rsa_signing_key(self, *, key_id: str, bits: int) -> None:
        """Generate an RSA private key and seal it into a file."""
        check_key_id(key_id)
        private_key = rsa.generate_private_key(RSA_PUBLIC_EXPONENT, check_rsa_bits(bits))
        self._store(key_id, _Kind.SIGNING, _encode(private_key))

    def signer(self, key_id: str) -> SoftwareSigner:
        """The private key, unsealed into memory."""
        encoded = self._load(key_id, _Kind.SIGNING)
        try:
            private_key = load_der_private_key(encoded, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeystoreError(
                f"key {key_id} cannot be read", code="keystore.key-damaged"
            ) from error
        if not isinstance(private_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise KeystoreError(
                f"key {key_id} is neither on an elliptic curve nor an RSA key",
                code="keystore.key-damaged",
            )
        return SoftwareSigner(private_key)

    def create_master_key(self, *, key_id: str) -> None:
        """Draw a master key and seal it into a file."""
        self._store(key_id, _Kind.MASTER, secrets.token_bytes(MASTER_KEY_BYTES))

    def import_master_key(self, *, key_id: str, value: bytes) -> None:
        """Seal a given master key into a file."""
        self._store(key_id, _Kind.MASTER, check_master_key(value))

    def derive(self, key_id: str, *, label: bytes, context: bytes, length: int) -> bytes:
        """SP 800-108 in counter mode with AES-CMAC (SPEC.md, 8.2)."""
        blocks = kdf_blocks(label=label, context=context, length=length)
        master = AES(check_master_key(self._load(key_id, _Kind.MASTER)))
        derived = bytearray()
        for block in blocks:
            mac = CMAC(master)
            mac.update(block)
            derived += mac.finalize()
        return bytes(derived[:length])

    def check_value(self, key_id: str) -> bytes:
        """The master key's check value."""
        return master_key_check_value(self._load(key_id, _Kind.MASTER))

    def create_agreement_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """Generate a private key and seal it into a file."""
        private_key = ec.generate_private_key(curve.to_cryptography())
        self._store(key_id, _Kind.SIGNING, _encode(private_key))

    def random_bytes(self, count: int) -> bytes:
        """From the operating system, as its keys are."""
        self._require_open()
        return secrets.token_bytes(count)

    def agree(self, key_id: str, public_key: ec.EllipticCurvePublicKey) -> bytes:
        """ECDH in memory."""
        private_key = self.signer(key_id).private_key
        if (
            not isinstance(private_key, ec.EllipticCurvePrivateKey)
            or private_key.curve.name != public_key.curve.name
        ):
            raise KeystoreError(
                f"key {key_id} is not on the curve of the other key", code="keystore.key-invalid"
            )
        return private_key.exchange(ec.ECDH(), public_key)

    def key_ids(self) -> tuple[str, ...]:
        """The names of the key files."""
        self._require_open()
        return tuple(sorted(path.stem for path in self._directory.glob("[!.]*.key")))

    def destroy(self, key_id: str) -> None:
        """Remove the key's file."""
        self._require_open()
        path = self._path(key_id)
        try:
            path.unlink()
            sync_directory(self._directory)
        except FileNotFoundError as error:
            raise _unknown(key_id) from error
        except OSError as error:
            raise KeystoreError(f"key {key_id} cannot be destroyed: {error.strerror}") from error

    def copy_key(self, key_id: str, directory: Path) -> None:
        """Put one key, sealed as it is, into a keystore of its own under the same passphrase.

        Raises:
            KeystoreError: ``keystore.key-unknown``, ``keystore.key-damaged``, or it cannot be written.
        """
        self._load(key_id, _Kind.SIGNING)
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in (self._path(key_id), self._directory / "keystore.json"):
                replace_file(directory / path.name, path.read_bytes(), mode=0o600)
        except OSError as error:
            raise KeystoreError(
                f"keystore {directory} cannot be written: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Forget the key that unseals the others."""
        self._sealing_key = None

    def _require_open(self) -> AESGCM:
        if self._sealing_key is None:
            raise KeystoreError("the keystore is closed", code="keystore.closed")
        return self._sealing_key

    def _path(self, key_id: str) -> Path:
        return self._directory / f"{check_key_id(key_id)}.key"

    def _store(self, key_id: str, kind: _Kind, value: bytes) -> None:
        sealing_key = self._require_open()
        path = self._path(key_id)
        try:
            create_file(path, _key_file(sealing_key, key_id, kind, value))
        except FileExistsError as error:
            raise KeystoreError(
                f"there is a key {key_id} already", code="keystore.key-exists"
            ) from error
        except OSError as error:
            raise KeystoreError(f"key {key_id} cannot be written: {error.strerror}") from error

    def _load(self, key_id: str, kind: _Kind) -> bytes:
        sealing_key = self._require_open()
        path = self._path(key_id)
        if not path.is_file():
            raise _unknown(key_id)
        found = _read_json(path)
        if found.get("format") != _FORMAT or found.get("kind") != kind.value:
            raise KeystoreError(
                f"key {key_id} is of kind {str(found.get('kind'))[:20]!r}, expected {kind.value!r}",
                code="keystore.key-damaged",
            )
        value = _unseal(sealing_key, found.get("sealed"), associated=_associated(key_id, kind))
        if value is None:
            raise KeystoreError(
                f"the seal of key {key_id} does not hold", code="keystore.key-damaged"
            )
        return value


def _describe(passphrase: bytes) -> tuple[bytes, AESGCM]:
    """A new ``keystore.json`` for a passphrase, and the key that seals the others."""
    salt = secrets.token_bytes(16)
    sealing_key = _stretch(passphrase, salt=salt, log2_n=_SCRYPT_LOG2_N)
    description = {
        "format": _FORMAT,
        "kdf": "scrypt",
        "log2_n": _SCRYPT_LOG2_N,
        "salt": salt.hex(),
        "check": _seal(sealing_key, _CHECK, associated=_CHECK).hex(),
    }
    return json.dumps(description, indent=1).encode(), sealing_key


def _key_file(sealing_key: AESGCM, key_id: str, kind: _Kind, value: bytes) -> bytes:
    sealed = _seal(sealing_key, value, associated=_associated(key_id, kind))
    return json.dumps({"format": _FORMAT, "kind": kind.value, "sealed": sealed.hex()}).encode()


def _finish_change(directory: Path, sealing_key: AESGCM) -> None:
    """Put copies that this passphrase seals in their keys' place; others are from a change that never came to be."""
    for path in directory.glob(f"[!.]*{_NEXT}"):
        found = _read_json(path)
        kind = next((item for item in _Kind if item.value == found.get("kind")), None)
        is_ours = kind is not None and (
            _unseal(sealing_key, found.get("sealed"), associated=_associated(path.stem, kind))
            is not None
        )
        if is_ours:
            path.replace(path.with_suffix(".key"))
        else:
            path.unlink()
    sync_directory(directory)


def _encode(private_key: PrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _open(directory: Path, passphrase: bytes) -> AESGCM:
    path = directory / "keystore.json"
    if not path.is_file():
        raise KeystoreError(f"there is no keystore in {directory}", code="keystore.missing")
    found = _read_json(path)
    salt, log2_n = found.get("salt"), found.get("log2_n")
    if (
        found.get("format") != _FORMAT
        or found.get("kdf") != "scrypt"
        or not isinstance(salt, str)
        or not isinstance(log2_n, int)
        or not 14 <= log2_n <= 20
    ):
        raise KeystoreError(f"{path} is not a keystore of format 1", code="keystore.damaged")
    try:
        sealing_key = _stretch(passphrase, salt=bytes.fromhex(salt), log2_n=log2_n)
    except ValueError as error:
        raise KeystoreError(f"{path} holds a malformed salt", code="keystore.damaged") from error
    if _unseal(sealing_key, found.get("check"), associated=_CHECK) != _CHECK:
        raise KeystoreError(
            f"the passphrase does not open keystore {directory}", code="keystore.passphrase-wrong"
        )
    try:
        _finish_change(directory, sealing_key)
    except OSError as error:
        raise KeystoreError(f"keystore {directory} cannot be written: {error.strerror}") from error
    return sealing_key


def _stretch(passphrase: bytes, *, salt: bytes, log2_n: int) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=2**log2_n, r=8, p=1).derive(passphrase))


def _seal(sealing_key: AESGCM, value: bytes, *, associated: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + sealing_key.encrypt(nonce, value, associated)


def _unseal(sealing_key: AESGCM, sealed: object, *, associated: bytes) -> bytes | None:
    try:
        octets = bytes.fromhex(sealed if isinstance(sealed, str) else "")
        return sealing_key.decrypt(octets[:_NONCE_BYTES], octets[_NONCE_BYTES:], associated)
    except (ValueError, InvalidTag):
        return None


def _associated(key_id: str, kind: _Kind) -> bytes:
    return f"{kind.value}:{key_id}".encode()


def _read_json(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_FILE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise KeystoreError(f"{path} cannot be read", code="keystore.damaged") from error
    if not isinstance(found, dict):
        raise KeystoreError(f"{path} does not hold an object", code="keystore.damaged")
    return found


def _unknown(key_id: str) -> KeystoreError:
    return KeystoreError(f"there is no key {key_id}", code="keystore.key-unknown")
