"""The authority's own work: its certificate, signers, revocations and CRLs.

Every signature goes the same way: reserve the number, prepare, lint, record what will be signed, sign once, compare
with what was linted, record what came out, publish. A crash anywhere leaves a record of what may exist, and nothing is signed twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pki.certificates.crl import MAX_CRL_LIFETIME, prepare_crl
from pki.certificates.issue import (
    LOCATIONS,
    prepare_authority_certificate,
    prepare_signer_certificate,
)
from pki.certificates.lint.findings import LintProfile
from pki.certificates.names import TEST_WORD, DistinguishedName
from pki.certificates.profile import CertificateProfile, ProfileKind
from pki.certificates.trust import Authority
from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.keystore import Keystore, check_key_id
from pki.keys.signer import Signer
from pki.services.key_making import LOG_KEY_ID, create_key
from pki.services.linted_issuance import lint_prepared
from pki.services.recorder import Recorder
from pki.services.state import EntryKind, PkiState, SignerRecord

__all__ = ["AUTHORITY_KEY_ID", "AuthorityRequest", "AuthorityService", "Publication"]

AUTHORITY_KEY_ID = "csca-1"
"""The first CSCA's key; a roll-over makes the next."""

_SERIAL_NUMBER_BYTES = 16
_MAX_REASON_CHARACTERS = 200
_MAX_URI_CHARACTERS = 200
_AUTHORITY_PART = "CSCA"


class Publication(Protocol):
    """Where certificates and CRLs are put for others to fetch; publishing the same thing twice is harmless."""

    def publish_certificate(self, name: str, der: bytes) -> None:
        """Publish a certificate under a plain name."""

    def publish_crl(self, name: str, der: bytes) -> None:
        """Publish a CRL under a plain name, over the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityRequest:
    """What a new authority is to be; ``name`` without TEST, which a test authority's names get."""

    name: str
    country: str
    is_test: bool
    distribution_point: str

    def check(self, profile: CertificateProfile) -> None:
        """Whether all this can stand in a certificate of the profile, before anything is made.

        Raises:
            PkiRefusedError: ``certificate.name-invalid``, ``certificate.request-invalid``.
        """
        if profile.kind is not ProfileKind.AUTHORITY or self.country not in LOCATIONS:
            raise PkiRefusedError(
                f"profile is for {profile.kind.value} and country {self.country!r}, "
                f"expected an authority's and one of {sorted(LOCATIONS)}",
                code="certificate.request-invalid",
            )
        _distinguished_name(self.name, _AUTHORITY_PART, self.country, is_test=self.is_test)
        uri = self.distribution_point
        if not (uri.isascii() and uri.isprintable() and 8 <= len(uri) <= _MAX_URI_CHARACTERS):
            raise PkiRefusedError(
                f"address of the CRL has {len(uri)} characters, expected 8 to {_MAX_URI_CHARACTERS} of ASCII",
                code="certificate.request-invalid",
            )


