"""Certificates of services and operators: a root of its own beside the CSCA, for TLS and for people's signatures.

Services and operators make their own keys and bring a certification request (PKCS#10, RFC 2986): only the public
key is taken from it, once it has shown that it has the private one. What stands in the certificate is decided here.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.certificates.certificate import load_certificate
from pki.certificates.crl import MAX_CRL_LIFETIME, prepare_crl
from pki.certificates.issue import key_label
from pki.certificates.names import TEST_WORD, DistinguishedName
from pki.certificates.operator_roles import OperatorRole, policies_of
from pki.certificates.profile import (
    CertificateProfile,
    ProfileKind,
    load_certificate_profile,
)
from pki.certificates.public_keys import decode_public_key
from pki.certificates.service_certificates import (
    check_host_names,
    check_service_authority,
    prepare_service_authority_certificate,
    prepare_service_certificate,
)
from pki.certificates.trust import Authority
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import PublicKey
from pki.keys.keystore import check_key_id
from pki.keys.signer import Signer
from pki.services.authorisation_state import OperatorRecord
from pki.services.authority import AuthorityService, check_reason, distinguished_name
from pki.services.issuance import DraftKind
from pki.services.known_keys import check_key_is_new
from pki.services.state import SERVICE_CRL_SERIES, EntryKind, PkiState, ServiceRecord

__all__ = [
    "MAX_REQUEST_BYTES",
    "SERVICE_AUTHORITY_KEY_ID",
    "ServiceAuthorityService",
    "ServiceRequest",
    "public_key_of_request",
]

SERVICE_AUTHORITY_KEY_ID: Final = "service-root-1"
MAX_REQUEST_BYTES: Final = 16384

_PART: Final = "service root"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """Who is to have a certificate; ``certification_request`` is PKCS#10, PEM or DER."""

    service_id: str
    common_name: str
    host_names: tuple[str, ...] = ()
    certification_request: bytes = field(repr=False)


