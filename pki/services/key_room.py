"""Making and destroying keys, each with its wish recorded before (architecture: one signer)."""

from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_layout.curves import NamedCurve
from pki.errors import PkiRefusedError
from pki.keys.algorithms import PublicKey
from pki.keys.keystore import Keystore
from pki.keys.signer import Signer
from pki.services.known_keys import check_key_is_new
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = ["LOG_KEY_ID", "KeyRoom", "SigningKeys", "matching_signer"]

LOG_KEY_ID = "transparency-log-1"
"""The key of the transparency log; no document signer may have its name."""


class KeyRoom:
    """A keystore, and the journal in which its keys begin and end."""

    def __init__(self, *, keystore: Keystore, recorder: Recorder) -> None:
        self._keystore = keystore
        self._recorder = recorder

    def create(
        self, key_id: str, *, curve: NamedCurve | None = None, rsa_bits: int | None = None
    ) -> Signer:
        """Make a key; one of that name that no certificate can name yet is residue of a crash.

        Args:
            key_id: its name in the keystore.
            curve: for an elliptic-curve key.
            rsa_bits: for an RSA key; just one of the two is given.

        Raises:
            ValueError: both kinds are asked for, or none.
            PkiRefusedError: ``key.duplicate``: the token drew a key that has a certificate already.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        if key_id in self._keystore.key_ids():
            self.destroy(key_id)
        if curve is not None and rsa_bits is None:
            self._recorder.record(EntryKind.KEY_INTENDED, key=key_id, curve=curve.label)
            self._keystore.create_signing_key(key_id=key_id, curve=curve)
        elif curve is None and rsa_bits is not None:
            self._recorder.record(EntryKind.KEY_INTENDED, key=key_id, curve=f"rsa{rsa_bits}")
            self._keystore.create_rsa_signing_key(key_id=key_id, bits=rsa_bits)
        else:
            raise ValueError("expected either a curve or a number of RSA bits")
        signer = self._keystore.signer(key_id)
        # A token that draws a key twice has no randomness; the key stays behind as residue.
        check_key_is_new(signer.public_key, self._recorder.state)
        encoded = signer.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._recorder.record(EntryKind.KEY_CREATED, key=key_id, public_key=encoded.hex())
        return signer

    def signer(self, key_id: str, public_key: PublicKey) -> Signer:
        """The key to sign with, once it is known to be the one in its certificate.

        Raises:
            PkiRefusedError: ``signing.key-mismatch``.
            KeystoreError: there is no such key.
        """
        return matching_signer(self._keystore, key_id, public_key)

    def destroy(self, key_id: str) -> None:
        """Destroy a key for good; one that a crash has destroyed already is recorded as such.

        Raises:
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        self._recorder.record(EntryKind.KEY_DESTRUCTION_INTENDED, key=key_id)
        if key_id in self._keystore.key_ids():
            self._keystore.destroy(key_id)
        self._recorder.record(EntryKind.KEY_DESTROYED, key=key_id)


class SigningKeys(Protocol):
    """Keys that exist already."""

    def signer(self, key_id: str) -> Signer:
        """The key to sign with.

        Raises:
            KeystoreError: ``keystore.key-unknown``.
        """


def matching_signer(keys: SigningKeys, key_id: str, public_key: PublicKey) -> Signer:
    """The key to sign with, once it is known to be the one in its certificate.

    Raises:
        PkiRefusedError: ``signing.key-mismatch``.
        KeystoreError: there is no such key.
    """
    signer = keys.signer(key_id)
    if signer.public_key != public_key:
        raise PkiRefusedError(
            f"key {key_id} is not the one in its certificate", code="signing.key-mismatch"
        )
    return signer
