"""Whether a document signer may be believed: certificate, path, validity, revocation (SPEC.md, 9.6-9.9).

Pure: certificates, lists and times come in, nothing or an error with one code comes out. A path is exactly
one certificate, from an authority of the trust directory that is bound to such documents: the general validator
(``path``) judges it, with both of its settings on. What is expensive is cached by the bytes it depends on, so that
a terminal judges each signer's signatures once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Self

from pki.certificates import extensions as ext
from pki.certificates.anchor_scope import AnchorScopes, TrustDemand
from pki.certificates.anchors import Authority, TrustAnchors
from pki.certificates.authority_path import find_issuer
from pki.certificates.certificate import (
    Certificate,
    CertificateError,
    load_certificate,
)
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.names import country_of, name_text
from pki.certificates.path import PathProfile, check_certificate_time
from pki.certificates.path_revocation import require_current_list, revocation_time
from pki.certificates.profile_checks import (
    check_critical,
    check_key_usage,
    check_strength,
    is_test_certificate,
    required,
)
from pki.certificates.revocation_lists import lists_for
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.signed.stop_list import StopList

__all__ = [
    "Authority",
    "DocumentSignerCertificate",
    "TrustAnchors",
    "check_revocation",
    "check_signer_profile",
    "check_validity",
    "find_authority",
    "load_signer",
]

_NO_SCOPES: Final = AnchorScopes()
_MAX_CLEARED: Final = 256
"""More signers than sign at one time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSignerCertificate:
    """What a document signer's certificate says of itself; nothing of it is proven."""

    der: bytes = field(repr=False)
    country: str
    is_test: bool
    name: str
    serial_number: int
    document_codes: frozenset[str]
    key_use_not_before: datetime
    key_use_not_after: datetime
    authority_key_identifier: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    certificate: Certificate = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Read a DER certificate that is an end entity as Doc 9303-12, 7.1.1 profiles it.

        Raises:
            PkiDataError: ``signer.profile``.
        """
        try:
            certificate = load_certificate(der)
            _check_signer(certificate)
            extensions = certificate.extensions
            start, end = _key_use(certificate)
            # Doc 9303-12, 7.1.1.1: both names bear a country; whose it is, check 9.15 says.
            country_of(certificate.issuer)
            return cls(
                der=der,
                country=country_of(certificate.subject),
                is_test=is_test_certificate(certificate),
                name=name_text(certificate.subject),
                serial_number=certificate.serial_number,
                document_codes=required(
                    ext.decode_document_types(extensions), "document type list"
                ),
                key_use_not_before=start,
                key_use_not_after=end,
                authority_key_identifier=required(
                    ext.decode_authority_key_identifier(extensions), "authority key identifier"
                ),
                not_before=certificate.not_before,
                not_after=certificate.not_after,
                certificate=certificate,
            )
        except PkiDataError as error:
            raise PkiDataError(
                f"the signer's certificate breaks its profile: {error}", code="signer.profile"
            ) from error


def check_signer_profile(certificate_der: bytes, *, document_code: str, allow_test: bool) -> None:
    """A document signer's profile, for this kind of document, test marks only by leave (SPEC.md, 9.6).

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: ``signer.document-type``, ``signer.test-authority``.
    """
    signer = load_signer(certificate_der)
    if document_code not in signer.document_codes:
        raise PkiRefusedError(
            f"the signer may sign documents {sorted(signer.document_codes)}, got {document_code!r}",
            code="signer.document-type",
        )
    if signer.is_test and not allow_test:
        raise PkiRefusedError(
            f"the signer {signer.name} is marked as a test", code="signer.test-authority"
        )


def find_authority(
    certificate_der: bytes,
    anchors: TrustAnchors,
    *,
    demand: TrustDemand | None = None,
    scopes: AnchorScopes | None = None,
) -> Authority:
    """The authority that issued the signer, by name, key identifier and signature, and is bound to such documents (SPEC.md, 9.7).

    Without ``demand`` the path alone is judged, for whoever asks about a signer and not about a document.

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: ``signer.authority-unknown``, ``signer.path-invalid``, ``signer.authority-scope``.
    """
    scopes = _NO_SCOPES if scopes is None else scopes
    known = anchors.issuers.get((certificate_der, demand))
    # Scopes never change, so the same ones bind to the same.
    if known is not None and known[0] is scopes:
        return known[1]
    signer = load_signer(certificate_der)
    try:
        authority = find_issuer(
            signer.certificate, anchors.authorities, demand=demand, scopes=scopes
        )
    except PkiError as error:
        raise PkiRefusedError(str(error), code=_path_code(error.code)) from error
    if authority.is_test != signer.is_test:
        raise PkiRefusedError(
            f"the test marks of {signer.name} and of its authority differ",
            code="signer.path-invalid",
        )
    if len(anchors.issuers) >= _MAX_CLEARED:
        anchors.issuers.clear()
    anchors.issuers[certificate_der, demand] = scopes, authority
    return authority


def _path_code(code: str) -> str:
    """Why no path of one certificate holds, in the words of SPEC.md, 9.7."""
    return {
        "path.issuer-unknown": "signer.authority-unknown",
        "path.anchor-scope": "signer.authority-scope",
    }.get(code, "signer.path-invalid")


def check_validity(
    certificate_der: bytes, authority: Authority, *, signing_time: datetime, now: datetime
) -> None:
    """Everything valid at the time of signing, and the signer now, too (SPEC.md, 9.8); the ends are inclusive.

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: ``signer.expired-at-signing``, ``signer.key-usage-period``,
            ``signer.authority-expired``, ``signer.expired``.
    """
    signer = load_signer(certificate_der)
    _check_time(signer.certificate, at=signing_time, code="signer.expired-at-signing")
    start, end = signer.key_use_not_before, signer.key_use_not_after
    if not start <= signing_time <= end:
        raise PkiRefusedError(
            f"the signer's private key is not valid at the time of signing, {signing_time:%Y-%m-%d %H:%M:%S}Z, "
            f"expected {start:%Y-%m-%d %H:%M:%S}Z to {end:%Y-%m-%d %H:%M:%S}Z",
            code="signer.key-usage-period",
        )
    _check_time(authority.certificate, at=signing_time, code="signer.authority-expired")
    _check_time(signer.certificate, at=now, code="signer.expired")


def _check_time(certificate: Certificate, *, at: datetime, code: str) -> None:
    try:
        check_certificate_time(certificate, at=at)
    except PkiRefusedError as error:
        when = "now" if code == "signer.expired" else "at the time of signing"
        raise PkiRefusedError(f"{when}, {error}", code=code) from error


def check_revocation(
    certificate_der: bytes,
    authority: Authority,
    anchors: TrustAnchors,
    *,
    now: datetime,
    proven_at: datetime | None = None,
) -> None:
    """No stop list names the signer, and a current CRL of the authority does not list it (SPEC.md, 9.9).

    A signer that any CRL or stop list of its authority lists is revoked, however old that list and whenever the card was
    signed: the signer itself claims the time of signing. ``proven_at`` is a time at which others than the signer had
    seen the signature (SPEC.md, 9.25); only where every stop list that names the signer states a later time of
    compromise is it let through.

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: ``signer.revoked``, ``signer.revocation-unknown``, ``inclusion-proof.too-late``.
    """
    key = (certificate_der, authority.der)
    cleared = anchors.cleared.get(key)
    if cleared is not None and cleared[0] <= now <= cleared[1]:
        return
    signer = load_signer(certificate_der)
    stop_lists = [
        item for item in anchors.stop_lists if item.issuer == authority.certificate.subject
    ]
    lists = lists_for(authority, authorities=anchors.authorities, lists=anchors.revocation_lists)
    revoked_at = revocation_time(signer.certificate, lists)
    naming = [item for item in stop_lists if signer.serial_number in item.stopped]
    if naming or revoked_at is not None:
        refusal = _revoked(signer, naming, revoked_at)
        since = _compromised_since(signer, naming, revoked_at)
        if proven_at is None or since is None:
            raise refusal
        if proven_at >= since:
            raise PkiRefusedError(
                f"{refusal}; witnesses saw the signature at {proven_at:%Y-%m-%d %H:%M:%S}Z, "
                f"expected before {since:%Y-%m-%d %H:%M:%S}Z, when its key may have been in other hands",
                code="inclusion-proof.too-late",
            )
    stop_list = _require_current_stop_list(authority, stop_lists, now=now)
    try:
        clearing = require_current_list(
            signer.certificate, lists, now=now, profile=PathProfile.DOC_9303
        )
    except PkiRefusedError as error:
        raise PkiRefusedError(str(error), code="signer.revocation-unknown") from error
    if naming or revoked_at is not None:
        # What was proven is one card's signature: it clears nobody for the next card.
        return
    # Whom no list names at all is cleared for as long as the lists that had to be current are.
    start, end = clearing.this_update, clearing.next_update
    if stop_list is not None:
        start, end = max(start, stop_list.this_update), min(end, stop_list.next_update)
    if len(anchors.cleared) >= _MAX_CLEARED:
        anchors.cleared.clear()
    anchors.cleared[key] = start, end


def _revoked(
    signer: DocumentSignerCertificate, naming: Sequence[StopList], revoked_at: datetime | None
) -> PkiRefusedError:
    if naming:
        stopped_at = naming[0].stopped[signer.serial_number]
        reason = (
            f"is on stop list {naming[0].number}: it was stopped at {stopped_at:%Y-%m-%d %H:%M:%S}Z"
        )
    else:
        reason = f"was revoked at {revoked_at:%Y-%m-%d %H:%M:%S}Z"
    return PkiRefusedError(f"the signer {signer.name} {reason}", code="signer.revoked")


def _compromised_since(
    signer: DocumentSignerCertificate, naming: Sequence[StopList], revoked_at: datetime | None
) -> datetime | None:
    """From when on nobody vouches for the key; ``None`` where a list does not say, or there is none but a CRL."""
    stated = [item.compromised_since.get(signer.serial_number) for item in naming]
    known = [moment for moment in stated if moment is not None]
    if not known or len(known) < len(stated):
        return None
    # What was revoked for another reason before is not believed longer than that.
    return min(known if revoked_at is None else [*known, revoked_at])


def _require_current_stop_list(
    authority: Authority, stop_lists: Sequence[StopList], *, now: datetime
) -> StopList | None:
    """Where there are stop lists, the newest must be current; it is given back."""
    newest = max(stop_lists, key=lambda item: (item.number, item.this_update), default=None)
    if newest is not None and not newest.is_current(now):
        raise PkiRefusedError(
            f"stop list {newest.number} of {authority.name} is current from "
            f"{newest.this_update:%Y-%m-%d %H:%M:%S}Z to {newest.next_update:%Y-%m-%d %H:%M:%S}Z, "
            f"got {now:%Y-%m-%d %H:%M:%S}Z",
            code="signer.revocation-unknown",
        )
    return newest


@lru_cache(maxsize=256)
def load_signer(der: bytes) -> DocumentSignerCertificate:
    """A document signer's certificate; cached by its bytes.

    Raises:
        PkiDataError: ``signer.profile``.
    """
    return DocumentSignerCertificate.from_bytes(der)


def _check_signer(certificate: Certificate) -> None:
    """Doc 9303-12, 7.1.1, column *document signer*."""
    check_strength(certificate)
    extensions = certificate.extensions
    check_critical(extensions)
    constraints = ext.decode_basic_constraints(extensions)
    if constraints is not None and constraints[0]:
        raise CertificateError("the signer is an authority, expected an end entity")
    check_key_usage(extensions, {KeyUsageBit.DIGITAL_SIGNATURE})
    if ext.EXTENDED_KEY_USAGE in extensions:
        # Signers of other things than documents (master lists, deviation lists) carry one.
        raise CertificateError("the signer has an extended key usage, expected none")


def _key_use(certificate: Certificate) -> tuple[datetime, datetime]:
    """The private-key usage period; an end that it leaves open is the certificate's own (RFC 5280, A.2)."""
    period = ext.decode_private_key_usage_period(certificate.extensions)
    start, end = required(period, "private key usage period")
    if start is None and end is None:
        raise CertificateError("private key usage period is empty")
    return start or certificate.not_before, end or certificate.not_after
