"""Checkpoints of the audit trail: how they come from the PKI, how they lie on a disk, and how one is checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from issuer.domain.audit_chain import ChainHead
from issuer.errors import IssuerUnavailableError
from issuer.services.audit_checkpoints import AuditCheckpoint
from pki.durable import replace_file
from pki.errors import PkiRefusedError
from pki.log_files import read_file, read_log_key
from pki.record.transparency_note import NoteKey
from pki.record.transparency_proof import MAX_PROOF_BYTES, InclusionProof
from pki.services.journal_head_state import NotedHead
from pki.services.journal_heads import read_noted_head
from pki.services.open_journal_heads import note_head
from pki.signer_service.head_client import note_head_over_socket

__all__ = ["CheckpointFolder", "ProcessNotary", "SocketNotary", "read_checkpoint"]

_SUFFIX: Final = ".tlog-proof"
_KEY_SUFFIX: Final = ".log-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessNotary:
    """Opens the authority's home in this process: where no signer process runs."""

    home: Path
    pin_file: Path | None
    folder: "CheckpointFolder"

    def note(self, head: ChainHead) -> AuditCheckpoint:
        """See ``HeadNotary.note``; the home's log is believed, and its key remembered."""
        proof, key = note_head(self.home, _noted(head), pin_file=self.pin_file)
        checkpoint = _require(proof, head, [key])
        self.folder.remember_key(key)
        return checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketNotary:
    """Asks the signer process."""

    path: Path
    folder: "CheckpointFolder"

    def note(self, head: ChainHead) -> AuditCheckpoint:
        """See ``HeadNotary.note``."""
        keys = self.folder.keys()
        if not keys:
            # Asked first and checked later, the head would be noted and the answer lost.
            raise _no_key()
        return _require(note_head_over_socket(self.path, _noted(head)), head, keys)


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """A directory with proofs, and with the keys of the logs that are believed."""

    directory: Path

    def keys(self) -> list[NoteKey]:
        """The keys of the logs that are believed.

        Raises:
            PkiDataError: ``log.key-malformed``.
            RecordError, IssuerUnavailableError: one cannot be read.
        """
        return [read_log_key(path) for path in self._files(_KEY_SUFFIX)]

    def remember_key(self, key: NoteKey) -> None:
        """Believe a log from now on.

        Raises:
            IssuerUnavailableError: ``audit.checkpoint-unwritable``.
        """
        self._write(f"{key.key_id.hex()}{_KEY_SUFFIX}", key.to_text().encode() + b"\n")

    def all(self) -> Sequence[AuditCheckpoint]:
        """See ``CheckpointShelf.all``."""
        paths = self._files(_SUFFIX)
        if not paths:
            return []
        keys = self.keys()
        found = [read_checkpoint(read_file(path, MAX_PROOF_BYTES), keys) for path in paths]
        return sorted(found, key=lambda each: each.head.sequence)

    def put(self, checkpoint: AuditCheckpoint) -> None:
        """See ``CheckpointShelf.put``."""
        self._write(f"{checkpoint.head.sequence}{_SUFFIX}", checkpoint.proof)

    def _files(self, suffix: str) -> list[Path]:
        try:
            return sorted(path for path in self.directory.iterdir() if path.suffix == suffix)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise IssuerUnavailableError(
                f"{self.directory} cannot be read: {error.strerror}",
                code="audit.checkpoint-unreadable",
            ) from error

    def _write(self, name: str, content: bytes) -> None:
        try:
            self.directory.mkdir(mode=0o700, exist_ok=True)
            replace_file(self.directory / name, content)
        except OSError as error:
            raise IssuerUnavailableError(
                f"{self.directory / name} cannot be written: {error.strerror}",
                code="audit.checkpoint-unwritable",
            ) from error


def read_checkpoint(data: bytes, keys: Sequence[NoteKey]) -> AuditCheckpoint:
    """A checkpoint from a file, checked with the key of a log that is believed.

    Raises:
        PkiDataError: ``log.proof-malformed``, ``log.note-malformed``, ``log.checkpoint-malformed``.
        PkiRefusedError: ``log.signature-wrong``, ``log.other-origin``, ``log.proof-wrong``, ``log.other-record``.
        IssuerUnavailableError: ``audit.log-key-missing``.
    """
    if not keys:
        raise _no_key()
    proof = InclusionProof.from_bytes(data)
    # A log that was restored goes on under another name with the same key: each name has a file of its own.
    named = [key for key in keys if proof.note.text.startswith(f"{key.name}\n")]
    entry, checkpoint = proof.verify((named or keys)[:1])
    head = read_noted_head(entry)
    return AuditCheckpoint(
        head=ChainHead(trail_id=head.journal, sequence=head.sequence, digest=head.digest),
        origin=checkpoint.origin,
        log_size=checkpoint.size,
        proof=data,
    )


def _require(proof: InclusionProof, head: ChainHead, keys: Sequence[NoteKey]) -> AuditCheckpoint:
    checkpoint = read_checkpoint(proof.to_bytes(), keys)
    if checkpoint.head != head:
        raise PkiRefusedError(
            f"the log proved record {checkpoint.head.sequence} of trail {checkpoint.head.trail_id.hex()}, "
            f"expected {head.sequence} of {head.trail_id.hex()}",
            code="log.other-record",
        )
    return checkpoint


def _noted(head: ChainHead) -> NotedHead:
    return NotedHead(journal=head.trail_id, sequence=head.sequence, digest=head.digest)


def _no_key() -> IssuerUnavailableError:
    return IssuerUnavailableError(
        "no key of a transparency log is known",
        code="audit.log-key-missing",
        hint="membercard-pki --home DIR log key > log.key, then give --log-key log.key",
    )
