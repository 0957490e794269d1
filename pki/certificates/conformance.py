"""What RFC 5280, 4 asks of whoever writes certificates, checked by the reader (profile ``RFC_5280`` of a path)."""

from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.name_constraints import NAME_CONSTRAINTS, names_of
from pki.certificates.name_matching import relative_names
from pki.certificates.path_rules import refused
from pki.certificates.policy_graph import INHIBIT_ANY_POLICY, POLICY_CONSTRAINTS
from pki.errors import PkiRefusedError

__all__ = ["check_conformance"]

_NEVER_CRITICAL = (ext.AUTHORITY_KEY_IDENTIFIER, ext.SUBJECT_KEY_IDENTIFIER)
_ALWAYS_CRITICAL = (NAME_CONSTRAINTS, POLICY_CONSTRAINTS, INHIBIT_ANY_POLICY)


def check_conformance(certificate: Certificate) -> None:
    """Refuse a certificate that no conforming authority writes.

    Raises:
        PkiRefusedError: ``path.profile``.
        PkiDataError: ``certificate.malformed``.
    """
    extensions = certificate.extensions
    constraints = ext.decode_basic_constraints(extensions)
    is_authority = constraints is not None and constraints[0]
    if certificate.serial_number <= 0:
        raise _not_conforming("serial number is not positive", "4.1.2.2")
    _check_names(certificate, is_authority=is_authority)
    _check_key_identifiers(certificate, is_authority=is_authority)
    for oid in _NEVER_CRITICAL:
        if oid in extensions and extensions[oid].critical:
            raise _not_conforming(f"extension {oid} is critical", "4.2.1.1, 4.2.1.2")
    for oid in _ALWAYS_CRITICAL:
        if oid in extensions and not extensions[oid].critical:
            raise _not_conforming(f"extension {oid} is not critical", "4.2.1.10 to 4.2.1.14")
    if is_authority and not extensions[ext.BASIC_CONSTRAINTS].critical:
        raise _not_conforming("an authority's basic constraints are not critical", "4.2.1.9")
    if not is_authority and NAME_CONSTRAINTS in extensions:
        raise _not_conforming("an end entity has name constraints", "4.2.1.10")
    usage = ext.decode_key_usage(extensions)
    signs_certificates = usage is None or KeyUsageBit.CERTIFICATE_SIGN in usage
    if usage is not None and signs_certificates and not is_authority:
        raise _not_conforming("an end entity's key usage is to sign certificates", "4.2.1.3")
    if (
        constraints is not None
        and constraints[1] is not None
        and not (is_authority and signs_certificates)
    ):
        raise _not_conforming("a path length stands where no certificates are signed", "4.2.1.9")


def _check_names(certificate: Certificate, *, is_authority: bool) -> None:
    if not relative_names(certificate.issuer):
        raise _not_conforming("the issuer's name is empty", "4.1.2.4")
    if not relative_names(certificate.subject):
        alternative = certificate.extensions.get(ext.SUBJECT_ALTERNATIVE_NAME)
        if is_authority:
            raise _not_conforming("an authority's name is empty", "4.1.2.6")
        if alternative is None or not alternative.critical:
            raise _not_conforming(
                "the subject's name is empty, and there is no critical alternative name", "4.2.1.6"
            )
    # Whatever no constraint looks at is well-formed, too.
    names_of(certificate)


def _check_key_identifiers(certificate: Certificate, *, is_authority: bool) -> None:
    extensions = certificate.extensions
    is_self_issued = certificate.issuer == certificate.subject
    if ext.decode_authority_key_identifier(extensions) is None and not is_self_issued:
        raise _not_conforming("the authority key identifier is missing", "4.2.1.1")
    if is_authority and ext.decode_subject_key_identifier(extensions) is None:
        raise _not_conforming("an authority's subject key identifier is missing", "4.2.1.2")


def _not_conforming(text: str, clause: str) -> PkiRefusedError:
    return refused("profile", f"{text} (RFC 5280, {clause})")
