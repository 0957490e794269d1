"""Use case: destroy the files that tell of nobody any more: pictures and documents that are doomed and not in use.

A portrait is doomed when its member has another one, and everything of a member when their record is deleted. What is in
use goes later: a picture once the card that is made with it is handed over. So this is done behind each deletion, and once
a day.
"""

from dataclasses import dataclass

from issuer.domain.data_subjects import FileStore, FileToDestroy
from issuer.domain.member import PortraitDigest
from issuer.domain.member_change import EvidenceDigest
from issuer.services.register_ports import EvidenceStore, PortraitStore, Register

__all__ = ["DestructionOfFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionOfFiles:
    """Destroys files; where it is broken off, the next time goes on."""

    register: Register
    portraits: PortraitStore
    evidence: EvidenceStore

    def destroy(self, only: FileToDestroy | None = None) -> int:
        """All that waits for it, or this one, if it does; how many files there were.

        Raises:
            IssuerUnavailableError: a store cannot destroy one (``portrait-store.unavailable``, ``evidence-store.unavailable``).
        """
        with self.register.reading() as transaction:
            waiting = transaction.subjects.files_to_destroy()
        if only is not None:
            waiting = tuple(each for each in waiting if each == only)
        for file in waiting:
            if file.store is FileStore.PORTRAITS:
                self.portraits.remove(PortraitDigest(file.digest))
            else:
                self.evidence.remove(EvidenceDigest(file.digest))
            with self.register.writing() as transaction:
                transaction.subjects.file_was_destroyed(file)
        return len(waiting)
