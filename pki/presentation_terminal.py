"""What the command line shows of CV certificates, requests and chains: one document each."""

from pki.card_verifiable.authorisation import FileRights, HolderAuthorisation, Role, TerminalType
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import JudgedCertificate
from pki.card_verifiable.public_key import CvPublicKey
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest
from pki.errors import PkiDataError
from pki.presentation import Document
from pki.services.card_verifiable_state import CardVerifiableState, CvRecord

__all__ = [
    "certificate_document",
    "judged_document",
    "record_document",
    "request_document",
]

_ACCESS_NAMES = {
    TerminalType.INSPECTION_SYSTEM: {0: "DG3", 1: "DG4"},
}
"""What the access bits of an inspection system grant (TR-03110-3, C.4.1); others are shown as numbers."""


def certificate_document(certificate: CvCertificate) -> Document:
    """One CV certificate; nothing in it was checked but its form."""
    body = certificate.body
    return {
        "kind": "certificate",
        "holder": body.holder_reference.text,
        "authority": body.authority_reference.text,
        **_authorisation(body.authorisation),
        "files": _files(body.file_rights),
        "valid_from": body.effective_date.isoformat(),
        "valid_until": body.expiration_date.isoformat(),
        **_public_key(body.public_key),
        "other_extensions": sum(item.file_rights is None for item in body.extensions),
        "signature": certificate.signature.hex(),
    }


def request_document(request: CertificateRequest | AuthenticatedRequest) -> Document:
    """One request; ``inner_signature`` tells whether the new key signed it."""
    inner = request.request if isinstance(request, AuthenticatedRequest) else request
    body = inner.body
    try:
        inner.verify()
        is_signed = True
    except PkiDataError:
        is_signed = False
    return {
        "kind": "request",
        "holder": body.holder_reference.text,
        "authority": None if body.authority_reference is None else body.authority_reference.text,
        "vouched_for_by": (
            request.authenticator_reference.text
            if isinstance(request, AuthenticatedRequest)
            else None
        ),
        **_public_key(body.public_key),
        "extensions": len(body.extensions),
        "inner_signature": "valid" if is_signed else "invalid",
    }


def judged_document(judged: JudgedCertificate) -> Document:
    """What a chain grants to the terminal at its end."""
    rights = judged.rights
    return {
        "verdict": "accepted",
        "holder": judged.holder_reference.text,
        "type": rights.terminal_type.label,
        "access": _access(rights.terminal_type, rights.access_bits),
        "files": _files(rights.files),
    }


def record_document(record: CvRecord, state: CardVerifiableState) -> Document:
    """One certificate of a home; the state is *issued*, *unfinished* or *blocked*."""
    block = state.blocked.get(record.holder_reference.holder)
    certificate = record.certificate
    is_link = record.role is Role.CVCA and not record.is_root
    document: Document = {
        "holder": record.holder_reference.text,
        "authority": record.authority_reference.text,
        "role": "cvca-link" if is_link else record.role.label,
        "state": "unfinished" if certificate is None else "issued" if block is None else "blocked",
        "files": None if certificate is None else _files(certificate.body.file_rights),
        "valid_until": None
        if certificate is None
        else certificate.body.expiration_date.isoformat(),
    }
    return document if block is None else document | {"reason": block.reason}


def _authorisation(authorisation: HolderAuthorisation) -> Document:
    return {
        "role": authorisation.role.label,
        "type": authorisation.terminal_type.label,
        "access": _access(authorisation.terminal_type, authorisation.access_bits),
    }


def _public_key(key: CvPublicKey) -> Document:
    return {
        "algorithm": key.algorithm.name.lower().replace("_", "-"),
        "curve": None if key.curve is None else key.curve.label,
        "public_key": key.point.hex(),
    }


def _access(terminal_type: TerminalType, bits: int) -> str:
    names = _ACCESS_NAMES.get(terminal_type, {})
    granted = [bit for bit in range(terminal_type.access_bit_count) if bits >> bit & 1]
    return " ".join(names.get(bit, f"bit-{bit}") for bit in granted) or "none"


def _files(rights: FileRights) -> str:
    return " ".join(rights.names) or "none"
