"""Making and destroying the keys of an authority, each with its wish recorded before (architecture: one signer)."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.certificates.profile import CertificateProfile
from pki.errors import PkiRefusedError
from pki.keys.algorithms import PublicKey
from pki.keys.keystore import Keystore
from pki.keys.signer import Signer
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = ["KeyRoom"]


class KeyRoom:
    """A keystore, and the journal in which its keys begin and end."""

    def __init__(self, *, keystore: Keystore, recorder: Recorder) -> None:
        self._keystore = keystore
        self._recorder = recorder

    def create(self, key_id: str, profile: CertificateProfile) -> Signer:
        """Make a key of the profile's kind; one that no certificate can name yet is residue of a crash.

        Raises:
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        if key_id in self._keystore.key_ids():
            self.destroy(key_id)
        self._recorder.record(EntryKind.KEY_INTENDED, key=key_id, curve=profile.key_label)
        if profile.curve is not None:
            self._keystore.create_signing_key(key_id=key_id, curve=profile.curve)
        else:
            self._keystore.create_rsa_signing_key(key_id=key_id, bits=profile.rsa_bits or 0)
        signer = self._keystore.signer(key_id)
        encoded = signer.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._recorder.record(EntryKind.KEY_CREATED, key=key_id, public_key=encoded.hex())
        return signer

    def signer(self, key_id: str, public_key: PublicKey) -> Signer:
        """The key to sign with, once it is known to be the one in its certificate.

        Raises:
            PkiRefusedError: ``signing.key-mismatch``.
            KeystoreError: there is no such key.
        """
        signer = self._keystore.signer(key_id)
        if signer.public_key != public_key:
            raise PkiRefusedError(
                f"key {key_id} is not the one in its certificate", code="signing.key-mismatch"
            )
        return signer

    def destroy(self, key_id: str) -> None:
        """Destroy a key for good; one that a crash has destroyed already is recorded as such.

        Raises:
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        self._recorder.record(EntryKind.KEY_DESTRUCTION_INTENDED, key=key_id)
        if key_id in self._keystore.key_ids():
            self._keystore.destroy(key_id)
        self._recorder.record(EntryKind.KEY_DESTROYED, key=key_id)
