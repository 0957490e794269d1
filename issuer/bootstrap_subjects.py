"""The composition root of the rights of data subjects: extracts, disclosures, deletions and their proofs."""

import secrets
from datetime import UTC, datetime
from typing import Final

from issuer.bootstrap import RegisterHome
from issuer.db.personal_data import FORGOTTEN_TABLES
from issuer.services.confirm_deletions import ConfirmationOfDeletions
from issuer.services.data_subjects import SubjectOffice
from issuer.services.delete_subjects import DeletionOffice
from issuer.uploads.sealed_proofs import SealedProofs

__all__ = ["confirmation_of_deletions", "deletions_of", "subjects_of"]

_PROOFS: Final = "deletion-proofs"


def subjects_of(opened: RegisterHome) -> SubjectOffice:
    """Extracts, corrections and the log of disclosures."""
    return SubjectOffice(
        register=opened.register, portraits=opened.portraits, changes=opened.changes(), clock=_now
    )


def deletions_of(opened: RegisterHome) -> DeletionOffice:
    """Deletions by two people."""
    return DeletionOffice(
        register=opened.register,
        portraits=opened.portraits,
        evidence=opened.evidence,
        clock=_now,
        random_bytes=secrets.token_bytes,
        forget_old_versions=lambda: opened.database.forget_old_versions(of=FORGOTTEN_TABLES),
    )


def confirmation_of_deletions(opened: RegisterHome) -> ConfirmationOfDeletions:
    """Deletions whose proofs wait to be fetched; no backup holds those."""
    return ConfirmationOfDeletions(
        deleting=deletions_of(opened),
        proofs=SealedProofs(opened.home / _PROOFS, opened.register_sealer, _now),
    )


def _now() -> datetime:
    return datetime.now(UTC)
