"""The checks of the security object and of who signed it: SPEC.md, 9.3 to 9.9, 9.18 and 9.25.

What a security object and a certificate are, and when they hold, is `pki`'s to say; these steps bring the
evidence to it and keep what later steps need.
"""

from datetime import datetime

from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.security_object_file import SecurityObjectFile
from pki.certificates import trust as signer_trust
from pki.certificates.anchor_scope import TrustDemand, TrustPurpose
from pki.certificates.certificate import load_certificate
from pki.errors import PkiDataError, PkiRefusedError
from pki.signed.security_object import SecurityObject
from verifier.inspection.checks import (
    CheckFailedError,
    CheckName,
    CheckNotPerformedError,
)
from verifier.inspection.examination import Examination, group_name
from verifier.inspection.snapshot import FileOutcome

__all__ = [
    "check_revocation",
    "check_signature",
    "check_signer_certificate",
    "check_signer_path",
    "check_signer_validity",
    "check_signing_time",
    "check_status_reference",
    "check_syntax",
]

_SECURITY_OBJECT_FILE = "EF.SOD"
_REVOKED = "signer.revoked"
_SIGNED_BEFORE = "signer.signed-before-compromise"


def check_syntax(examination: Examination) -> str:
    """9.3: EF.SOD holds a security object as clause 7 fixes it."""
    evidence = examination.evidence(_SECURITY_OBJECT_FILE)
    if evidence.outcome is FileOutcome.MALFORMED:
        raise CheckFailedError(
            "security-object.malformed", "EF.SOD is not a file that can be read."
        )
    if evidence.content is None:
        raise CheckFailedError("security-object.missing", "The chip has no readable EF.SOD.")
    file = SecurityObjectFile.from_bytes(evidence.content)
    security_object = SecurityObject.from_bytes(
        file.content_info, allow_others=examination.policy.allow_other_signatures
    )
    examination.keep_security_object(security_object)
    count = len(security_object.file_hashes)
    return f"EF.SOD is a security object that lists {count} data groups."


def check_signature(examination: Examination) -> str:
    """9.4: message digest and signature, by the certificate that the card carries."""
    examination.security_object.verify_signature()
    return "The security object's signature is that of the certificate on the card."


def check_signing_time(examination: Examination) -> str:
    """9.5: the signing time is there and not in the future."""
    moment = examination.security_object.check_signing_time(now=examination.now)
    examination.keep_signing_time(moment)
    written = moment.replace(tzinfo=None).isoformat(" ", "seconds")
    return f"The card was signed at {written} UTC."


def check_signer_certificate(examination: Examination) -> str:
    """9.6: the profile of a document signer, for this document, of an authority that policy allows."""
    certificate = examination.security_object.signer_certificate
    data_group_1 = examination.decoded(group_name(1), DataGroup1)
    document_code = data_group_1.mrz.document_code
    if document_code not in examination.policy.document_codes:
        raise CheckFailedError(
            "signer.document-type", "The policy does not know this type of document."
        )
    signer_trust.check_signer_profile(
        certificate,
        document_code=document_code,
        allow_test=examination.policy.allow_test_authorities,
    )
    return f"The signer's certificate is a document signer's, for documents {document_code}."


def check_signer_path(examination: Examination) -> str:
    """9.7: an authority of the trust directory that is bound to such documents issued the signer's certificate."""
    certificate = examination.security_object.signer_certificate
    try:
        signer_trust.load_signer(certificate)
    except PkiDataError as error:
        _require_known_issuer(examination, certificate)
        raise CheckNotPerformedError(
            "signer.profile", "It builds on a signer's certificate that breaks its profile."
        ) from error
    mrz = examination.decoded(group_name(1), DataGroup1).mrz
    authority = signer_trust.find_authority(
        certificate,
        examination.trust,
        demand=TrustDemand(
            purpose=TrustPurpose.DOCUMENTS,
            state=mrz.issuing_state,
            document_code=mrz.document_code,
        ),
        scopes=examination.policy.scopes,
    )
    examination.keep_authority(authority)
    return "An authority that is trusted for such documents issued the signer's certificate."


def _require_known_issuer(examination: Examination, certificate: bytes) -> None:
    """A certificate that breaks the profile of 9.6 may lead nowhere besides: nobody of its issuer's name is trusted."""
    issuer = load_certificate(certificate).issuer
    if all(item.certificate.subject != issuer for item in examination.trust.authorities):
        raise CheckNotPerformedError(
            "signer.authority-unknown",
            "No authority of the trust directory has the name of the signer's issuer.",
        )


def check_signer_validity(examination: Examination) -> str:
    """9.8: signer, key and authority were valid at signing, and the signer is now."""
    signer_trust.check_validity(
        examination.security_object.signer_certificate,
        examination.authority,
        signing_time=examination.signing_time,
        now=examination.now,
    )
    return "Signer and authority were valid when the card was signed, and the signer is valid now."


def check_revocation(examination: Examination) -> str:
    """9.9: no stop list names the signer, and a current revocation list of the authority does not either.

    A signer that is revoked stays so, unless policy lets a card pass that witnesses saw before its key was in other
    hands (9.25).
    """
    certificate = examination.security_object.signer_certificate
    authority, now = examination.authority, examination.now
    try:
        signer_trust.check_revocation(certificate, authority, examination.trust, now=now)
    except PkiRefusedError as refusal:
        proven_at = _proven_at(examination) if refusal.code == _REVOKED else None
        if proven_at is None:
            raise
        signer_trust.check_revocation(
            certificate, authority, examination.trust, now=now, proven_at=proven_at
        )
        examination.notes.append(_SIGNED_BEFORE)
        return (
            "The signer's key was compromised later; witnesses had seen this card's signature at "
            f"{proven_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    return "The authority's current revocation list does not name the signer."


def _proven_at(examination: Examination) -> datetime | None:
    """When others than the signer had seen the signature; ``None`` where policy does not ask, or nobody brought a proof."""
    evidence = examination.log_evidence
    if not examination.policy.allow_signed_before_compromise or evidence.proof is None:
        return None
    # What 9.4 did not verify is nobody's signature, and so is in no log.
    examination.require(CheckName.SECURITY_OBJECT_SIGNATURE)
    return evidence.known_since(examination.security_object)


def check_status_reference(examination: Examination) -> str:
    """9.18: the signed status reference is there and well-formed."""
    security_object = examination.security_object
    examination.require(CheckName.SECURITY_OBJECT_SIGNATURE)
    reference = security_object.status_reference
    if reference is None:
        raise CheckFailedError(
            "status.reference-missing", "The security object carries no status reference."
        )
    return f"The card's status stands at index {reference.index} of list {reference.list_id.hex()}."
