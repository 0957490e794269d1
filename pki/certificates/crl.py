"""Certificate revocation lists as Doc 9303-12, 7.1.4 wants them: version 2, numbered, without reason codes."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography.hazmat import asn1

from pki.certificates import extensions as ext
from pki.certificates.certificate import load_certificate
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.prepared import (
    PreparedCertificateList,
    encode_algorithm,
    encode_extensions,
    encode_time,
)
from pki.certificates.structures import CertificateListContent, RevokedEntry, element
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.signer import Signer

__all__ = ["MAX_CRL_LIFETIME", "PreparedCertificateList", "issue_crl", "prepare_crl"]

MAX_CRL_LIFETIME = timedelta(days=90)
"""Doc 9303-12, 4.2: a CRL is issued at least every 90 days."""


def prepare_crl(
    *,
    authority_certificate: bytes,
    number: int,
    this_update: datetime,
    next_update: datetime,
    revoked: Mapping[int, datetime],
) -> PreparedCertificateList:
    """Everything of a CRL but its signature; ``revoked`` maps serial numbers to the time of revocation.

    Raises:
        PkiDataError: ``certificate.malformed``.
        PkiRefusedError: ``crl.request-invalid``.
    """
    if not timedelta(0) < next_update - this_update <= MAX_CRL_LIFETIME:
        raise PkiRefusedError(
            f"the CRL would be current for {next_update - this_update}, expected at most {MAX_CRL_LIFETIME}",
            code="crl.request-invalid",
        )
    if number < 1 or number.bit_length() > 159:
        raise PkiRefusedError(
            f"CRL number has {number.bit_length()} bits, expected a positive number of at most 20 octets",
            code="crl.request-invalid",
        )
    authority = load_certificate(authority_certificate)
    identifier = ext.decode_subject_key_identifier(authority.extensions)
    usage = ext.decode_key_usage(authority.extensions) or frozenset()
    if identifier is None or KeyUsageBit.CRL_SIGN not in usage:
        raise PkiRefusedError(
            "the certificate is not one of an authority that signs CRLs", code="crl.request-invalid"
        )
    algorithm = SignatureAlgorithm.for_key(authority.public_key)
    entries = [
        RevokedEntry(serial_number=serial_number, revoked_at=encode_time(moment), extensions=None)
        for serial_number, moment in sorted(revoked.items())
    ]
    content = CertificateListContent(
        version=1,
        signature_algorithm=encode_algorithm(algorithm),
        issuer=element(authority.subject),
        this_update=encode_time(this_update),
        next_update=encode_time(next_update),
        # RFC 5280, 5.1.2.6: where nothing is revoked, the list is absent.
        revoked=entries or None,
        extensions=encode_extensions(
            [
                ext.encode_authority_key_identifier(identifier),
                ext.encode_crl_number(number),
            ]
        ),
    )
    return PreparedCertificateList(
        number=number, algorithm=algorithm, to_be_signed=asn1.encode_der(content)
    )


def issue_crl(
    *,
    signer: Signer,
    authority_certificate: bytes,
    number: int,
    this_update: datetime,
    next_update: datetime,
    revoked: Mapping[int, datetime],
) -> bytes:
    """Prepare and sign a CRL; see ``prepare_crl``."""
    prepared = prepare_crl(
        authority_certificate=authority_certificate,
        number=number,
        this_update=this_update,
        next_update=next_update,
        revoked=revoked,
    )
    return prepared.sign(signer)
