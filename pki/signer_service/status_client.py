"""Asking the signer process for the next status list: one connection, one question, one answer."""

from pathlib import Path
from typing import Final

from pki.signed.card_states import CardStates
from pki.signer_service.single_question import ask_once
from pki.signer_service.status_protocol import IssueStatusRequest, read_issued_status

__all__ = ["issue_status_over_socket"]

_TIMEOUT_SECONDS: Final = 300.0
"""Millions of positions are read, compared and written, behind whatever cards are with the keys."""


def issue_status_over_socket(
    path: Path, states: CardStates, *, days: int, timeout: float = _TIMEOUT_SECONDS
) -> bytes:
    """Have the list signed; what comes back is still to be read and believed.

    Raises:
        PkiRefusedError, PkiDataError: the signer refuses, as ``StatusListService.issue``; nothing was signed.
        KeystoreError: ``signer.unreachable``: ask again.
        RecordError: the signer's journal failed.
    """
    request = IssueStatusRequest(states=states, days=days).to_bytes()
    return read_issued_status(ask_once(path, request, timeout=timeout))