class AuthorityService:
    """One authority with its keystore, its records and its publication."""

    def __init__(
        self,
        *,
        keystore: Keystore,
        recorder: Recorder,
        publication: Publication,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._keystore = keystore
        self._recorder = recorder
        self._publication = publication
        self._random_bytes = random_bytes

    @property
    def state(self) -> PkiState:
        """What was done so far."""
        return self._recorder.state

    def create_authority(self, request: AuthorityRequest, *, profile: CertificateProfile) -> bytes:
        """Make the CSCA's key and its self-signed certificate; give back its DER.

        Raises:
            PkiRefusedError: ``authority.exists``, ``authority.unfinished``, ``certificate.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        if self.state.authority_id is not None:
            self._require_authority()
            raise PkiRefusedError(
                f"there is an authority {self.state.authority_name!r} already",
                code="authority.exists",
            )
        request.check(profile)
        name = _distinguished_name(
            request.name, _AUTHORITY_PART, request.country, is_test=request.is_test
        )
        signer = create_key(self._keystore, self._recorder, AUTHORITY_KEY_ID, profile.curve)
        serial_number = self._draw_serial_number()
        prepared = prepare_authority_certificate(
            public_key=signer.public_key,
            profile=profile,
            name=name,
            serial_number=serial_number,
            not_before=self._recorder.now(),
            is_test=request.is_test,
            distribution_point=request.distribution_point,
        )
        linted = lint_prepared(prepared, profile=LintProfile.CSCA_ROOT)
        self._recorder.record(
            EntryKind.AUTHORITY_INTENDED,
            key=AUTHORITY_KEY_ID,
            name=request.name,
            serial=f"{serial_number:x}",
            distribution_point=request.distribution_point,
            digest=_digest(prepared.to_be_signed),
        )
        certificate = prepared.sign(signer)
        linted.check_signed(certificate)
        Authority.from_bytes(certificate)
        self._recorder.record(
            EntryKind.AUTHORITY_ISSUED, key=AUTHORITY_KEY_ID, certificate=certificate.hex()
        )
        self._publication.publish_certificate(AUTHORITY_KEY_ID, certificate)
        return certificate

    def create_signer(self, signer_id: str, *, profile: CertificateProfile) -> SignerRecord:
        """Make a document signer's key and certificate.

        Raises:
            PkiRefusedError: ``authority.missing``, ``signer.exists``, ``authority.key-usage-period``,
                ``authority.expired``, ``certificate.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        authority = self._require_authority()
        if (
            check_key_id(signer_id) in (AUTHORITY_KEY_ID, LOG_KEY_ID)
            or signer_id in self.state.signers
        ):
            raise PkiRefusedError(
                f"there is, or may be, a certificate for {signer_id} already",
                code="signer.exists",
                hint="choose the next identifier: a signer's name is given once",
            )
        name = _distinguished_name(
            self.state.authority_name or "",
            signer_id,
            authority.country,
            is_test=authority.is_test,
        )
        signer = create_key(self._keystore, self._recorder, signer_id, profile.curve)
        serial_number = self._draw_serial_number()
        prepared = prepare_signer_certificate(
            authority_certificate=authority.der,
            public_key=signer.public_key,
            profile=profile,
            name=name,
            serial_number=serial_number,
            not_before=self._recorder.now(),
            distribution_point=self.state.distribution_point,
        )
        linted = lint_prepared(prepared, profile=LintProfile.DOCUMENT_SIGNER)
        self._recorder.record(
            EntryKind.SIGNER_INTENDED,
            signer=signer_id,
            serial=f"{serial_number:x}",
            digest=_digest(prepared.to_be_signed),
        )
        certificate = prepared.sign(self._authority_signer(authority))
        linted.check_signed(certificate)
        self._recorder.record(
            EntryKind.SIGNER_ISSUED, signer=signer_id, certificate=certificate.hex()
        )
        self._publication.publish_certificate(signer_id, certificate)
        return self.state.signers[signer_id]

    def revoke_signer(self, signer_id: str, *, reason: str) -> SignerRecord:
        """Revoke a document signer; the next CRL lists it. A signer left unfinished can be revoked as well.

        Raises:
            PkiRefusedError: ``signer.unknown``, ``signer.revoked``, ``signing.request-invalid``.
            RecordError: it is not recorded.
        """
        record = self.state.signers.get(signer_id)
        if record is None:
            raise PkiRefusedError(
                f"there is no signer {signer_id[:80]!r}, only {sorted(self.state.signers)}",
                code="signer.unknown",
            )
        if record.revoked_at is not None:
            raise PkiRefusedError(
                f"signer {signer_id} was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
                code="signer.revoked",
            )
        if not (1 <= len(reason) <= _MAX_REASON_CHARACTERS and reason.isprintable()):
            raise PkiRefusedError(
                f"reason has {len(reason)} characters, expected 1 to {_MAX_REASON_CHARACTERS} printable ones",
                code="signing.request-invalid",
            )
        self._recorder.record(EntryKind.SIGNER_REVOKED, signer=signer_id, reason=reason)
        return record

    def issue_crl(self, *, lifetime: timedelta = MAX_CRL_LIFETIME) -> bytes:
        """Sign and publish a CRL with the next number; give back its DER.

        Raises:
            PkiRefusedError: ``authority.missing``, ``crl.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun; its number stays used.
        """
        authority = self._require_authority()
        number = self.state.crl_number + 1
        this_update = self._recorder.now().replace(microsecond=0)
        revoked: dict[int, datetime] = {
            record.serial_number: record.revoked_at
            for record in self.state.signers.values()
            if record.revoked_at is not None
        }
        prepared = prepare_crl(
            authority_certificate=authority.der,
            number=number,
            this_update=this_update,
            next_update=this_update + lifetime,
            revoked=revoked,
        )
        linted = lint_prepared(prepared, profile=LintProfile.CRL)
        self._recorder.record(
            EntryKind.CRL_INTENDED, number=number, digest=_digest(prepared.to_be_signed)
        )
        crl = prepared.sign(self._authority_signer(authority))
        linted.check_signed(crl)
        self._recorder.record(EntryKind.CRL_ISSUED, number=number, crl=crl.hex())
        self._publication.publish_crl(AUTHORITY_KEY_ID, crl)
        return crl

    def _require_authority(self) -> Authority:
        if self.state.authority_id is None:
            raise PkiRefusedError(
                "there is no authority yet",
                code="authority.missing",
                hint="membercard-pki authority create",
            )
        if self.state.authority_certificate is None:
            raise PkiRefusedError(
                "the authority's certificate was about to be signed when the work broke off: "
                "whether it exists is unknown",
                code="authority.unfinished",
                hint="begin anew in another home",
            )
        return Authority.from_bytes(self.state.authority_certificate)

    def _authority_signer(self, authority: Authority) -> Signer:
        signer = self._keystore.signer(AUTHORITY_KEY_ID)
        if signer.public_key != authority.certificate.public_key:
            raise PkiRefusedError(
                "the authority's key is not the one in its certificate",
                code="signing.key-mismatch",
            )
        return signer

    def _draw_serial_number(self) -> int:
        """Positive, 127 bits, mostly random, never used before (Doc 9303-12, 7.1.1; RFC 5280, 4.1.2.2)."""
        while True:
            drawn = int.from_bytes(self._random_bytes(_SERIAL_NUMBER_BYTES), "big")
            # The top bits are fixed, so that the number is positive and always equally long.
            serial_number = drawn & (2**126 - 1) | 2**126
            if serial_number not in self.state.serial_numbers:
                return serial_number


def _distinguished_name(name: str, part: str, country: str, *, is_test: bool) -> DistinguishedName:
    prefix = f"{TEST_WORD} " if is_test else ""
    return DistinguishedName(country=country, common_name=f"{prefix}{name} {part}")


def _digest(to_be_signed: bytes) -> str:
    return HashAlgorithm.SHA256.digest(to_be_signed).hex()