class ServiceAuthorityService:
    """The root of services and operators; it lives in the home of an authority, with a key of its own."""

    def __init__(self, authority: AuthorityService) -> None:
        self._authority = authority
        self._recorder = authority.recorder

    @property
    def _state(self) -> PkiState:
        return self._recorder.state

    def create_root(self, *, profile: CertificateProfile) -> bytes:
        """Make the root's key and its self-signed certificate; give back its DER.

        Raises:
            PkiRefusedError: ``authority.missing``, ``service.authority-exists``, ``certificate.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        authority = self._require_card_authority()
        if self._state.service_authority_id is not None:
            raise PkiRefusedError(
                "there is, or may be, a service authority already",
                code="service.authority-exists",
                hint="the first operator has it made: membercard-pki service list",
            )
        if profile.kind is not ProfileKind.SERVICE_AUTHORITY:
            raise PkiRefusedError(
                f"profile is for {profile.kind.value}, expected a service authority's",
                code="certificate.request-invalid",
            )
        signer = self._authority.keys.create(
            SERVICE_AUTHORITY_KEY_ID, curve=profile.curve, rsa_bits=profile.rsa_bits
        )
        serial_number = self._authority.cycle.reserve_serial_number()
        prepared = prepare_service_authority_certificate(
            public_key=signer.public_key,
            profile=profile,
            name=distinguished_name(
                self._state.authority_name or "",
                _PART,
                authority.country,
                is_test=authority.is_test,
            ),
            serial_number=serial_number,
            not_before=self._recorder.now(),
            is_test=authority.is_test,
        )
        certificate = self._authority.cycle.sign(
            prepared,
            signer=signer,
            kind=DraftKind.SERVICE_AUTHORITY,
            profile=profile.kind,
            intent=(
                EntryKind.SERVICE_AUTHORITY_INTENDED,
                {"key": SERVICE_AUTHORITY_KEY_ID, "serial": f"{serial_number:x}"},
            ),
        )
        self._recorder.record(
            EntryKind.SERVICE_AUTHORITY_ISSUED,
            key=SERVICE_AUTHORITY_KEY_ID,
            certificate=certificate.hex(),
        )
        self._authority.publication.publish_certificate(SERVICE_AUTHORITY_KEY_ID, certificate)
        return certificate

    def issue(self, request: ServiceRequest, *, profile: CertificateProfile) -> bytes:
        """Certify the key of a service or an operator; give back the DER certificate.

        Raises:
            PkiDataError: ``service.request-malformed``.
            PkiRefusedError: ``service.authority-missing``, ``service.exists``, ``key.duplicate``, ``certificate.request-invalid``,
                ``certificate.name-invalid``, ``authority.key-usage-period``, ``authority.expired``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        root = self._require_root()
        if check_key_id(request.service_id) in self._state.services:
            raise PkiRefusedError(
                f"there is, or may be, a certificate for {request.service_id} already",
                code="service.exists",
                hint="choose the next identifier: a name is given once",
            )
        check_host_names(profile.kind, request.host_names)
        public_key = public_key_of_request(request.certification_request)
        check_key_is_new(public_key, self._state)
        authority = self._require_card_authority()
        serial_number = self._authority.cycle.reserve_serial_number()
        prepared = prepare_service_certificate(
            authority_certificate=root,
            public_key=public_key,
            profile=profile,
            name=_service_name(request.common_name, authority),
            serial_number=serial_number,
            not_before=self._recorder.now(),
            host_names=request.host_names,
        )
        certificate = self._authority.cycle.sign(
            prepared,
            signer=self._signer(root),
            kind=DraftKind.SERVICE,
            profile=profile.kind,
            issuer=root,
            intent=(
                EntryKind.SERVICE_INTENDED,
                {
                    "service": request.service_id,
                    "profile": profile.kind.value,
                    "serial": f"{serial_number:x}",
                },
            ),
        )
        self._recorder.record(
            EntryKind.SERVICE_ISSUED, service=request.service_id, certificate=certificate.hex()
        )
        self._authority.publication.publish_certificate(
            f"service-{request.service_id}", certificate
        )
        return certificate

    def certify(
        self, name: str, public_key: PublicKey, roles: frozenset[OperatorRole] = frozenset()
    ) -> bytes:
        """See ``pki.services.operators.OperatorCertification``; where there is no root yet, it is made now.

        Raises:
            PkiRefusedError: ``authority.missing``, ``service.authority-missing``: the root's making broke off;
                ``certificate.request-invalid``, ``authority.key-usage-period``, ``authority.expired``,
                ``key.duplicate``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        check_key_is_new(public_key, self._state)
        authority = self._require_card_authority()
        if self._state.service_authority_id is None:
            self.create_root(profile=load_certificate_profile("service-authority"))
            self.issue_crl()
        root = self._require_root()
        # People bring keys on any curve of ours: a browser, a card and we ourselves make different ones.
        profile = load_certificate_profile("operator").with_key(key_label(public_key))
        serial_number = self._authority.cycle.reserve_serial_number()
        prepared = prepare_service_certificate(
            authority_certificate=root,
            public_key=public_key,
            profile=profile,
            name=_service_name(f"operator {name}", authority, self._state.authority_name),
            serial_number=serial_number,
            not_before=self._recorder.now(),
            policies=policies_of(roles),
        )
        certificate = self._authority.cycle.sign(
            prepared,
            signer=self._signer(root),
            kind=DraftKind.SERVICE,
            profile=profile.kind,
            issuer=root,
            intent=(
                EntryKind.OPERATOR_INTENDED,
                {"operator": name, "serial": f"{serial_number:x}"},
            ),
        )
        self._recorder.record(
            EntryKind.OPERATOR_ENROLLED, operator=name, certificate=certificate.hex()
        )
        return certificate

    def revoke(self, service_id: str, *, reason: str) -> ServiceRecord:
        """Revoke a service's or operator's certificate; the next CRL of this root lists it.

        Raises:
            PkiRefusedError: ``service.unknown``, ``service.revoked``, ``signing.request-invalid``.
            RecordError: it is not recorded.
        """
        record = self._state.services.get(service_id)
        if record is None:
            raise PkiRefusedError(
                f"there is no service or operator {service_id[:80]!r}, only {sorted(self._state.services)}",
                code="service.unknown",
            )
        if record.revoked_at is not None:
            raise PkiRefusedError(
                f"{service_id} was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
                code="service.revoked",
            )
        check_reason(reason)
        self._recorder.record(EntryKind.SERVICE_REVOKED, service=service_id, reason=reason)
        return record

    def issue_crl(self, *, lifetime: timedelta = MAX_CRL_LIFETIME) -> bytes:
        """Sign and publish the root's CRL with its next number; give back its DER.

        Raises:
            PkiRefusedError: ``service.authority-missing``, ``crl.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun; its number stays used.
        """
        root = self._require_root()
        number = self._authority.cycle.reserve_list_number(SERVICE_CRL_SERIES)
        this_update = self._recorder.now().replace(microsecond=0)
        prepared = prepare_crl(
            authority_certificate=root,
            number=number,
            this_update=this_update,
            next_update=this_update + lifetime,
            revoked=self._revoked(load_certificate(root).subject),
        )
        crl = self._authority.cycle.sign(
            prepared,
            signer=self._signer(root),
            kind=DraftKind.CRL,
            issuer=root,
            intent=(EntryKind.SERVICE_CRL_INTENDED, {"number": number}),
        )
        self._recorder.record(EntryKind.SERVICE_CRL_ISSUED, number=number, crl=crl.hex())
        self._authority.publication.publish_crl(SERVICE_AUTHORITY_KEY_ID, crl)
        return crl

    def _revoked(self, root: bytes) -> dict[int, datetime]:
        """What the root's CRL lists; operators of an older root of their own are none of it."""
        operators = self._state.authorisations.operators.values()
        ours = [
            record
            for record in operators
            if record.certificate is None or load_certificate(record.certificate).issuer == root
        ]
        records: list[ServiceRecord | OperatorRecord] = [*self._state.services.values(), *ours]
        return {
            record.serial_number: record.revoked_at
            for record in records
            if record.revoked_at is not None
        }

    def _require_card_authority(self) -> Authority:
        if self._state.authority_certificate is None:
            raise PkiRefusedError(
                "there is no authority yet",
                code="authority.missing",
                hint="membercard-pki authority create",
            )
        return Authority.from_bytes(self._state.authority_certificate)

    def _require_root(self) -> bytes:
        if self._state.service_authority_certificate is None:
            raise PkiRefusedError(
                "there is no service authority yet, or its making broke off",
                code="service.authority-missing",
                hint="membercard-pki service create-root",
            )
        return self._state.service_authority_certificate

    def _signer(self, root: bytes) -> Signer:
        return self._authority.keys.signer(
            SERVICE_AUTHORITY_KEY_ID, check_service_authority(root).public_key
        )


