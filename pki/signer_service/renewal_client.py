"""Asking the signer process for a terminal's next certificate: one connection, one question, one answer."""

from pathlib import Path
from typing import Final

from pki.errors import PkiRefusedError
from pki.signer_service.protocol import MAX_CV_REQUEST_BYTES, RenewRequest, read_renewed
from pki.signer_service.single_question import ask_once

__all__ = ["renew_over_socket"]

_TIMEOUT_SECONDS: Final = 15.0


def renew_over_socket(path: Path, request: bytes, *, timeout: float = _TIMEOUT_SECONDS) -> bytes:
    """The terminal's next CV certificate.

    Raises:
        PkiRefusedError, PkiDataError: the signer refuses the request.
        KeystoreError: ``signer.unreachable``: ask again with the same request.
        RecordError: the signer's journal failed.
    """
    if len(request) > MAX_CV_REQUEST_BYTES:
        raise PkiRefusedError(
            f"the request has {len(request)} bytes, expected at most {MAX_CV_REQUEST_BYTES}",
            code="signing.request-invalid",
        )
    answer = ask_once(path, RenewRequest(request=request).to_bytes(), timeout=timeout)
    return read_renewed(answer)
