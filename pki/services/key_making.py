"""Making a private key: its wish is recorded before, so that a crash leaves no key that nobody knows of."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_layout.curves import NamedCurve
from pki.keys.keystore import Keystore
from pki.keys.signer import Signer
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = ["LOG_KEY_ID", "create_key"]

LOG_KEY_ID = "transparency-log-1"
"""The key of the transparency log; no document signer may have its name."""


def create_key(keystore: Keystore, recorder: Recorder, key_id: str, curve: NamedCurve) -> Signer:
    """Make a key; one of that name that nothing can name yet is residue of a crash, and destroyed.

    Raises:
        KeystoreError, RecordError: it is not made, or not recorded.
    """
    if key_id in keystore.key_ids():
        keystore.destroy(key_id)
        recorder.record(EntryKind.KEY_DESTROYED, key=key_id)
    recorder.record(EntryKind.KEY_INTENDED, key=key_id, curve=curve.label)
    keystore.create_signing_key(key_id=key_id, curve=curve)
    signer = keystore.signer(key_id)
    encoded = signer.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    recorder.record(EntryKind.KEY_CREATED, key=key_id, public_key=encoded.hex())
    return signer