def _service_name(
    common_name: str, authority: Authority, organisation: str | None = None
) -> DistinguishedName:
    prefix = f"{TEST_WORD} " if authority.is_test else ""
    return DistinguishedName(
        country=authority.country, common_name=f"{prefix}{common_name}", organisation=organisation
    )


def public_key_of_request(request: bytes) -> PublicKey:
    """The public key of a request that is signed with its private half; nothing else in it counts.

    Raises:
        PkiDataError: ``service.request-malformed``.
    """
    if len(request) > MAX_REQUEST_BYTES:
        raise _malformed(f"it has {len(request)} bytes, expected at most {MAX_REQUEST_BYTES}")
    try:
        is_text = request.lstrip().startswith(b"-----BEGIN")
        found = x509.load_pem_x509_csr(request) if is_text else x509.load_der_x509_csr(request)
        public_key = found.public_key()
        is_proven = found.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _malformed("it is not PKCS#10 with a key that is known here") from error
    if not is_proven:
        raise _malformed("it is not signed with its own key")
    if not isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise _malformed("its key is neither on an elliptic curve nor an RSA key")
    # The library's encoding goes through our own reader, which is strict about curves and lengths.
    return decode_public_key(
        public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(
        f"the certification request cannot be used: {reason}", code="service.request-malformed"
    )
