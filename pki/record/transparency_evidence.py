"""What a proof file says of one signature over a card: since when others than the signer have known it (SPEC.md, 9.25)."""

from datetime import datetime
from typing import Final

from pki.errors import PkiDataError, PkiRefusedError, RecordError
from pki.record.transparency_policy import LogPolicy
from pki.record.transparency_proof import InclusionProof

__all__ = ["DIGEST_BYTES", "SIGNED_OBJECT_KIND", "known_since"]

DIGEST_BYTES: Final = 32

SIGNED_OBJECT_KIND: Final = "security-object.signed"
"""The kind of record that announces the signature of a security object."""


def known_since(proof: bytes, *, policy: LogPolicy, digest: bytes) -> datetime:
    """The earliest time at which a quorum of witnesses had seen a log that holds this very signature's record.

    Args:
        proof: a file as ``InclusionProof`` reads it.
        policy: the logs and witnesses that are believed.
        digest: the SHA-256 hash of the DER signed attributes of the security object, a SET OF.

    Raises:
        PkiDataError: ``log.proof-malformed``, ``log.note-malformed``, ``log.checkpoint-malformed``.
        PkiRefusedError: ``log.signature-wrong``, ``log.other-origin``, ``log.quorum-missing``, ``log.proof-wrong``,
            ``log.other-record``.
    """
    # 1. The file has its form.
    found = InclusionProof.from_bytes(proof)
    # 2. The checkpoint is that of a known log, and a quorum has seen it.
    checkpoint, moment = policy.open(found.note)
    # 3. The record stands in the tree, at the place that it names.
    entry = found.verify_under(checkpoint)
    # 4. It is the record of this signature and of no other one.
    try:
        recorded = entry.text("digest") if entry.kind == SIGNED_OBJECT_KIND else None
    except RecordError as error:
        raise PkiDataError(
            "proof cannot be read: its record names no digest", code="log.proof-malformed"
        ) from error
    if recorded != digest.hex():
        raise PkiRefusedError(
            f"proof is about another signature: its record is of kind {entry.kind[:40]!r} "
            f"with digest {str(recorded)[:64]}, expected {digest.hex()}",
            code="log.other-record",
        )
    return moment
