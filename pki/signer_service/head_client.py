"""Asking the signer process to take a journal's head into the log: one connection, one question, one answer."""

from pathlib import Path
from typing import Final

from pki.record.transparency_proof import InclusionProof
from pki.services.journal_head_state import NotedHead
from pki.signer_service.protocol import NoteHeadRequest, read_noted
from pki.signer_service.single_question import ask_once

__all__ = ["note_head_over_socket"]

_TIMEOUT_SECONDS: Final = 60.0


def note_head_over_socket(
    path: Path, head: NotedHead, *, timeout: float = _TIMEOUT_SECONDS
) -> InclusionProof:
    """Have a head noted; the proof is still to be checked with the log's key.

    Raises:
        PkiRefusedError, PkiDataError: the signer refuses the head, or its answer is no proof.
        KeystoreError: ``signer.unreachable``: ask again with the same head.
        RecordError: the signer's journal failed.
    """
    answer = ask_once(path, NoteHeadRequest(head=head).to_bytes(), timeout=timeout)
    return InclusionProof.from_bytes(read_noted(answer))
