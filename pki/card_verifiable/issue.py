"""Composing and signing CV certificates: who, for how long, with which rights (TR-03110-3, C.1; domain limits).

Everything here is a decision over arguments; the key is reached through the ``Signer`` port.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from card_layout.curves import EcPublicKey
from pki.card_verifiable.authorisation import (
    CertificateExtension,
    FileRights,
    HolderAuthorisation,
    Role,
    TerminalType,
)
from pki.card_verifiable.certificate import CertificateBody, CvCertificate
from pki.card_verifiable.chain import JudgedCertificate
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly, verify_plain_signature
from pki.card_verifiable.references import HolderReference
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm, elliptic_curve_key
from pki.keys.signer import Signer

__all__ = [
    "VALIDITY_MONTHS",
    "Validity",
    "check_grant",
    "compose_below",
    "compose_root",
    "sign_certificate",
    "validity_from",
]

VALIDITY_MONTHS: Final = {
    Role.CVCA: 36,
    Role.DOCUMENT_VERIFIER: 3,
    Role.FOREIGN_DOCUMENT_VERIFIER: 3,
    Role.TERMINAL: 1,
}
"""How long each is valid, at most; a CVCA for three years (Decree 68/2024/NĐ-CP)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """First and last day (UTC), both included."""

    effective_date: date
    expiration_date: date


def validity_from(day: date, role: Role, *, not_after: date | None = None) -> Validity:
    """The usual validity from a day on, cut where the certificate above ends."""
    index = 12 * day.year + day.month - 1 + VALIDITY_MONTHS[role]
    year, month = index // 12, index % 12 + 1
    last_of_month = calendar.monthrange(year, month)[1]
    # The same day of a later month would be one day too many, because both ends count.
    last = date(year, month, min(day.day, last_of_month)) - timedelta(days=1)
    return Validity(
        effective_date=day, expiration_date=last if not_after is None else min(last, not_after)
    )


def compose_root(
    *,
    reference: HolderReference,
    public_key: CvPublicKey,
    files: FileRights,
    validity: Validity,
    terminal_type: TerminalType = TerminalType.INSPECTION_SYSTEM,
    access_bits: int = 0,
) -> CertificateBody:
    """The body of a CVCA's self-signed certificate; ``public_key`` with its domain parameters.

    Raises:
        PkiDataError: ``cv-certificate.malformed``: something that no certificate can say.
    """
    return CertificateBody(
        authority_reference=reference,
        public_key=public_key,
        holder_reference=reference,
        authorisation=HolderAuthorisation(
            terminal_type=terminal_type, role=Role.CVCA, access_bits=access_bits
        ),
        effective_date=validity.effective_date,
        expiration_date=validity.expiration_date,
        extensions=_granting(files),
    )


def compose_below(
    issuer: JudgedCertificate,
    *,
    role: Role,
    reference: HolderReference,
    public_key: CvPublicKey,
    files: FileRights,
    validity: Validity,
    access_bits: int = 0,
) -> CertificateBody:
    """The body of a certificate that ``issuer`` is to sign: a link, a document verifier's or a terminal's.

    Raises:
        PkiRefusedError: ``cv-certificate.role-not-allowed``, ``cv-certificate.rights-exceeded``,
            ``cv-certificate.validity-exceeded``.
        PkiDataError: ``cv-certificate.malformed``.
    """
    above = issuer.certificate.body
    if not above.authorisation.role.may_certify(role):
        raise PkiRefusedError(
            f"a {above.authorisation.role.label} may not certify a {role.label}",
            code="cv-certificate.role-not-allowed",
        )
    check_grant(issuer, files=files, access_bits=access_bits)
    if role is not Role.CVCA and validity.expiration_date > above.expiration_date:
        raise PkiRefusedError(
            f"validity ends {validity.expiration_date}, after that of {issuer.holder_reference.text} "
            f"({above.expiration_date})",
            code="cv-certificate.validity-exceeded",
        )
    return CertificateBody(
        authority_reference=issuer.holder_reference,
        public_key=public_key if role is Role.CVCA else public_key.without_parameters(),
        holder_reference=reference,
        authorisation=HolderAuthorisation(
            terminal_type=above.authorisation.terminal_type, role=role, access_bits=access_bits
        ),
        effective_date=validity.effective_date,
        expiration_date=validity.expiration_date,
        extensions=_granting(files),
    )


def check_grant(issuer: JudgedCertificate, *, files: FileRights, access_bits: int = 0) -> None:
    """Whether these rights are the issuer's to give.

    Raises:
        PkiRefusedError: ``cv-certificate.rights-exceeded``.
    """
    excess = files.data_groups - issuer.rights.files.data_groups
    if excess or access_bits & ~issuer.rights.access_bits:
        raise PkiRefusedError(
            f"rights {FileRights(excess).names or hex(access_bits)} are not "
            f"{issuer.holder_reference.text}'s to give",
            code="cv-certificate.rights-exceeded",
        )


def sign_certificate(
    body: CertificateBody,
    *,
    signer: Signer,
    key: EcPublicKey,
    algorithm: SignatureAlgorithm,
) -> CvCertificate:
    """Sign a body, and check with the authority's certified key that the result is what others will accept.

    Raises:
        PkiRefusedError: ``signing.key-mismatch``: the signer is not the key that was certified.
        KeystoreError: the key or its token failed.
        PkiDataError: ``cv-certificate.signature-invalid``: what came out does not verify.
    """
    if (
        EcPublicKey.from_cryptography(elliptic_curve_key(signer.public_key)) != key
        or signer.algorithm is not algorithm
    ):
        raise PkiRefusedError(
            f"the key of {body.authority_reference.text} is not the one in its certificate",
            code="signing.key-mismatch",
        )
    message = body.to_bytes()
    signature = sign_plainly(signer, message)
    verify_plain_signature(
        key,
        algorithm,
        signature=signature,
        message=message,
        name=f"certificate {body.holder_reference.text}",
    )
    return CvCertificate(body=body, signature=signature)


def _granting(files: FileRights) -> tuple[CertificateExtension, ...]:
    return (CertificateExtension.granting(files),) if files.data_groups else ()
