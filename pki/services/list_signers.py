"""Which signer signs the next list or bundle of its kind: the newest that may sign now."""

from datetime import datetime

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.services.records import SignerRecord
from pki.services.state import PkiState

__all__ = ["newest_signer"]


def newest_signer(
    state: PkiState, kind: ProfileKind, moment: datetime
) -> tuple[SignerRecord, ListSignerCertificate] | None:
    """The signer whose key may be used the longest; ``None`` where none of this kind may sign at that time."""
    usable = [
        (record, found)
        for record in state.signers.values()
        if (found := _usable(record, kind, moment)) is not None
    ]
    return max(usable, key=lambda item: item[1].key_use_not_before, default=None)


def _usable(
    record: SignerRecord, kind: ProfileKind, moment: datetime
) -> ListSignerCertificate | None:
    if (
        record.kind is not kind
        or record.certificate is None
        or record.revoked_at is not None
        or record.destroyed_at is not None
    ):
        return None
    found = ListSignerCertificate.from_bytes(record.certificate, kind=kind)
    return found if found.key_use_not_before <= moment <= found.key_use_not_after else None
